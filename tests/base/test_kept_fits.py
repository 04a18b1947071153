"""With `memory` a fit is found again, so that a search that was killed trains what is missing."""

import errno

import numpy as np
import pytest
from every_method import SHAPES, TRAINED, by_name, fitted, outputs
from interrupted import bits
from sklearn.callback import ProgressBar
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from benchmarks.shared.disk_trouble import disk_trouble
from segclf import (
    ImageClassifier,
    MultitaskClassifier,
    SegmentationClassifier,
    SimSiamPretrainer,
    SupervisedSegmenter,
)
from segclf.testing.small import small_estimator


@pytest.mark.filterwarnings("ignore::segclf.objectives.CollapseWarning")
@pytest.mark.parametrize("kind", TRAINED, ids=by_name)
def test_every_method_is_found_again(kind, watch, tmp_path):
    first = fitted(kind, 1, memory=tmp_path)
    found, n_epochs = watch.run(lambda: fitted(kind, 1, memory=tmp_path))
    assert n_epochs == 0
    assert bits(found) == bits(first)
    np.testing.assert_array_equal(outputs(found), outputs(first))


OPTIONS = {
    "early stopping": {"validation_fraction": 0.4, "n_iter_no_change": 1, "learning_rate": 0.5},
    "averages": {"average_weights": 0.7, "schedule": "one_cycle"},
    "frozen": {"encoder_rate": 0.0, "batch_size": 3},
    "bf16": {"precision": "bf16"},
    "late": {"encoder_rate": 0.5, "encoder_start": 0.5, "batch_size": 3},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_with_all_that_the_loop_offers(options, watch, tmp_path):
    def fit(n_epochs=3, **more):
        return fitted(SupervisedSegmenter, n_epochs, **options, **more)

    whole = fit()
    for first in (True, False):
        found, n_epochs = watch.run(lambda: fit(memory=tmp_path))
        assert (n_epochs > 0) == first
        assert bits(found) == bits(whole)
    assert watch.run(lambda: fit(1, memory=tmp_path))[1] == 1, "another length is another fit"


def search(kind, memory):
    estimator = small_estimator(kind, 1).set_params(random_state=0, memory=memory)
    grid = {"learning_rate": [1e-3, 1e-2]}
    if kind is SimSiamPretrainer:
        estimator = make_pipeline(estimator, LogisticRegression())
        grid = {"simsiampretrainer__learning_rate": [1e-3, 1e-2]}
    return GridSearchCV(estimator, grid, cv=2).fit(SHAPES.images, SHAPES.target)


@pytest.mark.filterwarnings("ignore::segclf.objectives.CollapseWarning")
@pytest.mark.parametrize("kind", [ImageClassifier, MultitaskClassifier, SimSiamPretrainer])
def test_a_search_that_was_killed_trains_what_is_missing(kind, watch, tmp_path):
    whole = search(kind, None)
    assert watch.run(lambda: search(kind, tmp_path), most=3) == (None, 3)
    resumed, n_epochs = watch.run(lambda: search(kind, tmp_path))
    assert n_epochs == 2, "the fourth of the search, and the last on all images"
    found, n_epochs = watch.run(lambda: search(kind, tmp_path))
    assert n_epochs == 0
    for other in (resumed, found):
        assert other.best_params_ == whole.best_params_
        for name in ("mean_test_score", "split0_test_score"):
            np.testing.assert_array_equal(other.cv_results_[name], whole.cv_results_[name])


def test_a_pretrainer_inside(watch, tmp_path):
    def fit():
        pretrainer = small_estimator(SimSiamPretrainer, 1).set_params(encoder=None)
        return fitted(SupervisedSegmenter, 1, pretrainer=pretrainer, memory=tmp_path)

    first, n_epochs = watch.run(fit)
    assert n_epochs == 2
    second, n_epochs = watch.run(fit)
    assert n_epochs == 0
    assert bits(second.pretrainer_) == bits(first.pretrainer_)


CHANGES = {
    "seed": {"random_state": 1},
    "parameter": {"learning_rate": 0.5},
    "no seed": {"random_state": None},
    "a loss that cannot be known again": {"loss": lambda scores, target: scores.mean()},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_another_fit_is_trained(change, watch, tmp_path):
    fitted(ImageClassifier, 1, memory=tmp_path)
    estimator = small_estimator(ImageClassifier, 1)
    estimator.set_params(**{"memory": tmp_path, "random_state": 0, **change})
    assert watch.run(lambda: estimator.fit(SHAPES.images, SHAPES.target))[1] == 1


def test_other_images_or_labels_are_another_fit(watch, tmp_path):
    estimator = small_estimator(ImageClassifier, 1).set_params(memory=tmp_path, random_state=0)
    others = SHAPES.images.copy()
    others[0, 0, 0, 0] ^= 1
    for X, y in (
        (SHAPES.images, SHAPES.target),
        (others, SHAPES.target),
        (others, SHAPES.target[::-1]),
    ):
        assert watch.run(lambda: estimator.fit(X, y))[1] == 1  # noqa: B023
        assert watch.run(lambda: estimator.fit(X, y))[1] == 0  # noqa: B023


def test_callbacks(watch, tmp_path, capsys):
    """Those of scikit-learn hear of a fit that was found; others may stop one."""

    class Mine:
        def setup(self, *given, **named):
            pass

        teardown = on_fit_task_begin = on_fit_task_end = setup

    estimator = small_estimator(ImageClassifier, 1).set_params(memory=tmp_path, random_state=0)
    estimator.set_callbacks(Mine()).fit(SHAPES.images, SHAPES.target)
    assert not list(tmp_path.iterdir())
    estimator.set_callbacks(ProgressBar())
    for expected in (1, 0):
        assert watch.run(lambda: estimator.fit(SHAPES.images, SHAPES.target))[1] == expected
        assert "ImageClassifier" in capsys.readouterr().out


def test_a_full_disk_is_told_once(tmp_path):
    whole = fitted(SegmentationClassifier, 1)
    segmenter = small_estimator(SupervisedSegmenter, 1).set_params(memory=tmp_path)
    told = pytest.warns(UserWarning, match="No more files are stored")
    with disk_trouble(errno.ENOSPC, at="write"), told as warned:
        tried = fitted(SegmentationClassifier, 1, segmenter=segmenter, memory=tmp_path)
    np.testing.assert_array_equal(outputs(tried), outputs(whole))
    assert len(warned) == 1


def test_a_damaged_file_is_trained_again(watch, tmp_path):
    whole = fitted(ImageClassifier, 1, memory=tmp_path)
    (path,) = (each for each in tmp_path.rglob("*") if each.is_file())
    path.write_bytes(path.read_bytes()[:-1])
    for expected in (1, 0):
        found, n_epochs = watch.run(lambda: fitted(ImageClassifier, 1, memory=tmp_path))
        assert n_epochs == expected
        assert bits(found) == bits(whole)
