"""`ensemble=True`: the segmenters of the folds answer together."""

import pickle

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression

from segclf import SegmentationClassifier, SupervisedSegmenter, load, load_plugin, save
from segclf.base import Segmenter, SegmenterEnsemble
from segclf.base.supervision import supervise
from segclf.data import MaskCleaner
from segclf.datasets import make_shapes

SHAPES = make_shapes(12, image_size=16, n_objects=2, target_radius=4, random_state=0)
X, Y, MASKS = SHAPES.images, SHAPES.target, SHAPES.masks
TINY = {"encoder": "tiny", "max_epochs": 1, "learning_rate": 1e-2, "random_state": 3}


def classifier(**changes):
    settings = {"segmenter": SupervisedSegmenter(**TINY), "cv": 2, "ensemble": True}
    return SegmentationClassifier(**{**settings, **changes})


@pytest.fixture
def trained(monkeypatch):
    """The images of each segmenter that is trained."""
    fits = []
    learn = SupervisedSegmenter._learn

    def counted(self, samples, **how):
        fits.append([image.tobytes() for image in samples.images.take(np.arange(len(samples)))])
        learn(self, samples, **how)

    monkeypatch.setattr(SupervisedSegmenter, "_learn", counted)
    return fits


def folds(y=Y, groups=None):
    return supervise(X, labels=y, groups=groups).folds(2)


def test_masks_are_the_mean_over_the_segmenters_of_the_folds(trained):
    fitted = classifier().fit(X, Y, masks=MASKS)
    assert len(trained) == 2
    alone = [
        SupervisedSegmenter(**TINY).fit(X[rows], MASKS[rows], labels=Y[rows]).predict_proba(X)
        for rows, _ in folds()
    ]
    assert np.abs(alone[0] - alone[1]).max() > 1e-3
    expected = np.mean(alone, axis=0)
    assert isinstance(fitted.segmenter_, SegmenterEnsemble)
    assert isinstance(fitted.segmenter_, Segmenter)
    assert len(fitted.segmenter_.segmenters_) == 2
    np.testing.assert_allclose(fitted.predict_mask_proba(X), expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(fitted.predict_masks(X), expected.argmax(axis=1))
    probabilities, masks = fitted._predict_with_masks(X)
    np.testing.assert_array_equal(masks, fitted.predict_masks(X))
    np.testing.assert_allclose(probabilities, fitted.predict_proba(X), rtol=0, atol=1e-6)


def test_summarizers_learn_out_of_fold_and_read_the_mean():
    """What is learned is what is learned without an ensemble."""
    alone, together = (
        classifier(ensemble=ensemble, summarizer="pooled").fit(X, Y, masks=MASKS)
        for ensemble in (False, True)
    )
    mean = together.predict_mask_proba(X)[:, 1:]
    for summarizer in (together.summarizer_, alone.summarizer_):
        expected = summarizer.predict_proba(mean)
        np.testing.assert_allclose(together.predict_proba(X), expected, rtol=0, atol=1e-6)


def test_whole_groups_are_in_a_fold(trained):
    groups = np.arange(12) // 2
    classifier().fit(X, Y, masks=MASKS, groups=groups)
    place = {
        image.tobytes(): group for image, group in zip(X.astype(np.uint8), groups, strict=True)
    }
    seen = [{place[image] for image in images} for images in trained]
    assert len(seen[0] | seen[1]) == 6
    assert not seen[0] & seen[1]


def test_memory_finds_the_segmenters_and_their_maps_again(trained, tmp_path, monkeypatch):
    def fitted(**changes):
        return classifier(memory=tmp_path, **changes).fit(X, Y, masks=MASKS)

    first = fitted()
    expected = first.predict_proba(X)
    assert len(trained) == 2
    again = fitted()
    np.testing.assert_array_equal(again.predict_proba(X), expected)
    np.testing.assert_array_equal(again.predict_masks(X), first.predict_masks(X))
    fitted(summarizer="pooled")
    assert len(trained) == 2
    fitted(ensemble=False, summarizer="pooled")  # one more, of all images
    assert len(trained) == 3
    np.testing.assert_array_equal(classifier().fit(X, Y, masks=MASKS).predict_proba(X), expected)
    monkeypatch.setattr(Segmenter, "predict_proba_batches", lambda *_: pytest.fail("predicts"))
    for each in (first, again, fitted()):
        np.testing.assert_array_equal(each.predict_proba(X), expected)


def test_it_is_saved_pickled_and_cloned(tmp_path):
    fitted = classifier(summarizer="pooled").fit(X, Y, masks=MASKS)
    expected = fitted.predict_proba(X), fitted.predict_masks(X)
    save(fitted, tmp_path / "classifier")
    for copy in (load(tmp_path / "classifier"), pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(copy.predict_proba(X), expected[0])
        np.testing.assert_array_equal(copy.predict_masks(X), expected[1])
    assert clone(fitted).ensemble


def test_multilabel_masks_of_several_sizes():
    images = [*X[:6], *X[6:, :12]]
    masks = [np.stack([m, 1 - m]) for m in (*MASKS[:6], *MASKS[6:, :12])]
    labels = np.stack([Y, np.arange(12) % 2], axis=1)
    masks = [
        np.where(row[:, None, None] == 1, mask, 0) for row, mask in zip(labels, masks, strict=True)
    ]
    segmenter = SupervisedSegmenter(**TINY, image_size=16)
    fitted = classifier(segmenter=segmenter).fit(images, labels, masks=masks)
    assert fitted.predict_proba(images).shape == (12, 2)
    found = fitted.predict_mask_proba(images)
    assert [each.shape for each in found[5:7]] == [(2, 16, 16), (2, 12, 16)]
    members = [each.predict_proba(images) for each in fitted.segmenter_.segmenters_]
    for one, *parts in zip(found, *members, strict=True):
        np.testing.assert_allclose(one, np.mean(parts, axis=0), rtol=0, atol=1e-6)
    for mask, maps in zip(fitted.predict_masks(images), found, strict=True):
        np.testing.assert_array_equal(mask, maps >= 0.5)


def test_masks_are_cleaned_after_the_mean():
    cleaner = MaskCleaner(fill_holes=True, largest=True, min_size=3)
    segmenter = SupervisedSegmenter(**TINY, post_processing=cleaner)
    fitted = classifier(segmenter=segmenter).fit(X, Y, masks=MASKS)
    mean = fitted.predict_mask_proba(X).argmax(axis=1).astype(np.uint8)
    np.testing.assert_array_equal(fitted.predict_masks(X), [cleaner(mask) for mask in mean])


class Bright(BaseEstimator):
    """A segmenter of another library: brighter than what it saw."""

    def fit(self, X, y):
        self.level_ = np.mean(X)
        return self

    def predict_proba(self, X):
        bright = 1 / (1 + np.exp(-(np.asarray(X, dtype=float).mean(axis=-1) - self.level_)))
        return np.stack([1 - bright, bright], axis=1)


def test_segmenters_of_other_libraries():
    fitted = classifier(segmenter=Bright(), summarizer=LogisticRegression()).fit(X, Y, masks=MASKS)
    levels = [np.mean(X[rows]) for rows, _ in folds()]
    assert [each.level_ for each in fitted.segmenter_.segmenters_] == levels
    expected = np.mean([each.predict_proba(X) for each in fitted.segmenter_.segmenters_], axis=0)
    np.testing.assert_allclose(fitted.predict_mask_proba(X), expected)
    np.testing.assert_array_equal(fitted.predict_masks(X), expected.argmax(axis=1))


def test_what_an_ensemble_cannot_be():
    with pytest.raises(ValueError, match="cv=None has none; expected a number of folds"):
        classifier(cv=None).fit(X, Y, masks=MASKS)
    layer = load_plugin("summarizer", "embedding")()
    with pytest.raises(ValueError, match="reads the layer 'deep' of one segmenter, but ensemble"):
        classifier(summarizer=layer).fit(X, Y, masks=MASKS)
