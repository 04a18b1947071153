from copy import deepcopy

import numpy as np
import pytest
from segclf_plugins.pseudo_labelers import IRNetBoundaries, IRNetLabeler
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from segclf import ImageClassifier, load, save
from segclf.testing.samples import indicator, make_samples


def make_labeler(**settings):
    classifier = ImageClassifier(encoder="tiny", max_epochs=20, learning_rate=3e-3)
    small = {
        "classifier": classifier,
        "boundaries": IRNetBoundaries(max_epochs=2, radius=3, stride=2),
        "n_steps": 4,
        "random_state": 0,
    }
    return IRNetLabeler(**{**small, **settings})


@pytest.fixture(scope="module")
def samples():
    return make_samples(12, size=(24, 24))


@pytest.fixture(scope="module")
def labeler(samples):
    return make_labeler().fit(samples.images, labels=samples.labels)


def test_masks_overlap_the_objects(samples, labeler):
    predicted = labeler.predict(samples.images, labels=samples.labels)
    true = samples.masks == 1
    both, either = (predicted == 1) & true, (predicted == 1) | true
    whole = true[samples.labels == 1]
    assert both.sum() / either.sum() > 1.3 * whole.mean()  # of drawing all of each image


def test_without_steps_masks_are_thresholded_activation_maps_within_boundaries(samples, labeler):
    still = deepcopy(labeler).set_params(n_steps=0)
    small = still.predict(samples.images, labels=samples.labels)
    large = still.set_params(threshold=0.05).predict(samples.images, labels=samples.labels)
    assert ((small == 1) <= (large == 1)).all()
    assert (small == 1).sum() < (large == 1).sum()


def test_only_classes_that_an_image_is_labeled_with_are_predicted():
    images, _, labels = make_samples(12, n_classes=4)
    labeler = make_labeler().fit(images, labels=labels)
    predicted = labeler.predict(images, labels=labels)
    for mask, label in zip(predicted, labels, strict=True):
        assert set(np.unique(mask)) <= {0, -1, label}
    assert set(np.unique(predicted)) >= {0, 1, 2, 3}
    rotated = labeler.predict(images, labels=np.roll(labels, 1))
    assert not (rotated[labels == 3] > 0).any()


def test_multilabel_masks_are_predicted_class_by_class():
    samples = make_samples(12, n_classes=3)
    masks, labels = indicator(samples, 3)
    masks = [*masks[:2], *[None] * 10]
    labeler = make_labeler().fit(samples.images, masks, labels=labels)
    predicted = labeler.predict(samples.images, labels=labels)
    assert predicted.shape == (12, 2, 16, 16)
    assert not predicted[labels == 0].any()
    assert (predicted[labels == 1] != 0).any((1, 2)).all()
    part = labels.copy()
    part[:, 1] = -1
    part.setflags(write=False)
    assert not labeler.predict(samples.images, labels=part)[labels[:, 0] == 0, 0].any()


def test_given_masks_teach_the_boundaries_themselves(samples):
    seen = {}

    class Spy(IRNetBoundaries):
        def fit(self, X, y):
            seen["masks"] = y
            return super().fit(X, y)

    spy = Spy(encoder="tiny", max_epochs=1, radius=3, stride=2)
    masks = [samples.masks[0], samples.masks[1], *[None] * 10]
    labels = samples.labels.copy()
    labels[4] = labels[5] = -1
    make_labeler(boundaries=spy).fit(samples.images, masks, labels=labels)
    assert len(seen["masks"]) == 10  # two of which nobody said anything
    np.testing.assert_array_equal(seen["masks"][1], samples.masks[1])
    assert not seen["masks"][2].any()  # labeled 0
    assert set(np.unique(seen["masks"][3])) <= {-1, 0, 1}


def test_what_nothing_speaks_for_is_left_open(samples):
    classifier = make_labeler().classifier.fit(samples.images, samples.labels)
    labeler = make_labeler(classifier=FrozenEstimator(classifier))
    labeler.fit(samples.images, samples.masks)
    weight = classifier.network_.head.weight.data
    weight[0], weight[1] = 1, 0
    assert (labeler.predict(samples.images[:1], labels=[1]) == -1).all()


def test_a_frozen_classifier_is_used_as_it_is(samples):
    classifier = ImageClassifier(encoder="tiny", max_epochs=1, random_state=0)
    classifier.fit(samples.images, samples.labels)
    labeler = make_labeler(classifier=FrozenEstimator(classifier)).fit(
        samples.images, samples.masks
    )
    assert labeler.classifier_ is classifier
    theirs = classifier.network_.encoder.state_dict()
    ours = labeler.boundaries_.network_.encoder.state_dict()
    assert all((theirs[name] == ours[name]).all() for name in theirs)
    with pytest.raises(
        ValueError, match=r"has 1 class\(es\) without the background, but .* show 2"
    ):
        labeler.fit(samples.images, labels=[0, 2] * 6)


def test_other_classifiers_are_refused(samples):
    other = LogisticRegression().fit(samples.images.reshape(12, -1), samples.labels)
    with pytest.raises(TypeError, match="expected an ImageClassifier"):
        make_labeler(classifier=FrozenEstimator(other)).fit(samples.images, samples.masks)


def test_boundaries_look_at_the_encoder_of_the_classifier(labeler):
    theirs = labeler.classifier_.network_.encoder.state_dict()
    ours = labeler.boundaries_.network_.encoder.state_dict()
    assert labeler.boundaries_.encoder == "tiny"
    assert all((theirs[name] == ours[name]).all() for name in theirs)


def test_the_classifier_is_kept_once(labeler):
    assert labeler.boundaries_.pretrainer is None
    assert labeler.boundaries_.transferred_["taken"]


def test_refinement_changes_what_the_boundaries_learn(samples, labeler):
    def nothing_is_there(image, probabilities):
        assert image.shape == (24, 24, 3)
        return probabilities * np.array([1, 0])[:, None, None]

    other = make_labeler(refine=nothing_is_there).fit(samples.images, labels=samples.labels)
    before, after = (each.boundaries_.history_["affinity"] for each in (labeler, other))
    assert not np.allclose(before, after)


@pytest.mark.parametrize("labels", [np.ones(12, int), np.zeros(12, int), np.full(12, -1)])
def test_a_classifier_needs_images_of_both_kinds(samples, labels):
    with pytest.raises(
        ValueError, match=r"None of the 12 images is labeled (not )?to show a class"
    ):
        make_labeler().fit(samples.images, labels=labels)


def test_labels_beyond_the_classes(samples, labeler):
    with pytest.raises(ValueError, match="expected ids"):
        labeler.predict(samples.images, labels=np.full(12, 2))


def test_nested_parameters_and_seeds(samples):
    labeler = make_labeler().set_params(boundaries__radius=4, classifier__max_epochs=1)
    first, second = (clone(labeler).fit(samples.images, labels=samples.labels) for _ in range(2))
    np.testing.assert_array_equal(first.predict(samples.images), second.predict(samples.images))
    assert first.boundaries_.radius == 4
    other = clone(labeler).set_params(random_state=1).fit(samples.images, labels=samples.labels)
    assert other.classifier_.random_state != first.classifier_.random_state


def test_save_and_load(tmp_path, samples, labeler):
    save(labeler, tmp_path / "labeler.segclf")
    again = load(tmp_path / "labeler.segclf")
    np.testing.assert_array_equal(again.predict(samples.images), labeler.predict(samples.images))


def test_images_of_several_sizes_in_company_and_alone(labeler):
    images = [each.images[1] for each in (make_samples(size=(24, 24)), make_samples(size=(17, 30)))]
    predicted = labeler.predict(images, labels=[1, 1])
    assert [mask.shape for mask in predicted] == [(24, 24), (17, 30)]
    for image, mask in zip(images, predicted, strict=True):
        np.testing.assert_array_equal(labeler.predict(image[None], labels=[1])[0], mask)
