import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from segclf import (
    ImageClassifier,
    MultitaskClassifier,
    PretrainedEncoder,
    SegmentationClassifier,
    SupervisedSegmenter,
    query,
)
from segclf.datasets import make_shapes

SHAPES = make_shapes(24, image_size=16, n_objects=2, random_state=0)
SMALL = {"encoder": "tiny", "max_epochs": 1, "random_state": 0}


class Pixels(BaseEstimator):
    """Embeds an image as its first two pixels."""

    def transform(self, X):
        return np.asarray(X, dtype=float).reshape(len(X), -1)[:, :2]


class Given(ClassifierMixin, BaseEstimator):
    """Predicts for image i, a constant i, the i-th probabilities of label and pixels."""

    def __init__(self, proba, maps=None, multilabel=False):
        self.proba, self.maps, self.multilabel = proba, maps, multilabel
        self.multilabel_ = multilabel

    def __getattr__(self, name):
        if name == "predict_mask_proba" and self.__dict__.get("maps") is not None:
            return lambda X: self.maps[X[:, 0, 0]]
        raise AttributeError(name)

    def predict_proba(self, X):
        return self.proba[X[:, 0, 0]]


def numbered(n):
    return np.broadcast_to(np.arange(n)[:, None, None], (n, 4, 4)).copy()


def of_positive(*p):
    return np.stack([1 - np.array(p), p], axis=1)


def test_the_most_uncertain_first():
    chosen = query(Given(of_positive(0.1, 0.5, 0.8, 0.99)), numbered(4), 3, diversity=0)
    assert chosen.tolist() == [1, 2, 0]
    of_several = np.array([[0.1, 0.9], [0.45, 0.0], [0.3, 0.3]])
    chosen = query(Given(of_several, multilabel=True), numbered(3), 3, diversity=0)
    assert chosen.tolist() == [1, 2, 0]


def test_small_findings_count_as_much_as_large_ones_and_background_does_not():
    finding = np.full((4, 4, 4), 0.02)
    finding[0, :2, :2] = 0.99  # sure, and large
    finding[1, 0, 0] = 0.4  # unsure, and small
    finding[2] = 0.1  # nothing, and not quite sure
    maps = np.stack([1 - finding, finding], axis=1)
    same = of_positive(*[0.3] * 4)
    assert query(Given(same, maps), numbered(4), 4, diversity=0).tolist() == [1, 2, 3, 0]
    channels = np.stack([np.zeros_like(finding), finding], axis=1)
    labels = Given(same, channels, multilabel=True)
    assert query(labels, numbered(4), 4, diversity=0).tolist() == [1, 2, 3, 0]


def test_labels_and_masks_count_alike():
    flat = np.full((3, 4, 4), 0.5)
    flat[0] = flat[2] = 0
    maps = np.stack([1 - flat, flat], axis=1)
    chosen = query(Given(of_positive(0.5, 0.5, 0.0), maps), numbered(3), 3, diversity=0)
    assert chosen.tolist() == [1, 0, 2]


def test_near_duplicates_wait():
    """Four images alike are the most uncertain, then come two others."""
    images, corners = numbered(6), Pixels()
    corners.transform = lambda X: np.array([[1.0, 0]] * 4 + [[0, 1], [-1, -1]])[X[:, 0, 0]]
    classifier = Given(of_positive(0.5, 0.49, 0.48, 0.47, 0.4, 0.35))
    assert query(classifier, images, 3, diversity=0).tolist() == [0, 1, 2]
    assert set(query(classifier, images, 3, encoder=corners)) == {0, 4, 5}
    assert query(classifier, images, 6, encoder=corners)[0] == 0
    assert sorted(query(classifier, images, 6, diversity=1, encoder=corners)) == list(range(6))


def test_images_far_from_uncertain_are_no_candidates():
    proba = of_positive(*np.linspace(0.5, 0.01, 60))
    far = Pixels()
    far.transform = lambda X: np.eye(60)[X[:, 0, 0]]
    assert query(Given(proba), numbered(60), 3, diversity=1, encoder=far).max() < 30


@pytest.mark.parametrize(
    "estimator",
    [
        ImageClassifier(**SMALL),
        MultitaskClassifier(**SMALL),
        SegmentationClassifier(segmenter=SupervisedSegmenter(**SMALL)),
        SupervisedSegmenter(**SMALL),
    ],
    ids=lambda e: type(e).__name__,
)
def test_our_estimators(estimator):
    X, y, masks = SHAPES.images, SHAPES.target, SHAPES.masks
    if isinstance(estimator, SupervisedSegmenter):
        estimator.fit(X[:8], masks[:8])
    elif isinstance(estimator, ImageClassifier):
        estimator.fit(X[:8], y[:8])
    else:
        estimator.fit(X[:8], y[:8], masks=masks[:8])
    chosen = query(estimator, X[8:], 5)
    assert len(set(chosen)) == 5
    assert set(chosen) <= set(range(16))
    assert chosen.tolist() == query(estimator, list(X[8:]), 5).tolist()
    assert chosen[0] == query(estimator, X[8:], 1)[0]


def test_a_pipeline_needs_an_encoder():
    encoder = PretrainedEncoder(encoder="tiny", encoder_weights=None, random_state=0)
    probe = make_pipeline(encoder, LogisticRegression()).fit(SHAPES.images, SHAPES.target)
    with pytest.raises(TypeError, match="cannot embed images"):
        query(probe, SHAPES.images, 3)
    assert query(probe, SHAPES.images, 3, encoder=probe[0]).shape == (3,)


@pytest.mark.parametrize(
    ("n", "changed", "words"),
    [
        (0, {}, "from 1 to the number of images, 4; got 0"),
        (5, {}, "from 1 to the number of images, 4; got 5"),
        (2, {"diversity": 1.5}, "from 0 to 1, got 1.5"),
    ],
)
def test_refusals(n, changed, words):
    with pytest.raises(ValueError, match=words):
        query(Given(of_positive(*[0.5] * 4)), numbered(4), n, **changed)
