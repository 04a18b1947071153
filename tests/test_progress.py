"""Whatever takes long is counted, and shown where somebody asks for it."""

import io
import re

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

import segclf
from segclf import (
    DistilledSegmenter,
    ImageClassifier,
    PseudoLabelSemiSupervised,
    SegmentationClassifier,
    SimSiamPretrainer,
    SliceWise,
    SupervisedSegmenter,
    progress,
    show_progress,
)
from segclf.base import SegmenterEnsemble
from segclf.datasets import make_shapes
from segclf.metrics import confidence_interval, paired_test
from segclf.progress import Task, counted

SHAPES = make_shapes(8, image_size=16, n_objects=2, target_radius=4, random_state=0)
X, Y, MASKS = SHAPES.images, SHAPES.target, SHAPES.masks
TINY = {"encoder": "tiny", "max_epochs": 2, "random_state": 0}


class Clock:
    """Seconds that pass as a test says, or a second at every look."""

    def __init__(self, step):
        self.now, self.step = 0.0, step

    def monotonic(self):
        self.now += self.step
        return self.now


class Terminal(io.StringIO):
    """Has one line."""

    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    clock = Clock(0.0)
    monkeypatch.setattr(progress, "time", clock)
    return clock


@pytest.fixture
def every_step(monkeypatch):
    """Each look at the clock is late enough for one more line."""
    monkeypatch.setattr(progress, "time", Clock(60.0))


def shown(function):
    """Return what was done, by its unit, and the deepest line, of all that is shown."""
    file = io.StringIO()
    with show_progress(file=file):
        function()
    text = file.getvalue()
    units = set(re.findall(r"\d of [\d,]+ ([a-z]+)", text))
    return units, max(text.splitlines(), key=lambda line: line.count(" > "), default="")


@pytest.fixture(scope="module")
def classifier():
    return SegmentationClassifier(SupervisedSegmenter(**TINY)).fit(X, Y, masks=MASKS)


def test_a_line_says_how_far_it_is(clock):
    file = io.StringIO()
    with show_progress(after=0, file=file), Task("copy", 8000, "files", done=2000) as task:
        clock.now = 10.0
        task.add(1998, 2)
    first, last = file.getvalue().splitlines()
    assert first == last
    assert first == (
        "[##########..........] copy: 4,000 of 8,000 files, 200 a second, 2 damaged, 0:00:20 left"
    )


def test_what_is_short_is_not_shown(clock):
    file = io.StringIO()
    with show_progress(file=file):
        for _ in counted(range(3), "copy", total=3, unit="files"):
            clock.now += 0.6
    assert file.getvalue() == ""


def test_nothing_is_shown_unless_asked(every_step, capsys):
    assert list(counted(range(3), "copy", total=3, unit="files")) == [0, 1, 2]
    with show_progress():
        pass
    list(counted(range(3), "copy", total=3, unit="files"))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["terminal", "notebook"])
def test_a_terminal_and_a_notebook_show_one_line(kind, clock):
    in_notebook = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})
    file = Terminal() if kind == "terminal" else in_notebook()
    with show_progress(after=0, file=file):
        for _ in counted(range(3), "copy", total=3, unit="files"):
            clock.now += 0.5
    lines = file.getvalue().split("\r")
    assert [int(re.search(r"(\d) of 3", line)[1]) for line in lines] == [1, 2, 3, 3]
    assert file.getvalue().count("\n") == 1
    assert len({len(line.rstrip("\n")) for line in lines}) == 1, "each covers the one before"


def test_tasks_inside_follow_those_around_them(every_step):
    def nested():
        for _ in counted(range(2), "search", total=2, unit="folds"):
            list(counted(range(2), "training", total=2, unit="steps"))

    units, line = shown(nested)
    assert units == {"folds", "steps"}
    assert re.match(r"search: \d of 2 folds > \[[#.]{20}\] training: \d of 2 steps, ", line)


def test_a_task_inside_of_one_that_counts_the_same_is_left_out(every_step):
    def nested():
        for _ in counted(range(2), "all", total=200, unit="images", size=lambda _: 100):
            list(counted(range(100), "some", total=100, unit="images"))

    assert "some" not in shown(nested)[1]


def test_a_stream_that_is_left_leaves_nothing_behind(every_step):
    def left():
        for _ in counted(range(9), "first", total=9, unit="files"):
            break
        list(counted(range(2), "second", total=2, unit="files"))

    assert " > " not in shown(left)[1]


def test_a_bootstrap_and_a_permutation_test(every_step):
    few = {"n_resamples": 5, "random_state": 0}
    assert shown(lambda: confidence_interval(accuracy_score, Y, Y, **few))[0] == {"resamples"}
    assert "swaps" in shown(lambda: paired_test(accuracy_score, Y, Y, 1 - Y, **few))[0]


COMPOSED = {
    "classifier": (
        lambda verbose: SegmentationClassifier(SupervisedSegmenter(**TINY), verbose=verbose),
        "segmenter > [",
    ),
    "folds": (
        lambda verbose: SegmentationClassifier(
            SupervisedSegmenter(**TINY), summarizer="tuned_threshold", cv=2, verbose=verbose
        ),
        "cross-fitting: 0 of 2 folds > segmenter > [",
    ),
    "pretrainer": (
        lambda verbose: ImageClassifier(
            **TINY, pretrainer=SimSiamPretrainer(max_epochs=1), verbose=verbose
        ),
        "pretrainer > [",
    ),
    "pseudo-labels": (
        lambda verbose: PseudoLabelSemiSupervised(
            SupervisedSegmenter(**TINY), baseline=False, guard=False, verbose=verbose
        ),
        "labeler > fold > [",
    ),
    "distillation": (
        lambda verbose: DistilledSegmenter(SupervisedSegmenter(**TINY), verbose=verbose),
        "teacher > [",
    ),
    "ensemble": (
        lambda verbose: SegmenterEnsemble(SupervisedSegmenter(**TINY), cv=2, verbose=verbose),
        "ensemble: 0 of 2 folds > segmenter > [",
    ),
}


def fit(estimator):
    if hasattr(estimator, "predict_masks"):
        return estimator.fit(X, Y, masks=MASKS)
    if isinstance(estimator, ImageClassifier):
        return estimator.fit(X, Y)
    return estimator.fit(X, [*MASKS[:6], None, None])


@pytest.mark.parametrize("name", COMPOSED)
def test_a_fit_shows_which_part_is_trained(name, every_step):
    make, around = COMPOSED[name]
    units, line = shown(lambda: fit(make(0)))
    assert "steps" in units
    assert line.startswith(around)


PRINTED = {
    "classifier": ["SegmentationClassifier: segmenter", 0, 1],
    "folds": [
        *("SegmentationClassifier: segmenter (1 of 3)", 0, 1),
        *("SegmentationClassifier: segmenter (2 of 3)", 0, 1),
        *("SegmentationClassifier: segmenter (3 of 3)", 0, 1),
    ],
    "pretrainer": ["ImageClassifier: pretrainer", 0, 0, 1],
    "pseudo-labels": [
        *("PseudoLabelSemiSupervised: baseline", 0, 1),
        "PseudoLabelSemiSupervised: labeler",
        *("PseudoLabelSemiSupervised: fold", 0, 1),
        *("PseudoLabelSemiSupervised: fold", 0, 1),
        *("PseudoLabelSemiSupervised: segmenter", 0, 1),
    ],
    "distillation": [
        *("DistilledSegmenter: teacher", 0, 1),
        *("DistilledSegmenter: student", 0, 1),
    ],
    "ensemble": [
        *("SegmenterEnsemble: segmenter (1 of 2)", 0, 1),
        *("SegmenterEnsemble: segmenter (2 of 2)", 0, 1),
    ],
}


@pytest.mark.parametrize("name", COMPOSED)
def test_verbose_holds_for_all_that_is_inside(name, capsys):
    fit(COMPOSED[name][0](1))
    lines = capsys.readouterr().out.splitlines()
    epochs = [re.match(r"epoch (\d+)  learning_rate .* seconds ", line) for line in lines]
    printed = [int(e[1]) if e else line for e, line in zip(epochs, lines, strict=True)]
    assert printed == PRINTED[name]


@pytest.mark.parametrize("name", COMPOSED)
def test_without_verbose_nothing_is_printed(name, capsys):
    fit(COMPOSED[name][0](0))
    assert capsys.readouterr() == ("", "")


def test_a_part_that_prints_more_keeps_that(capsys):
    classifier = SegmentationClassifier(SupervisedSegmenter(**TINY, verbose=2), verbose=1)
    assert fit(classifier).segmenter_.verbose == 2
    assert SegmentationClassifier(verbose=1).segmenter is None, "what was given stays as it is"


def test_volumes(every_step, capsys):
    volumes = make_shapes(2, image_size=16, depth=3, n_objects=2, target_radius=4, random_state=0)
    segmenter = SliceWise(SupervisedSegmenter(**TINY), verbose=1)
    segmenter.fit(volumes.images, volumes.masks)
    assert capsys.readouterr().out.startswith("SliceWise: segmenter\nepoch 0 ")
    units, line = shown(lambda: segmenter.predict(volumes.images))
    assert units == {"volumes", "images"}
    assert line.startswith("prediction: 0 of 2 volumes > [")


def test_predictions(classifier, every_step):
    ensemble = SegmenterEnsemble.of([classifier.segmenter_] * 2)
    for predict in (classifier.predict_proba, classifier.predict_masks, ensemble.predict):
        assert shown(lambda predict=predict: predict(X))[0] == {"images"}


def test_a_report(classifier, every_step, tmp_path):
    def report():
        segclf.report(classifier, X, Y, MASKS, tmp_path / "report.html", n_resamples=3)

    units, line = shown(report)
    assert {"batches", "images", "scores", "resamples", "pictures"} <= units
    assert re.match(r"(answers|scores): 0 of \d+ (batches|scores) > \[", line)


def test_comparisons(every_step):
    estimator = SegmentationClassifier(SupervisedSegmenter(**TINY))
    audit = {"cv": 2, "random_state": 0}
    units, line = shown(lambda: segclf.audit_masks(estimator, X, Y, MASKS, **audit))
    assert {"folds", "steps", "images"} <= units
    assert line.startswith("audit: 0 of 2 folds > segmenter > [")
    proposal = {"encoders": [("tiny", None)], "cv": 2, "random_state": 0}
    units, line = shown(lambda: segclf.propose(X, Y, MASKS, **proposal))
    assert {"encoders", "folds", "steps"} <= units
    assert line.startswith("proposal: 0 of 1 encoders > tiny: 0 of 2 folds > segmenter > [")


def test_a_query(classifier, every_step):
    assert shown(lambda: segclf.query(classifier, X, 2))[0] == {"images"}


def test_watching_changes_nothing(classifier, every_step):
    with show_progress(file=io.StringIO()):
        watched = SegmentationClassifier(SupervisedSegmenter(**TINY)).fit(X, Y, masks=MASKS)
        scores = watched.predict_proba(X)
    np.testing.assert_array_equal(scores, classifier.predict_proba(X))
