"""Is there a fracture in any vertebra? Masks have a channel for each, labels say yes or no."""

import numpy as np
import pytest
from torch import nn

from segclf import (
    MaskScorer,
    SegmentationClassifier,
    SupervisedSegmenter,
    load,
    load_plugin,
    save,
)
from segclf.base import ContradictionWarning
from segclf.data import as_masks
from segclf.datasets import make_shapes
from segclf.methods.segmentation.reading import Reading
from segclf.methods.segmentation.united import united_reading, united_shares

SHAPES = make_shapes(24, image_size=16, n_objects=2, target_radius=4, random_state=0)
X, Y = SHAPES.images, SHAPES.target
# The left half is one vertebra, the right half two.
LEFT = np.arange(16) < 8
PARTS = np.stack([LEFT, ~LEFT & (np.arange(16) < 12), np.arange(16) >= 12])[:, None]
MASKS = SHAPES.masks[:, None].astype(int) * PARTS
SETTINGS = {"max_epochs": 3, "learning_rate": 1e-2, "random_state": 0}


def plain(in_channels, n_classes):
    return nn.Sequential(
        nn.Conv2d(in_channels, 8, 5, padding=2), nn.ReLU(), nn.Conv2d(8, n_classes, 1)
    )


def classifier(summarizer="threshold", **changes):
    segmenter = SupervisedSegmenter(architecture=plain, **SETTINGS)
    return SegmentationClassifier(segmenter=segmenter, summarizer=summarizer, **changes)


def test_the_segmenter_has_the_channels_and_the_summarizer_their_highest():
    fitted = classifier().fit(X, Y, masks=MASKS)
    alone = SupervisedSegmenter(architecture=plain, **SETTINGS)
    indicator = np.where(Y == 0, 0, -1)[:, None].repeat(3, axis=1)
    maps = alone.fit(X, MASKS, labels=indicator).predict_proba(X)
    np.testing.assert_array_equal(fitted.predict_mask_proba(X), maps)
    assert fitted.predict_masks(X).shape == MASKS.shape
    areas = MASKS.any(axis=1).mean(axis=(1, 2))[:, None]
    summarizer = load_plugin("summarizer", "threshold")()
    expected = summarizer.fit(maps.max(axis=1, keepdims=True), Y, areas=areas)
    assert fitted.summarizer_.min_area_ == expected.min_area_
    probabilities, masks = fitted._predict_with_masks(X)
    for found in (fitted.predict_proba(X), probabilities):
        np.testing.assert_allclose(found, expected.predict_proba(maps.max(axis=1, keepdims=True)))
    np.testing.assert_array_equal(masks, fitted.predict_masks(X))


@pytest.mark.parametrize("summarizer", ["joint", "pooled", "tuned_threshold", "fully_connected"])
def test_any_summarizer(summarizer, tmp_path):
    fitted = classifier(summarizer, cv=2).fit(X, Y, masks=MASKS)
    found = fitted.predict_proba(X)
    assert found.shape == (24, 2)
    save(fitted, tmp_path / "classifier.safetensors")
    np.testing.assert_array_equal(
        load(tmp_path / "classifier.safetensors", trusted=[plain]).predict_proba(X), found
    )


def test_it_finds_what_is_in_any_channel():
    fitted = classifier(cv=None).set_params(segmenter__max_epochs=60).fit(X, Y, masks=MASKS)
    assert (fitted.predict(X) == Y).mean() > 0.9


def test_negative_images_are_free_and_positive_ones_teach_the_summarizer():
    known = (Y == 1) & (np.arange(24) % 2 == 1)
    masks = [mask if row else None for mask, row in zip(MASKS, known, strict=True)]
    fitted = classifier("pooled", cv=2).fit(X, Y, masks=masks)
    kept = known | (Y == 0)
    given = MASKS * known[:, None, None, None]
    alone = SupervisedSegmenter(architecture=plain, **SETTINGS)
    alone.fit(X[kept], given[kept])
    np.testing.assert_allclose(
        fitted.predict_mask_proba(X), alone.predict_proba(X), rtol=1e-5, atol=1e-6
    )
    assert fitted.predict_proba(X).shape == (24, 2)


def test_names_and_the_class_that_shows_nothing():
    names = np.array(["well", "fracture"])
    fitted = classifier().fit(X, names[Y], masks=MASKS)
    assert fitted.negative_class_ == "well"
    expected = classifier().fit(X, Y, masks=MASKS).predict_proba(X)
    np.testing.assert_array_equal(fitted.predict_proba(X)[:, ::-1], expected)
    with pytest.raises(ValueError, match="negative_class=None, but masks have 3 channels"):
        classifier(negative_class=None).fit(X, Y, masks=MASKS)


def test_labels_that_masks_contradict():
    labels = Y.copy()
    labels[np.flatnonzero(Y == 1)[0]] = 0
    with pytest.warns(ContradictionWarning, match="its mask shows something"):
        classifier().fit(X, labels, masks=MASKS)
    with pytest.raises(ValueError, match="as labels say"):
        classifier(negative_class=0).fit(X, 1 - Y, masks=MASKS)


def test_a_validation_set_and_a_scorer():
    fitted = classifier().fit(X, Y, masks=MASKS, X_val=X[:8], y_val=Y[:8], masks_val=MASKS[:8])
    assert "validation_loss" in fitted.segmenter_.history_
    assert 0 <= MaskScorer()(fitted, X, Y, masks=MASKS) <= 1


def test_shares_of_all_channels():
    masks = np.zeros((3, 2, 2, 4), int)
    masks[0, 0, 0, :2] = masks[0, 1, 0, 1:3] = 1  # 3 of 8 pixels
    masks[1, 1, 0, 0], masks[1, 0] = 1, -1  # of the others nobody knows
    masks[2] = -1
    shares = united_shares(as_masks([*masks, None], 4))
    np.testing.assert_array_equal(shares[:, 0], [3 / 8, 1.0, np.nan, np.nan])


def test_maps_of_several_sizes():
    maps = [np.random.default_rng(0).random((2, 4, side)) for side in (3, 5)]
    found = united_reading(Reading(maps)).maps
    for each, given in zip(found, maps, strict=True):
        np.testing.assert_array_equal(each, np.maximum(given[0], given[1])[None])
