import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from segclf import (
    DistilledSegmenter,
    ImageClassifier,
    MAEPretrainer,
    SegmentationClassifier,
    SupervisedSegmenter,
)
from segclf.reports.framing.equal_steps import equal_steps, with_steps

SIZES = np.array([[10, 11], [20, 21]])


def masked(**parameters):
    return SegmentationClassifier(segmenter=SupervisedSegmenter(**parameters))


def test_the_most_that_the_epochs_of_either_are():
    slow, fast = masked(max_epochs=3, batch_size=4), ImageClassifier(max_epochs=2, batch_size=2)
    assert equal_steps([slow, fast], SIZES).tolist() == [[10, 12], [20, 22]]
    assert equal_steps([slow], SIZES).tolist() == [[9, 9], [15, 18]]
    slow.set_params(segmenter__accumulate_batches=2)
    assert equal_steps([slow], SIZES).tolist() == [[6, 6], [9, 9]]


def test_what_is_given_is_for_all_and_stays():
    given, free = masked(max_steps=7), ImageClassifier(max_epochs=100)
    steps = equal_steps([given, free], SIZES)
    assert (steps == 7).all()
    for estimator in (given, free):
        assert with_steps(estimator, 7)[1] == 7
    assert with_steps(given, 9)[1] == 7
    assert free.max_steps == "auto"


def test_the_default_segmenter_is_told_too():
    told, n_steps = with_steps(SegmentationClassifier(), 5)
    assert n_steps == told.segmenter.max_steps == 5


def test_pretrainers_and_summarizers_are_no_framing():
    segmenter = SupervisedSegmenter(pretrainer=MAEPretrainer())
    classifier = SegmentationClassifier(segmenter=segmenter, summarizer="squeezenet")
    told, _ = with_steps(classifier, 5)
    assert told.segmenter.max_steps == 5
    assert told.segmenter.pretrainer.max_steps is None
    within = with_steps(ImageClassifier(pretrainer=SupervisedSegmenter()), 5)[0]
    assert (within.max_steps, within.pretrainer.max_steps) == (5, "auto")


def test_segmenters_within_others():
    told, _ = with_steps(DistilledSegmenter(SupervisedSegmenter()), 5)
    assert told.teacher.max_steps == 5


@pytest.mark.parametrize("other", [LogisticRegression(), make_pipeline(LogisticRegression())])
def test_others_stay_as_they_are(other):
    assert (equal_steps([other, other], SIZES) == 0).all()
    told, n_steps = with_steps(other, 5)
    assert n_steps == 0
    assert repr(told) == repr(other)
