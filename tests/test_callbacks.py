"""scikit-learn's callbacks see search, fold and epoch, and may stop the training."""

import numpy as np
import pytest
import rich
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV

from segclf import (
    ImageClassifier,
    SegmentationClassifier,
    SimSiamPretrainer,
    SupervisedSegmenter,
)
from segclf.datasets import make_shapes

SHAPES = make_shapes(8, image_size=16, n_objects=2, target_radius=4, random_state=0)
TINY = {"encoder": "tiny", "max_epochs": 3, "random_state": 0}


class Recorder:
    """Reaches one level down, as `ProgressBar` does, and writes down each task that ends."""

    max_propagation_depth = 1

    def __init__(self):
        self.ended = []

    def setup(self, estimator, context):
        """Nothing to prepare."""

    def teardown(self, estimator, context):
        """Nothing to close."""

    def on_fit_task_begin(self, estimator, context):
        """Only ends count."""

    def on_fit_task_end(self, estimator, context):
        path = []
        while context is not None:
            path.append(context)
            context = context.parent
        self.ended.append([(c.estimator_name, c.task_name, c.task_id) for c in path[::-1]])


class Stopper(Recorder):
    """Says stop after the second epoch, and keeps the histories it was shown."""

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if context.task_name != "epoch":
            return False
        self.ended.append(fitted_estimator.history_["loss"])
        return context.task_id == 1


def segmentation_classifier():
    return SegmentationClassifier(segmenter=SupervisedSegmenter(**TINY))


def test_a_search_shows_the_epochs_of_each_fold():
    recorder = Recorder()
    grid = {"segmenter__learning_rate": [1e-3, 1e-2]}
    search = GridSearchCV(segmentation_classifier(), grid, cv=2).set_callbacks(recorder)
    search.fit(SHAPES.images, SHAPES.target, masks=SHAPES.masks)
    epochs = [path for path in recorder.ended if path[-1][1] == "epoch"]
    folds = [path for path in epochs if ("GridSearchCV", "search", 0) in path]
    segmenter = ("SupervisedSegmenter", "fit", 0)
    assert [path[2:] for path in folds] == [
        [("SegmentationClassifier", "fit", fold), segmenter, ("SupervisedSegmenter", "epoch", i)]
        for fold in range(4)
        for i in range(3)
    ]
    assert len(epochs) - len(folds) == 3, "the refit's epochs"


def test_progress_bar_draws_them(capsys, monkeypatch):
    monkeypatch.setattr(rich.get_console(), "_width", 200)
    search = GridSearchCV(
        segmentation_classifier(), {"negative_class": ["first"]}, cv=2
    ).set_callbacks(ProgressBar())
    search.fit(SHAPES.images, SHAPES.target, masks=SHAPES.masks)
    shown = capsys.readouterr().out
    assert "GridSearchCV - search" in shown
    assert shown.count("SupervisedSegmenter - fit") == 3, "two folds and the refit"
    assert "100%" in shown


def pretrained():
    """A classifier of three epochs whose pretrainer has two."""
    pretrainer = SimSiamPretrainer(projection_size=8, prediction_size=8, max_epochs=2)
    return ImageClassifier(**TINY, pretrainer=pretrainer)


def test_the_epochs_of_a_pretrainer_come_first():
    recorder = Recorder()
    pretrained().set_callbacks(recorder).fit(SHAPES.images, SHAPES.target)
    fit = ("ImageClassifier", "fit", 0)
    part = ("SimSiamPretrainer", "fit", 0)
    assert recorder.ended == [
        [fit, part, ("SimSiamPretrainer", "epoch", 0)],
        [fit, part, ("SimSiamPretrainer", "epoch", 1)],
        [fit, part],
        *([fit, ("ImageClassifier", "epoch", 1 + i)] for i in range(3)),
        [fit],
    ]


def test_a_progress_bar_draws_a_pretrainer(capsys, monkeypatch):
    monkeypatch.setattr(rich.get_console(), "_width", 200)
    pretrained().set_callbacks(ProgressBar()).fit(SHAPES.images, SHAPES.target)
    assert "ImageClassifier - pretrainer | SimSiamPretrainer - fit" in capsys.readouterr().out


def test_a_frozen_pretrainer_has_no_epochs():
    recorder = Recorder()
    frozen = FrozenEstimator(pretrained().pretrainer.set_params(encoder="tiny").fit(SHAPES.images))
    classifier = ImageClassifier(**TINY, pretrainer=frozen).set_callbacks(recorder)
    classifier.fit(SHAPES.images, SHAPES.target)
    assert [path[-1][1:] for path in recorder.ended] == [
        *(("epoch", i) for i in range(3)),
        ("fit", 0),
    ]


@pytest.mark.parametrize("precede", [[], [Recorder()]], ids=["alone", "after-another"])
def test_a_callback_stops_training(precede):
    stopper = Stopper()
    classifier = ImageClassifier(**TINY).set_callbacks(*precede, stopper)
    classifier.fit(SHAPES.images, SHAPES.target)
    assert classifier.n_iter_ == 2
    np.testing.assert_array_equal(stopper.ended[-1], classifier.history_["loss"])
    assert len(stopper.ended[0]) == 1


def test_a_callback_of_the_classifier_stops_its_segmenter():
    classifier = segmentation_classifier().set_callbacks(Stopper())
    classifier.fit(SHAPES.images, SHAPES.target, masks=SHAPES.masks)
    assert classifier.segmenter_.n_iter_ == 2


def test_watching_changes_nothing():
    expected = ImageClassifier(**TINY).fit(SHAPES.images, SHAPES.target)
    watched = ImageClassifier(**TINY).set_callbacks(ScoringMonitor(scoring="accuracy"))
    watched.fit(SHAPES.images, SHAPES.target)
    np.testing.assert_array_equal(
        watched.predict_proba(SHAPES.images), expected.predict_proba(SHAPES.images)
    )


@pytest.mark.parametrize("make", [lambda: ImageClassifier(**TINY), lambda: pretrained()])
def test_scoring_monitor_scores_each_epoch(make):
    monitor = ScoringMonitor(scoring="accuracy")
    classifier = make().set_callbacks(monitor)
    classifier.fit(SHAPES.images, SHAPES.target)
    logged = [row["accuracy"] for row in monitor.get_logs().data]
    assert len(logged) == 3
    assert logged[-1] == classifier.score(SHAPES.images, SHAPES.target)


def test_scoring_monitor_of_a_segmenter():
    def iou(segmenter, X, y):
        return segmenter.score(X, y)

    monitor = ScoringMonitor(scoring={"iou": iou})
    segmenter = SupervisedSegmenter(**TINY).set_callbacks(monitor)
    segmenter.fit(SHAPES.images, SHAPES.masks)
    logged = [row["iou"] for row in monitor.get_logs().data]
    assert len(logged) == 3
    assert logged[-1] == segmenter.score(SHAPES.images, SHAPES.masks)
