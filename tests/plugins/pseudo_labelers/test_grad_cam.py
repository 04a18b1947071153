import copy

import numpy as np
import pytest
import torch
from segclf_plugins.pseudo_labelers.grad_cam import GradCAMLabeler
from skimage.filters import threshold_otsu
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils._param_validation import InvalidParameterError
from torch import nn

from segclf import ImageClassifier, SegmentationClassifier, SupervisedSegmenter, load, save
from segclf.data import as_images
from segclf.metrics import best_thresholds, mean_iou
from segclf.testing import plugin_checks

THROUGH_MASKS = SegmentationClassifier(segmenter=SupervisedSegmenter(encoder="tiny", max_epochs=1))


class Looker(nn.Module):
    """Sees each channel's mean as the logit of one class, so that a class's map is its channel."""

    def __init__(self, sureness=1.0):
        super().__init__()
        self.maps = nn.Identity()
        self.sureness = nn.Parameter(torch.tensor(sureness))

    def forward(self, image):
        return self.sureness * self.maps(image).mean((2, 3))


def looking(**parameters):
    return GradCAMLabeler(classifier=Looker(), layer="maps", **parameters)


def tiny(**parameters):
    settings = {"encoder": "tiny", "max_epochs": 1, "learning_rate": 1e-2, "random_state": 0}
    return ImageClassifier(**{**settings, **parameters})


def bright_discs(n, seed, size=48, radius=8):
    """Noise, with a bright disc in every second image."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 100, (n, size, size, 3), dtype=np.uint8)
    rows, columns = np.mgrid[:size, :size]
    masks, labels = np.zeros((n, size, size), dtype=np.uint8), np.arange(n) % 2
    for i in np.flatnonzero(labels):
        row, column = rng.integers(radius, size - radius, 2)
        masks[i] = (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
        images[i][masks[i] == 1] += 100
    return images, masks, labels


@pytest.mark.parametrize("seed", range(3))
def test_finds_the_object_from_image_labels(seed):
    images, masks, labels = bright_discs(40, seed)
    classifier = tiny(max_epochs=15, batch_size=8, learning_rate=3e-3, random_state=seed)
    classifier = FrozenEstimator(classifier.fit(images, labels))
    positive = np.flatnonzero(labels[10:])
    for threshold in ("search", "otsu"):
        labeler = GradCAMLabeler(classifier=classifier, threshold=threshold)
        labeler.fit(images, [*masks[:10], *[None] * 30], labels=labels)
        predicted = labeler.predict(images[10:], labels=labels[10:])
        elsewhere = predicted.copy()
        elsewhere[positive] = predicted[np.roll(positive, 1)]  # as large, in the wrong places
        assert mean_iou(masks[10:], predicted) > 0.25 + mean_iou(masks[10:], elsewhere)


@pytest.mark.parametrize("check", plugin_checks("pseudo_labeler"))
def test_promises_of_a_labeler(check):
    check(GradCAMLabeler(classifier=tiny()))


def test_search_maximizes_the_iou_of_what_is_predicted():
    rng = np.random.default_rng(0)
    masks = rng.integers(-1, 3, (6, 8, 8))
    masks[5] = 0
    images = rng.random((6, 8, 8, 2)) + 0.5 * (masks[..., None] == [1, 2])
    labeler = looking().fit(images, [*masks[:5], None], labels=[-1] * 5 + [1])
    scaled = images / images.max((1, 2), keepdims=True)
    expected = best_thresholds(masks[:5], scaled[:5].transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(labeler.thresholds_, expected)
    assert expected.min() > 0


def test_search_does_not_count_classes_that_images_do_not_show():
    mask = np.array([[1, 1, 0, 0]])
    images = np.array([[[0.9, 0.8, 0.5, 0.1]], [[0.9, 0.9, 0.9, 0.9]]])
    labeler = looking().fit(images, [mask, 0 * mask])
    assert labeler.thresholds_ == [0.6]  # .5 / .9 is .56; the second image would say .95


def test_otsu_is_scikit_image_s():
    images = np.random.default_rng(0).random((9, 9, 7), dtype=np.float32)
    labels = np.ones(9, dtype=int)
    labeler = looking(threshold="otsu", fill_holes=False).fit(images, labels=labels)
    scaled = images / images.max((1, 2), keepdims=True)
    expected = [image > threshold_otsu(image) for image in scaled]
    np.testing.assert_array_equal(labeler.predict(images, labels=labels), expected)
    assert np.isnan(labeler.thresholds_).all()


def test_search_without_masks_is_otsu_and_so_is_a_class_that_they_do_not_show():
    images = np.random.default_rng(0).random((3, 9, 7, 2))
    labels = [1, 2, 0]
    masks = [(images[0, ..., 0] > 0.5).astype(int), None, None]
    some, none = (looking().fit(images, y, labels=labels) for y in (masks, None))
    np.testing.assert_array_equal(np.isnan(some.thresholds_), [False, True])
    np.testing.assert_array_equal(np.isnan(none.thresholds_), [True, True])
    np.testing.assert_array_equal(*(each.predict(images[1:2], labels=[2]) for each in (some, none)))


def test_the_larger_map_wins_and_other_classes_are_not_predicted():
    pixels = np.array([[[[1.0, 0.2], [0.6, 0.8], [0.1, 1.0], [0.2, 0.3]]]])
    images = as_images(pixels, channels="last")
    labeler = looking(threshold=0.5, fill_holes=False).fit(images, labels=[2])
    assert labeler.predict(images, labels=[1]).tolist() == [[[1, 1, 0, 0]]]
    assert labeler.predict(images, labels=[2]).tolist() == [[[0, 2, 2, 0]]]
    assert labeler.predict(images, labels=[0]).tolist() == [[[0, 0, 0, 0]]]
    assert labeler.predict(images, labels=[[1, 1]]).tolist() == [[[1, 2, 2, 0]]]
    labeler.fit(images, labels=[[1, 1]])
    assert labeler.predict(images, labels=[[1, 1]]).tolist() == [[[[1, 1, 0, 0]], [[0, 1, 1, 0]]]]
    assert labeler.predict(images, labels=[[0, 1]]).tolist() == [[[[0, 0, 0, 0]], [[0, 1, 1, 0]]]]


def test_where_nobody_said_the_classifier_decides():
    images = np.array([[[1.0, -0.5]], [[0.5, -1.0]]])  # logits .25 and -.25
    labeler = looking(threshold=0.5).fit(images, labels=[1, 0])
    assert labeler.predict(images).tolist() == [[[1, 0]], [[0, 0]]]
    assert labeler.predict(images, labels=[-1, 1]).tolist() == [[[1, 0]], [[1, 0]]]


def test_a_map_of_zeros_is_no_background():
    images = as_images(np.array([[[[-1.0, 0.5], [-2.0, 0.1]]]]), channels="last")
    labeler = looking(threshold=0.5).fit(images, labels=[2])
    assert labeler.predict(images, labels=[1]).tolist() == [[[-1, -1]]]
    assert labeler.predict(images, labels=[[1, 1]]).tolist() == [[[2, -1]]]
    labeler.fit(images, labels=[[0, 1]])
    assert labeler.predict(images, labels=[[1, 1]]).tolist() == [[[[-1, -1]], [[1, 0]]]]


def test_holes_are_filled():
    ring = np.ones((1, 5, 5))
    ring[0, 2, 2] = 0.1
    ring[0, 0] = 0.1
    predicted = [
        looking(threshold=0.5, fill_holes=fill).fit(ring, labels=[1]).predict(ring, labels=[1])
        for fill in (True, False)
    ]
    np.testing.assert_array_equal(predicted[1][0], ring[0] > 0.5)
    assert np.argwhere(predicted[0] != predicted[1]).tolist() == [[0, 2, 2]]


def test_without_normalization_thresholds_are_those_of_the_maps():
    images = np.array([[[0.2, 0.1, 0.0, 0.0]]])  # the map is a quarter of that
    labeler = looking(threshold=0.03, normalize=False).fit(images, labels=[1])
    assert labeler.predict(images, labels=[1]).tolist() == [[[1, 0, 0, 0]]]
    labeler.set_params(normalize=True)
    assert labeler.predict(images, labels=[1]).tolist() == [[[1, 1, 0, 0]]]


@pytest.mark.parametrize("score", ["logit", "probability"])
def test_the_score_before_and_after_the_sigmoid(score):
    images = np.random.default_rng(0).random((2, 4, 4))
    labeler = looking(score=score, threshold=0.01, normalize=False, fill_holes=False)
    predicted = labeler.fit(images, labels=[1, 1]).predict(images, labels=[1, 1])
    p = 1 / (1 + np.exp(-images.mean((1, 2), keepdims=True)))
    factor = p * (1 - p) if score == "probability" else 1
    np.testing.assert_array_equal(predicted, factor * images / 16 > 0.01)


def test_a_probability_of_one_has_no_map():
    images = np.random.default_rng(0).random((1, 4, 4))
    for score, expected in (("logit", [0, 1]), ("probability", [-1])):
        labeler = GradCAMLabeler(
            classifier=Looker(1e3), layer="maps", score=score, threshold=0.5, fill_holes=False
        )
        predicted = labeler.fit(images, labels=[1]).predict(images, labels=[1])
        assert np.unique(predicted).tolist() == expected


def test_a_torch_module_is_left_as_it_was():
    module = Looker().train()
    module.requires_grad_(False)
    before = copy.deepcopy(module)
    images = np.random.default_rng(0).random((2, 4, 4))
    labeler = GradCAMLabeler(classifier=module, layer="maps")
    labeler.fit(images, labels=[1, 0]).predict(images)
    assert labeler.classifier_ is not module
    assert module.training
    assert module.maps.training
    assert not module.sureness.requires_grad
    assert module.sureness == before.sureness
    assert not module.maps._forward_hooks


def test_a_fitted_classifier_is_used_as_it_is():
    images, masks, labels = bright_discs(8, 0)
    classifier = tiny().fit(images, labels)
    before = copy.deepcopy(classifier.network_.state_dict())
    labeler = GradCAMLabeler(classifier=FrozenEstimator(classifier), random_state=3)
    labeler.set_callbacks(ProgressBar()).fit(images, masks)
    labeler.predict(images)
    assert labeler.classifier_.network_ is classifier.network_
    torch.testing.assert_close(dict(classifier.network_.state_dict()), dict(before))
    assert all(p.requires_grad for p in classifier.network_.parameters())


def test_exclusive_classes_have_the_background_first():
    images, labels = bright_discs(9, 0)[0], np.arange(9) % 3
    classifier = FrozenEstimator(tiny().fit(images, labels))
    weight = classifier.network_.head.weight.data
    weight[0], weight[1], weight[2] = -0.1, torch.arange(64) % 2, (torch.arange(64) + 1) % 2
    labeler = GradCAMLabeler(classifier=classifier, threshold="otsu").fit(images)
    assert labeler.thresholds_.shape == (2,)
    predicted = labeler.predict(images, labels=labels)
    shown = [np.setdiff1d(predicted[labels == c], [-1, 0]).tolist() for c in range(3)]
    assert shown == [[], [1], [2]]
    decided = labeler.predict(images).max((1, 2)) > 0
    np.testing.assert_array_equal(decided, classifier.predict_proba(images)[:, 1:].max(1) > 0.5)


def test_labels_are_derived_from_masks():
    images, masks, _ = bright_discs(8, 0)
    masks[1][masks[1] == 1] = 2
    labeled = [*masks[:6], None, None]
    shown = [[0, 0], [0, 1], [0, 0], [1, 0], [0, 0], [1, 0]]
    labeler = GradCAMLabeler(classifier=tiny(), threshold="otsu")
    found = clone(labeler).fit(images, labeled).classifier_
    expected = tiny().fit(images, [*shown, [-1, -1], [-1, -1]])
    np.testing.assert_array_equal(found.predict_proba(images), expected.predict_proba(images))
    with_labels = clone(labeler).fit(images, labeled, labels=[-1] * 6 + [1, 2]).classifier_
    expected = tiny().fit(images, [*shown, [1, 0], [0, 1]])
    np.testing.assert_array_equal(with_labels.predict_proba(images), expected.predict_proba(images))


def test_the_seed_is_the_classifier_s():
    images, masks, _ = bright_discs(8, 0)
    seeded = [
        GradCAMLabeler(classifier=tiny(random_state=1), random_state=seed).fit(images, masks)
        for seed in (0, 0, 1)
    ]
    first, second, third = (each.classifier_.predict_proba(images) for each in seeded)
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, third)


def test_saved_and_loaded_it_predicts_the_same(tmp_path):
    images, masks, _ = bright_discs(8, 0)
    labeler = GradCAMLabeler(classifier=tiny()).fit(images, masks)
    save(labeler, tmp_path / "labeler.segclf")
    again = load(tmp_path / "labeler.segclf")
    np.testing.assert_array_equal(again.predict(images), labeler.predict(images))


def test_epochs_of_the_classifier_are_shown(capsys):
    images, masks, _ = bright_discs(8, 0)
    GradCAMLabeler(classifier=tiny()).set_callbacks(ProgressBar()).fit(images, masks)
    assert "classifier" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([1, 1, -1, 1], "None of the 4 images is labeled not to show a class"),
        ([0, 0, 0, -1], "None of the 4 images is labeled to show a class"),
        (None, "None of the 4 images is labeled to show a class"),
        ([0, 1, 0], "inconsistent numbers of samples"),
        ([0, -2, 1, 0], "Label 1 is -2; expected whole mask ids"),
    ],
)
def test_labels_that_teach_nothing_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        GradCAMLabeler(classifier=tiny()).fit(np.zeros((4, 8, 8)), labels=labels)


def test_labels_and_masks_that_the_classifier_does_not_know_are_refused():
    images, masks, labels = bright_discs(4, 0)
    with pytest.raises(
        ValueError, match=r"logits of shape \(16, 3\), but masks and labels show 1 class"
    ):
        looking(threshold="search").fit(images, masks)
    frozen = FrozenEstimator(tiny().fit(images, labels))
    with pytest.raises(ValueError, match=r"has 1 class.* labels show 2"):
        GradCAMLabeler(classifier=frozen).fit(images, masks, labels=[0, 1, 2, 0])
    labeler = GradCAMLabeler(classifier=frozen).fit(images, masks)
    with pytest.raises(
        ValueError, match=r"labels .* hold 0 to 2; expected ids \(n,\) from -1 to 1"
    ):
        labeler.predict(images, labels=[0, 1, 2, 0])


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"score": "odds"}, InvalidParameterError, "'score' parameter"),
        ({"threshold": "ght"}, InvalidParameterError, "'threshold' parameter"),
        ({"classifier": "resnet18"}, InvalidParameterError, "'classifier' parameter"),
        ({"layer": "layer9"}, ValueError, "No layer 'layer9' in ClassificationNetwork"),
        ({"classifier": nn.Flatten()}, ValueError, "Flatten has no known layer of maps"),
        ({"classifier": FrozenEstimator(ImageClassifier())}, NotFittedError, "not fitted"),
        ({"classifier": THROUGH_MASKS}, TypeError, "has no network that classifies"),
    ],
)
def test_wrong_parameters_are_refused(wrong, error, message):
    images, masks, _ = bright_discs(4, 0)
    with pytest.raises(error, match=message):
        GradCAMLabeler(**{"classifier": tiny(), **wrong}).fit(images, masks)
