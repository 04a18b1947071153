"""Displays and reports ask for all that is predicted by one pass over the images."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from segclf import (
    ImageClassifier,
    MultitaskClassifier,
    PseudoLabelSemiSupervised,
    SegmentationClassifier,
    SupervisedSegmenter,
    report,
)
from segclf.datasets import make_shapes
from segclf.displays import ErrorMapDisplay, MaskDisplay, SaliencyDisplay, SummarizerDisplay
from segclf.displays.predictions import predict_once

SHAPES = make_shapes(8, image_size=32, n_objects=3, target_radius=6, random_state=0)
X, Y, MASKS = SHAPES.images, SHAPES.target, SHAPES.masks
QUICK = {"encoder": "tiny", "max_epochs": 1, "batch_size": 16, "random_state": 0}
SEGMENTER = SupervisedSegmenter(**QUICK)


def through_masks(**parameters):
    return SegmentationClassifier(**{"segmenter": SEGMENTER, **parameters}).fit(X, Y, masks=MASKS)


@pytest.fixture(scope="module")
def classifier():
    return through_masks()


@pytest.fixture
def passes(classifier):
    """Count the images that the network sees."""
    seen = []
    network = classifier.segmenter_.network_
    hook = network.register_forward_hook(lambda module, given, result: seen.append(len(given[0])))
    yield seen
    hook.remove()


@pytest.mark.parametrize(
    "show",
    [
        lambda c: MaskDisplay.from_estimator(c, X, Y, masks=MASKS),
        lambda c: ErrorMapDisplay.from_estimator(c, X, Y, MASKS),
        lambda c: SummarizerDisplay.from_estimator(c, X, Y),
        lambda c: report(c, X, Y, masks=MASKS),
    ],
)
def test_images_are_segmented_once(classifier, passes, show):
    show(classifier)
    assert passes == [16]  # a batch, filled up


def test_a_saliency_display_classifies_once():
    classifier = ImageClassifier(**QUICK).fit(X, Y)
    seen = []
    classifier.network_.encoder.register_forward_hook(lambda *_: seen.append(1))
    SaliencyDisplay.from_estimator(classifier, X, Y)
    assert len(seen) == 3  # the labels, and a gradient for each of two maps


@pytest.mark.parametrize(
    "make",
    [
        through_masks,
        lambda: through_masks(segmenter=PseudoLabelSemiSupervised(SEGMENTER, max_iter=1)),
        lambda: through_masks(summarizer="embedding"),
        lambda: through_masks(summarizer=LogisticRegression()),
        lambda: MultitaskClassifier(**QUICK).fit(X, Y, masks=MASKS),
    ],
)
def test_what_is_asked_at_once_is_what_is_asked_for_one_by_one(make):
    classifier = make()
    predicted = predict_once(classifier, X)
    np.testing.assert_array_equal(predicted.labels, classifier.predict(X))
    np.testing.assert_array_equal(predicted.probabilities, classifier.predict_proba(X))
    np.testing.assert_array_equal(np.stack(predicted.masks), classifier.predict_masks(X))


def test_a_segmenter_says_masks_alone():
    segmenter = SupervisedSegmenter(**QUICK).fit(X, MASKS)
    predicted = predict_once(segmenter, X)
    assert predicted.labels is predicted.probabilities is None
    np.testing.assert_array_equal(predicted.masks, segmenter.predict(X))
