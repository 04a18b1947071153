"""warm_start=True goes on from what was learned; so does a fit that somebody interrupted."""

import copy
import pickle

import numpy as np
import pytest
from every_method import MASKS, SHAPES, fitted, outputs
from interrupted import bits
from sklearn.base import clone

from segclf import (
    BYOLPretrainer,
    ConsistencySegmenter,
    CrossTeachingSegmenter,
    ImageClassifier,
    SegmentationClassifier,
    SimSiamPretrainer,
    SupervisedSegmenter,
    load,
    save,
)
from segclf.base import InterruptedFitWarning
from segclf.testing.small import small_estimator


class Interrupt:
    """A callback that raises KeyboardInterrupt in some epoch, once."""

    def __init__(self, epoch):
        self.epoch, self._n = epoch, 0

    def setup(self, estimator, context):
        """Nothing."""

    def on_fit_task_begin(self, *args, **kwargs):
        """Nothing."""

    def on_fit_task_end(self, estimator, context, **kwargs):
        if context.task_name == "epoch":
            self._n += 1
            if self._n == self.epoch + 1:
                raise KeyboardInterrupt

    def teardown(self, estimator, context):
        """Nothing."""


def again(estimator, **parameters):
    """Fit once more."""
    estimator.set_params(**parameters)
    if isinstance(estimator, ImageClassifier):
        return estimator.fit(SHAPES.images, SHAPES.target)
    if hasattr(estimator, "transform"):
        return estimator.fit(SHAPES.images)
    return estimator.fit(SHAPES.images, MASKS)


@pytest.mark.filterwarnings("ignore::segclf.objectives.CollapseWarning")
@pytest.mark.parametrize(
    "kind", [SupervisedSegmenter, ConsistencySegmenter, CrossTeachingSegmenter, SimSiamPretrainer]
)
def test_more_epochs_are_those_of_a_longer_fit(kind, watch):
    options = {"schedule": "constant", "warm_start": True}
    whole = fitted(kind, 4, **options)
    estimator = fitted(kind, 2, **options)
    estimator, n_epochs = watch.run(lambda: again(estimator, max_epochs=4))
    assert (n_epochs, estimator.n_iter_) == (2, 4)
    np.testing.assert_array_equal(outputs(estimator), outputs(whole))
    assert bits(estimator) == bits(whole)


def test_the_schedule_goes_on_at_the_fraction_of_the_new_length():
    estimator = fitted(SupervisedSegmenter, 2, schedule="cosine", warm_start=True)
    again(estimator, max_epochs=4)
    rate = estimator.learning_rate * (1 + np.cos(np.pi * np.array([0, 1, 2, 3]) / 4)) / 2
    np.testing.assert_allclose(estimator.history_["learning_rate"][2:], rate[2:])


def test_as_many_epochs_are_trained_once_more_from_what_was_learned(watch):
    estimator = fitted(SupervisedSegmenter, 3, warm_start=True)
    before = estimator.history_["loss"][-1]
    estimator, n_epochs = watch.run(lambda: again(estimator))
    assert (n_epochs, estimator.n_iter_) == (3, 3)
    assert estimator.history_["loss"][0] < 1.2 * before
    cold = fitted(SupervisedSegmenter, 3)
    assert estimator.history_["loss"][0] < cold.history_["loss"][0]


def test_with_more_images(watch):
    small = small_estimator(SupervisedSegmenter, 2).set_params(warm_start=True, random_state=0)
    small.fit(SHAPES.images[:4], MASKS[:4])
    before = small.history_["loss"][-1]
    _, n_epochs = watch.run(lambda: again(small, max_epochs=5))
    assert (n_epochs, small.n_iter_) == (3, 5)
    assert small.history_["loss"][2] < 2 * before


def test_early_stopping_has_patience_again(watch):
    options = {"validation_fraction": 0.4, "n_iter_no_change": 1, "learning_rate": 0.5}
    estimator = fitted(SupervisedSegmenter, 9, warm_start=True, **options)
    assert estimator.termination_condition_ == "n_iter_no_change"
    assert watch.run(lambda: again(estimator))[1] > 0


@pytest.mark.parametrize("way", [copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e)), "file"])
def test_of_a_copy_the_weights_go_on(way, watch, tmp_path):
    estimator = fitted(SupervisedSegmenter, 2, warm_start=True)
    if way == "file":
        save(estimator, tmp_path / "saved")
        other = load(tmp_path / "saved")
    else:
        other = way(estimator)
    assert "_state" not in vars(other)
    other, n_epochs = watch.run(lambda: again(other))
    assert n_epochs == 2
    assert other.history_["loss"][0] < 1.2 * estimator.history_["loss"][-1]


def test_a_clone_starts_anew():
    estimator = fitted(SupervisedSegmenter, 2, warm_start=True)
    assert bits(again(clone(estimator))) == bits(estimator)


def test_a_pretrainer_is_not_asked_again(watch):
    pretrainer = small_estimator(BYOLPretrainer, 3)
    estimator = fitted(SupervisedSegmenter, 2, pretrainer=pretrainer, warm_start=True)
    before = estimator.pretrainer_
    assert watch.run(lambda: again(estimator, max_epochs=3))[1] == 1
    assert estimator.pretrainer_ is before


def test_another_network_or_other_classes_are_refused():
    segmenter = fitted(SupervisedSegmenter, 1, warm_start=True)
    with pytest.raises(ValueError, match="warm_start=True continues with the existing network"):
        again(segmenter, n_classes=5)
    classifier = fitted(ImageClassifier, 1, warm_start=True)
    with pytest.raises(ValueError, match=r"classes \[0, 1\], but y has \[0, 2\]"):
        classifier.fit(SHAPES.images, 2 * SHAPES.target)


@pytest.mark.parametrize("warm_start", [False, True])
def test_an_interrupted_fit_keeps_what_it_learned(warm_start, watch):
    estimator = small_estimator(SupervisedSegmenter, 4).set_params(random_state=0)
    whole = fitted(SupervisedSegmenter, 4, schedule="constant")
    estimator.set_params(schedule="constant", warm_start=warm_start)
    estimator.set_callbacks(Interrupt(1))
    with pytest.warns(InterruptedFitWarning, match="warm_start=True a further fit continues"):
        again(estimator)
    assert (estimator.n_iter_, estimator.termination_condition_) == (2, "interrupted")
    estimator.predict(SHAPES.images)
    estimator, n_epochs = watch.run(lambda: again(estimator.set_callbacks(), warm_start=True))
    assert n_epochs == 2
    np.testing.assert_array_equal(outputs(estimator), outputs(whole))


def test_an_interrupt_ends_what_the_fit_is_a_part_of():
    segmenter = small_estimator(SupervisedSegmenter, 3).set_callbacks(Interrupt(1))
    classifier = SegmentationClassifier(segmenter=segmenter, cv=2)
    with pytest.raises(KeyboardInterrupt, match="checkpoint=folder"):
        classifier.fit(SHAPES.images, SHAPES.target, masks=MASKS)


def test_with_a_checkpoint_the_same_call_goes_on(watch, tmp_path):
    def fit(*callbacks):
        estimator = small_estimator(SupervisedSegmenter, 4).set_params(random_state=0)
        estimator.set_params(checkpoint=tmp_path).set_callbacks(*callbacks)
        return again(estimator)

    with pytest.raises(KeyboardInterrupt, match="resumes from the end of epoch 2"):
        fit(Interrupt(1))
    resumed, n_epochs = watch.run(fit)
    assert n_epochs == 2
    assert bits(resumed) == bits(fitted(SupervisedSegmenter, 4))
