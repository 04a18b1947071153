"""Segmenters that are searches, pipelines or anything with fit and predict_proba."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.callback import ProgressBar
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from segclf import SegmentationClassifier, SupervisedSegmenter
from segclf.datasets import make_shapes

SHAPES = make_shapes(12, image_size=16, n_objects=2, target_radius=4, random_state=0)
X, Y, MASKS = SHAPES.images, SHAPES.target, SHAPES.masks


def tiny(**changes):
    return SupervisedSegmenter(encoder="tiny", max_epochs=2, learning_rate=1e-2, **changes)


class Bright(BaseEstimator):
    """What is brighter than the mean of the background's; of one channel, or of two."""

    n_channels = 2

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y):
        assert isinstance(y, np.ndarray), "masks come as they were passed"
        self.limit_ = X[y == 0].mean()
        return self

    def predict_proba(self, X):
        bright = (X.mean(axis=-1) > self.limit_).astype(float)
        return np.stack([1 - bright, bright][-self.n_channels :], axis=1)


SEGMENTERS = {
    "pipeline": lambda: make_pipeline(FunctionTransformer(), tiny()),
    "search": lambda: GridSearchCV(tiny(), {"learning_rate": [1e-2]}, cv=2),
    "own": Bright,
}


@pytest.mark.parametrize("cv", [None, 2])
@pytest.mark.parametrize("kind", SEGMENTERS)
def test_it_works_through_predict_proba(kind, cv):
    classifier = SegmentationClassifier(
        segmenter=SEGMENTERS[kind](), summarizer=LogisticRegression(), cv=cv, random_state=0
    )
    fitted = classifier.fit(X, Y, masks=MASKS)
    proba = fitted.predict_proba(X)
    assert proba.shape == (12, 2)
    maps = np.asarray(fitted.segmenter_.predict_proba(X))[:, 1].reshape(12, -1)
    np.testing.assert_allclose(proba, fitted.summarizer_.predict_proba(maps), rtol=1e-6)
    masks = fitted.predict_masks(X)
    assert masks.shape == MASKS.shape
    np.testing.assert_array_equal(masks, fitted.predict_mask_proba(X).argmax(1))


@pytest.mark.parametrize("kind", ["pipeline", "search"])
def test_it_is_seeded_and_given_labels(kind):
    labels = np.where(np.arange(12) < 8, Y, -1)
    masks = [mask if i % 2 else None for i, mask in enumerate(MASKS)]

    by_area = {"summarizer": "threshold", "random_state": 0}

    def predicted():
        classifier = SegmentationClassifier(segmenter=SEGMENTERS[kind](), **by_area)
        return classifier.fit(X, labels, masks=masks).predict_proba(X)

    np.testing.assert_array_equal(predicted(), predicted())
    plain = SegmentationClassifier(segmenter=tiny(), **by_area)
    if kind == "pipeline":
        np.testing.assert_array_equal(
            predicted(), plain.fit(X, labels, masks=masks).predict_proba(X)
        )


def test_its_fit_is_a_task():
    classifier = SegmentationClassifier(segmenter=Bright()).set_callbacks(ProgressBar())
    classifier.fit(X, Y, masks=MASKS)


@pytest.mark.parametrize("kind", SEGMENTERS)
def test_a_layer_that_it_has_not_is_refused_before_training(kind, monkeypatch):
    for each in (SupervisedSegmenter, Bright):
        monkeypatch.setattr(each, "fit", lambda *_, **__: pytest.fail("it trains"))
    classifier = SegmentationClassifier(segmenter=SEGMENTERS[kind](), summarizer="embedding")
    with pytest.raises(ValueError, match=r"reads the layer 'deep' .* does not provide; expected"):
        classifier.fit(X, Y, masks=MASKS)


def test_maps_of_too_few_classes_are_an_error(monkeypatch):
    monkeypatch.setattr(Bright, "n_channels", 1)
    with pytest.raises(ValueError, match=r"shape \(1, 16, 16\) .*expected \(2 or more, height"):
        SegmentationClassifier(segmenter=Bright()).fit(X, Y, masks=MASKS)
