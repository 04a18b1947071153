"""What `predict` makes of masks: `post_processing`."""

import numpy as np
import pytest
from torch import nn

from segclf import DistilledSegmenter, SegmentationClassifier, SupervisedSegmenter, load, save
from segclf.base import maps
from segclf.data import MaskCleaner

IMAGES = np.random.default_rng(0).random((5, 24, 24, 3), dtype=np.float32)
MASKS = (IMAGES[..., 0] > 0.5).astype(int)
LABELS = np.arange(5) % 2
SIZES = [*IMAGES[:2], *IMAGES[2:, :20]]
CLEANER = MaskCleaner(fill_holes=True, min_size=3, largest=True)


def by_pixel(in_channels, n_classes):
    """Of noise its masks are noise, where there is something to clean."""
    return nn.Conv2d(in_channels, n_classes, 1)


SMALL = {"architecture": by_pixel, "max_epochs": 20, "learning_rate": 0.1, "random_state": 0}


@pytest.fixture(scope="module")
def segmenter():
    return SupervisedSegmenter(**SMALL).fit(IMAGES, MASKS)


def test_predicted_masks_are_cleaned_and_probabilities_are_not(segmenter):
    segmenter.set_params(post_processing=None)
    plain, probabilities = segmenter.predict(IMAGES), segmenter.predict_proba(IMAGES)
    segmenter.set_params(post_processing=CLEANER)
    found = segmenter.predict(IMAGES)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, [CLEANER(mask) for mask in plain])
    assert not np.array_equal(found, plain)
    np.testing.assert_array_equal(segmenter.predict_proba(IMAGES), probabilities)


def test_masks_of_several_sizes_and_any_function(segmenter):
    segmenter.set_params(post_processing=None)
    plain = segmenter.predict(SIZES)
    found = segmenter.set_params(post_processing=lambda mask: 1 - mask).predict(SIZES)
    for one, mask in zip(found, plain, strict=True):
        np.testing.assert_array_equal(one, 1 - mask)


def test_channels_of_multilabel_masks_are_cleaned_one_by_one():
    channels = np.stack([MASKS, 1 - MASKS], axis=1)
    segmenter = SupervisedSegmenter(**SMALL).fit(IMAGES, channels)
    plain = segmenter.predict(IMAGES)
    found = segmenter.set_params(post_processing=CLEANER).predict(IMAGES)
    np.testing.assert_array_equal(found, [[CLEANER(c) for c in mask] for mask in plain])


def test_classifiers_show_clean_masks_and_keep_their_labels():
    def fitted(**changes):
        segmenter = SupervisedSegmenter(**SMALL, **changes)
        classifier = SegmentationClassifier(segmenter=segmenter, random_state=0)
        return classifier.fit(IMAGES, LABELS, masks=MASKS * LABELS[:, None, None])

    plain, clean = fitted(), fitted(post_processing=CLEANER)
    expected = [CLEANER(mask) for mask in plain.predict_masks(IMAGES)]
    np.testing.assert_array_equal(clean.predict_masks(IMAGES), expected)
    np.testing.assert_array_equal(clean._predict_with_masks(IMAGES)[1], expected)
    np.testing.assert_array_equal(clean.predict_proba(IMAGES), plain.predict_proba(IMAGES))


def test_a_student_cleans_as_its_teacher():
    teacher = SupervisedSegmenter(**SMALL, post_processing=CLEANER)
    student = DistilledSegmenter(teacher=teacher, on="all", random_state=0).fit(IMAGES, MASKS)
    plain = student.predict_proba(IMAGES).argmax(axis=1).astype(np.uint8)
    np.testing.assert_array_equal(student.predict(IMAGES), [CLEANER(mask) for mask in plain])


def test_it_is_saved(tmp_path):
    segmenter = SupervisedSegmenter(encoder="tiny", max_epochs=1, post_processing=CLEANER)
    expected = segmenter.fit(IMAGES, MASKS).predict(IMAGES)
    save(segmenter, tmp_path / "segmenter")
    loaded = load(tmp_path / "segmenter")
    assert loaded.post_processing.get_params() == CLEANER.get_params()
    np.testing.assert_array_equal(loaded.predict(IMAGES), expected)


@pytest.mark.parametrize("function", [lambda mask: mask[1:], lambda mask: mask - 1.5])
def test_what_is_no_mask_any_more_is_refused(segmenter, function):
    segmenter.set_params(post_processing=function)
    with pytest.raises(ValueError, match="expected the same shape, with ids of 0 or more"):
        segmenter.predict(IMAGES)


def test_maps_that_do_not_fit_are_refused_before_all_are_predicted(segmenter, monkeypatch):
    segmenter.set_params(post_processing=None)
    expected = segmenter.predict_proba(SIZES)
    n_bytes = sum(each.nbytes for each in expected)
    monkeypatch.setattr(maps, "CHECKED_BYTES", n_bytes)
    monkeypatch.setattr(maps, "available_memory", lambda: n_bytes)
    for found, own in zip(segmenter.predict_proba(SIZES), expected, strict=True):
        np.testing.assert_array_equal(found, own)
    monkeypatch.setattr(maps, "available_memory", lambda: n_bytes - 1)
    with pytest.raises(MemoryError, match=f"5 images take {n_bytes:,} bytes.*_batches"):
        segmenter.predict_proba(SIZES)
    segmenter.predict(SIZES)  # a mask takes an eighth
    monkeypatch.setattr(maps, "available_memory", lambda: None)  # where nobody knows
    segmenter.predict_proba(SIZES)


def test_maps_of_volumes_are_measured_by_their_voxels(monkeypatch):
    volumes = np.random.default_rng(0).random((4, 3, 16, 16), dtype=np.float32)
    segmenter = SupervisedSegmenter(architecture="unet3d", encoder="tiny3d", max_epochs=1)
    segmenter.fit(volumes, (volumes > 0.5).astype(int))
    n_bytes = segmenter.predict_proba(volumes).nbytes
    monkeypatch.setattr(maps, "CHECKED_BYTES", n_bytes)
    monkeypatch.setattr(maps, "available_memory", lambda: n_bytes)
    assert segmenter.predict_proba(volumes).nbytes == n_bytes
    monkeypatch.setattr(maps, "available_memory", lambda: n_bytes - 1)
    with pytest.raises(MemoryError, match=f"4 volumes take {n_bytes:,} bytes"):
        segmenter.predict_proba(volumes)
