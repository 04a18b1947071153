"""Pseudo labels of volumes, which are trained on as experts' masks are."""

from typing import ClassVar

import numpy as np
import pytest
from segclf_plugins.pseudo_labelers import (
    BoostedLabeler,
    ConsistencyLabeler,
    PretrainedLabeler,
    SelfTrainingLabeler,
)
from segclf_plugins.pseudo_labelers.cuts import best_cuts, cut
from segclf_plugins.pseudo_labelers.pseudo_masks import empty_negatives
from sklearn.frozen import FrozenEstimator

from segclf import (
    PseudoLabelSemiSupervised,
    SegmentationClassifier,
    SliceWise,
    SupervisedSegmenter,
)
from segclf.data import as_masks
from segclf.datasets import make_shapes
from segclf.methods.pseudo_label.pseudo_masks import Selection, heed_label

SETTINGS = {"image_size": 16, "n_objects": 2, "target_radius": 4, "background_radius": 3}
VOLUMES = make_shapes(8, depth=4, random_state=0, **SETTINGS)
X, LABELS = VOLUMES.images, VOLUMES.target
GIVEN = 4
MASKS = [*VOLUMES.masks[:GIVEN], *[None] * (len(X) - GIVEN)]
RANDOM = np.random.default_rng(0)


def small(max_epochs=2, **parameters):
    settings = {"encoder": "tiny3d", "max_epochs": max_epochs, "learning_rate": 1e-2}
    return SupervisedSegmenter(**{**settings, "random_state": 0, **parameters})


def pseudo(labeler, estimator=None, **parameters):
    estimator = small() if estimator is None else estimator
    settings = {"labeler": labeler, "baseline": False, "random_state": 0}
    return PseudoLabelSemiSupervised(estimator, **{**settings, **parameters})


class Recorder(SupervisedSegmenter):
    """Remembers the masks of each fit."""

    seen: ClassVar = []

    def fit(self, X, y=None, *args, **named):
        type(self).seen.append([None if y[n] is None else np.array(y[n]) for n in range(len(X))])
        return super().fit(X, y, *args, **named)


@pytest.mark.parametrize("labeler", [BoostedLabeler(cv=2), "self_training"], ids=str)
def test_volumes_without_a_mask_get_one_and_train(labeler, monkeypatch):
    monkeypatch.setattr(Recorder, "seen", [])
    estimator = Recorder(**small().get_params())
    labels = np.where(np.arange(len(X)) == 5, -1, LABELS)
    segmenter = pseudo(labeler, estimator).fit(X, MASKS, labels=labels)
    used = Recorder.seen[-1]
    for row in range(GIVEN):
        np.testing.assert_array_equal(used[row], VOLUMES.masks[row])
    assert (labels[GIVEN:] == 0).any()
    for row in range(GIVEN, len(X)):
        mask = segmenter.transduction_[row]
        assert mask.shape == (4, 16, 16)
        np.testing.assert_array_equal(used[row] if used[row] is not None else -1, mask)
        assert labels[row] != 0 or not mask.any()
        assert segmenter.labeled_iter_[row] == (0 if labels[row] == 0 else 1)
    assert (np.array(segmenter.transduction_[5]) > 0).any()
    assert segmenter.predict(X).shape == (8, 4, 16, 16)


def test_what_is_compared_is_measured_on_volumes():
    labeler = SelfTrainingLabeler(threshold=None)
    compared = {"baseline": True, "validation_fraction": 0.5}
    segmenter = pseudo(labeler, small(1), **compared).fit(X, MASKS)
    report = segmenter.report_
    assert report["measured"] == "held_out"
    assert 0 <= report["result"] <= 1
    assert 0 <= report["baseline"] <= 1
    labeler = BoostedLabeler(threshold=None)
    classifier = SegmentationClassifier(pseudo(labeler, small(1)), random_state=0)
    assert classifier.fit(X, LABELS, masks=MASKS).predict_masks(X).shape == (8, 4, 16, 16)


def test_classes_that_overlap_and_pixels_of_which_a_teacher_is_sure():
    both = [None if m is None else np.stack([m > 0, m == 0]).astype(int) for m in MASKS]
    labels = np.stack([LABELS, np.full(len(X), -1)], axis=1)
    labeler = BoostedLabeler(threshold=None, min_area=0.001)
    segmenter = pseudo(labeler, small(1), kept_share=0.5).fit(X, both, labels=labels)
    assert segmenter.transduction_.shape == (8, 2, 4, 16, 16)
    assert not segmenter.transduction_[GIVEN:][LABELS[GIVEN:] == 0][:, 0].any()
    assert (segmenter.transduction_[GIVEN:] == -1).any()


def test_slices_teach_volumes_and_are_taught():
    slices = SliceWise(SupervisedSegmenter(encoder="tiny", max_epochs=1))
    taught = pseudo(SelfTrainingLabeler(teacher=slices, threshold=0.3), small(1))
    assert taught.fit(X, MASKS).predict(X).shape == (8, 4, 16, 16)
    labeler = SelfTrainingLabeler(threshold=None)
    sliced = pseudo(labeler, slices, max_iter=2).fit(X, MASKS, labels=LABELS)
    assert sliced.n_iter_ >= 1
    assert sliced.predict(X).shape == (8, 4, 16, 16)


def test_a_fitted_segmenter_of_volumes_labels_them():
    fitted = FrozenEstimator(small(1).fit(X, VOLUMES.masks))
    segmenter = pseudo(PretrainedLabeler(segmenter=fitted), small(1)).fit(X, MASKS, labels=LABELS)
    expected = fitted.predict(X)[GIVEN:][LABELS[GIVEN:] != 0]
    found = np.array(segmenter.transduction_[GIVEN:])[LABELS[GIVEN:] != 0]
    shown = expected.any(axis=(1, 2, 3))
    np.testing.assert_array_equal(found[shown], expected[shown])


@pytest.mark.parametrize(
    "labeler", ["grad_cam", "irnet", "thresholder", "pretrained", ConsistencyLabeler()]
)
def test_labelers_of_images_are_refused_by_name(labeler):
    with pytest.raises(ValueError, match=r"Labeler reads images, and SupervisedSegmenter volumes"):
        pseudo(labeler).fit(X, MASKS, labels=LABELS)


def test_teachers_of_the_other_kind_are_refused_by_name():
    images = SupervisedSegmenter(encoder="tiny")
    with pytest.raises(ValueError, match=r"reads volumes, but SupervisedSegmenter, the teacher"):
        pseudo(BoostedLabeler(teacher=images)).fit(X, MASKS, labels=LABELS)
    with pytest.raises(ValueError, match="reads images, but SliceWise, the teacher"):
        pseudo(BoostedLabeler(teacher=SliceWise(images)), images).fit(X[:, 0], None, labels=LABELS)


def planes(volume, first=0):
    """Lay slices on top of each other: an image of the same pixels."""
    return volume.reshape(*volume.shape[:first], -1, volume.shape[-1])


def test_volumes_are_cut_as_images_of_the_same_pixels_are():
    maps = RANDOM.random((3, 4, 5, 6))
    for cuts in (None, np.array([0.3, 0.6]), np.array([0.4])):
        for margin in (None, 0.1):
            ids = cut(maps, cuts, margin, multilabel=False)
            expected = cut(planes(maps, 1), cuts, margin, multilabel=False)
            np.testing.assert_array_equal(planes(ids), expected)
    channels = cut(maps, np.array([0.3, 0.6, 0.2]), 0.1, multilabel=True)
    expected = cut(planes(maps, 1), np.array([0.3, 0.6, 0.2]), 0.1, multilabel=True)
    np.testing.assert_array_equal(planes(channels, 1), expected)
    ids = RANDOM.integers(-1, 3, (2, 4, 5, 6))
    of_volumes = as_masks(ids, 2, n_classes=3, n_spatial=3)
    of_images = as_masks(planes(ids, 1), 2, n_classes=3)
    flat = {0: planes(maps, 1), 1: planes(maps, 1)[:, ::-1]}
    whole = {row: each.reshape(maps.shape) for row, each in flat.items()}
    np.testing.assert_array_equal(best_cuts(of_volumes, whole), best_cuts(of_images, flat))


@pytest.mark.parametrize("change", [heed_label, empty_negatives])
def test_labels_correct_volumes_as_images_of_the_same_pixels(change):
    ids = RANDOM.integers(-1, 2, (4, 5, 6))
    for label in (0, 1, 2):
        found = change(ids, np.int64(label))
        np.testing.assert_array_equal(planes(found), change(planes(ids), np.int64(label)))
    channels = np.stack([ids, np.abs(ids), 0 * ids])
    for label in ([0, 1, 1], [1, -1, 0]):
        found = change(channels, np.array(label))
        expected = change(planes(channels, 1), np.array(label))
        np.testing.assert_array_equal(planes(found, 1), expected)


@pytest.mark.parametrize("balanced", [True, False])
def test_pixels_of_volumes_are_trusted_as_those_of_images(balanced):
    selection = Selection(min_confidence=0.2, kept_share=0.5, class_balanced=balanced)
    ids = list(RANDOM.integers(-1, 3, (2, 4, 5, 6)))
    maps = list(RANDOM.random((2, 3, 4, 5, 6)))
    channels = list(RANDOM.integers(-1, 2, (2, 3, 4, 5, 6)))
    for masks, first in ((ids, 0), (channels, 1)):
        flat = [planes(mask, first) for mask in masks], [planes(each, 1) for each in maps]
        for found, expected in zip(
            selection.apply(masks, maps), selection.apply(*flat), strict=True
        ):
            np.testing.assert_array_equal(planes(found, first), expected)
