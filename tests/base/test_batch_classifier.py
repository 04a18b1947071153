import numpy as np
import pytest

from segclf import ImageClassifier, MultitaskClassifier, SegmentationClassifier, SupervisedSegmenter
from segclf.datasets import make_shapes
from segclf.testing.small import small_estimator

SHAPES = make_shapes(10, image_size=16, n_objects=2, target_radius=4, random_state=0)
INDICATOR = np.eye(3, dtype=int)[np.arange(10) % 3]
SMALL = small_estimator(SupervisedSegmenter, max_epochs=1)
KINDS = {
    "image": small_estimator(ImageClassifier, max_epochs=1).set_params(batch_size=4),
    "multitask": small_estimator(MultitaskClassifier, max_epochs=1).set_params(batch_size=4),
    "joint": SegmentationClassifier(SMALL, random_state=0),
    "threshold": SegmentationClassifier(SMALL, summarizer="threshold", random_state=0),
    "ensemble": SegmentationClassifier(SMALL, cv=2, ensemble=True, random_state=0),
}


def joined(batches, like):
    whole, seen = np.empty_like(like), []
    for indices, batch in batches:
        whole[indices] = batch
        seen += indices.tolist()
    assert sorted(seen) == list(range(len(like)))
    return whole


@pytest.mark.parametrize("kind", KINDS)
def test_batches_are_the_whole_bit_for_bit(kind):
    trained = KINDS[kind].fit(SHAPES.images, SHAPES.target, masks=SHAPES.masks)
    probabilities, labels = trained.predict_proba(SHAPES.images), trained.predict(SHAPES.images)
    batches = trained.predict_proba_batches(SHAPES.images)
    np.testing.assert_array_equal(joined(batches, probabilities), probabilities)
    np.testing.assert_array_equal(joined(trained.predict_batches(SHAPES.images), labels), labels)


def test_indicators_come_in_batches_too():
    trained = KINDS["image"].fit(SHAPES.images, INDICATOR)
    batches = list(trained.predict_batches(SHAPES.images))
    assert [batch.shape for _, batch in batches] == [(4, 3), (4, 3), (2, 3)]
    expected = trained.predict(SHAPES.images)
    np.testing.assert_array_equal(np.concatenate([batch for _, batch in batches]), expected)
    assert next(trained.predict_proba_batches(SHAPES.images))[1].dtype == np.float64
