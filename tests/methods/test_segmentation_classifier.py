import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from segclf import SegmentationClassifier, SupervisedSegmenter
from segclf.datasets import make_shapes


def classifier(max_epochs=2, **changes):
    segmenter = SupervisedSegmenter(encoder="tiny", max_epochs=max_epochs, learning_rate=1e-2)
    return SegmentationClassifier(**{"segmenter": segmenter, "random_state": 0, **changes})


@pytest.fixture(scope="module")
def shapes():
    return make_shapes(60, image_size=32, n_objects=4, target_radius=5, random_state=0)


@pytest.fixture(scope="module")
def test_shapes():
    return make_shapes(60, image_size=32, n_objects=4, target_radius=5, random_state=1)


def test_it_classifies_through_masks(shapes, test_shapes):
    fitted = classifier(30).fit(shapes.images, shapes.target, masks=shapes.masks)
    scores = fitted.predict_proba(test_shapes.images)[:, 1]
    assert roc_auc_score(test_shapes.target, scores) > 0.95
    assert fitted.score(test_shapes.images, test_shapes.target) > 0.85


def test_positive_masks_and_negative_labels_are_enough(shapes, test_shapes):
    masks = [
        mask if label else None for mask, label in zip(shapes.masks, shapes.target, strict=True)
    ]
    fitted = classifier(30).fit(shapes.images, shapes.target, masks=masks)
    scores = fitted.predict_proba(test_shapes.images)[:, 1]
    assert roc_auc_score(test_shapes.target, scores) > 0.95


def test_any_mixture_of_supervision_is_valid(shapes):
    masks = [None if i % 3 else mask for i, mask in enumerate(shapes.masks)]
    labels = np.where(np.arange(60) % 5, shapes.target, -1)
    fitted = classifier().fit(shapes.images, labels, masks=masks)
    assert fitted.classes_.tolist() == [0, 1]


def test_labels_alone_learn(shapes):
    fitted = classifier(40).fit(shapes.images, shapes.target)
    assert roc_auc_score(shapes.target, fitted.predict_proba(shapes.images)[:, 1]) > 0.8


def test_predict_is_the_most_probable_class(shapes):
    fitted = classifier(5).fit(shapes.images, shapes.target, masks=shapes.masks)
    proba = fitted.predict_proba(shapes.images)
    np.testing.assert_allclose(proba.sum(1), 1)
    np.testing.assert_array_equal(fitted.predict(shapes.images), proba.argmax(1))


def test_string_classes(shapes):
    labels = np.array(["absent", "present"])[shapes.target]
    fitted = classifier().fit(shapes.images, labels, masks=shapes.masks)
    assert fitted.classes_.tolist() == ["absent", "present"]
    assert set(fitted.predict(shapes.images)) <= {"absent", "present"}


def test_context_ids_decide_no_label(shapes):
    masks = shapes.masks.astype(int)
    masks[:, :4] = 2
    fitted = classifier().fit(shapes.images, shapes.target, masks=masks)
    assert fitted.segmenter_.n_classes_ == 3
    assert fitted.predict_proba(shapes.images).shape == (60, 2)


def test_every_class_may_have_its_region(shapes):
    masks = np.where(shapes.masks == 1, 2, 1)
    fitted = classifier(negative_class=None).fit(shapes.images, shapes.target, masks=masks)
    assert fitted.segmenter_.n_classes_ == 3
    assert fitted.predict_proba(shapes.images).shape == (60, 2)


def test_multi_class(shapes):
    half = np.arange(60) % 2
    labels = shapes.target * (1 + half)
    masks = shapes.masks * (1 + half)[:, None, None].astype(np.uint8)
    fitted = classifier().fit(shapes.images, labels, masks=masks)
    assert fitted.classes_.tolist() == [0, 1, 2]
    assert fitted.predict_proba(shapes.images).shape == (60, 3)


def test_multilabel(shapes):
    labels = np.stack([shapes.target, 1 - shapes.target], axis=1)
    masks = np.stack([shapes.masks, np.zeros_like(shapes.masks)], axis=1)
    fitted = classifier().fit(shapes.images, labels, masks=masks)
    assert fitted.predict(shapes.images).shape == (60, 2)
    assert set(np.unique(fitted.predict(shapes.images))) <= {0, 1}


def test_masks_and_their_probabilities(shapes):
    fitted = classifier().fit(shapes.images, shapes.target, masks=shapes.masks)
    assert fitted.predict_masks(shapes.images[:2]).shape == (2, 32, 32)
    assert fitted.predict_mask_proba(shapes.images[:2]).shape == (2, 2, 32, 32)


def test_images_of_several_sizes(shapes):
    mixed = [image[: 28 + i % 5] for i, image in enumerate(shapes.images)]
    masks = [mask[: 28 + i % 5] for i, mask in enumerate(shapes.masks)]
    fitted = classifier().fit(mixed, shapes.target, masks=masks)
    assert fitted.predict_proba(mixed).shape == (60, 2)


def test_class_weight_is_a_weight_of_images(shapes):
    weighted = classifier(class_weight={0: 1, 1: 3}).fit(
        shapes.images, shapes.target, masks=shapes.masks
    )
    by_hand = classifier().fit(
        shapes.images, shapes.target, masks=shapes.masks, sample_weight=1 + 2 * shapes.target
    )
    np.testing.assert_array_equal(
        weighted.predict_proba(shapes.images), by_hand.predict_proba(shapes.images)
    )


def test_unlabeled_images_are_never_scored(shapes):
    fitted = classifier().fit(shapes.images, shapes.target, masks=shapes.masks)
    labels = np.where(np.arange(60) < 30, shapes.target, -1)
    assert fitted.score(shapes.images, labels) == fitted.score(
        shapes.images[:30], shapes.target[:30]
    )


def test_parameters_reach_down_to_the_segmenter():
    changed = clone(classifier()).set_params(segmenter__learning_rate=0.5)
    assert changed.segmenter.learning_rate == 0.5


def test_the_summarizer_may_be_an_object_or_unknown(shapes):
    from segclf import load_plugin

    rule = load_plugin("summarizer", "threshold")(min_area=0.2)
    fitted = classifier(summarizer=rule).fit(shapes.images, shapes.target, masks=shapes.masks)
    assert fitted.summarizer_.min_area == 0.2
    with pytest.raises(ValueError, match=r"No summarizer named 'treshold'; installed: .*threshold"):
        classifier(summarizer="treshold").fit(shapes.images, shapes.target, masks=shapes.masks)
