"""The numbers of a report: scores with bootstrap intervals, of all images and of subgroups."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segclf.metrics import confidence_interval, subgroup_scores
from segclf.metrics.mean_auroc import mean_auroc
from segclf.metrics.overlap import dices, ious, mean_of_rows
from segclf.metrics.pixel_counts import PixelCounts
from segclf.metrics.subgroups import Subgroup
from segclf.reports.page.answers import Answers

MEANINGS = {
    "AUROC": "how often an image of a class scores higher than one of another; mean of the classes",
    "accuracy": "share of the images that are labeled rightly",
    "balanced accuracy": "the same, each class counting alike",
    "sensitivity": "share of the images with a finding in which one is called",
    "specificity": "share of the images without a finding in which none is called",
    "strict recall": "share of the annotated findings that are called and overlap with their mask",
    "IoU": "pixels in both masks by pixels in either; of all images together, mean of the classes",
    "Dice": "twice the pixels in both masks by the sum of those in each; likewise",
    "average distance": "of the outlines, in both directions; mean of the images and findings",
    "95 % distance": "that 95 % of each outline are within, of the other one; likewise",
    "found": "share of the images with such a target in which the classifier calls a finding",
}
Scorer = Callable[[NDArray[Any], NDArray[Any]], float]
Question = tuple[str, Scorer, Any, Any, NDArray[np.bool_]]


class Score(NamedTuple):
    """One of `MEANINGS` and its 95 % interval; NaN where undefined."""

    name: str
    estimate: float
    low: float
    high: float


class Numbers(NamedTuple):
    """All numbers of a report; no subgroups where no target is labeled, no distances without mm."""

    scores: list[Score]
    distances: list[Score]
    sizes: list[Subgroup]
    regions: list[Subgroup]


def count_up(
    answers: Answers, *, groups: NDArray[Any] | None, n_resamples: int, random_state: Any
) -> Numbers:
    """Score the answers; whole groups are resampled, since images of one are not independent."""
    settings: dict[str, Any] = {"n_resamples": n_resamples, "random_state": random_state}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* resamples held one class only", UserWarning)
        scores, distances = (
            _intervals(questions, groups, settings)
            for questions in (_questions(answers), _distances(answers))
        )
        there = np.where(_labeled(answers), answers.positive, -1)[:, None]
        found = answers.found[:, None]
        sizes, regions = (
            subgroup_scores(share_of_true, there, found, grouping, groups=groups, **settings)
            if (grouping.group >= 0).any()
            else []
            for grouping in (answers.sizes, answers.regions)
        )
    return Numbers(scores, distances, sizes, regions)


def _intervals(
    questions: Iterator[Question], groups: NDArray[Any] | None, settings: dict[str, Any]
) -> list[Score]:
    """Score what can be, with intervals."""
    scores = []
    for name, scorer, truth, said, counted in questions:
        if counted.any():
            of_counted = None if groups is None else groups[counted]
            interval = confidence_interval(
                scorer, truth[counted], said[counted], groups=of_counted, **settings
            )
            scores.append(Score(name, *interval))
    return scores


def _questions(answers: Answers) -> Iterator[Question]:
    """Yield name, scorer, its two arguments, and the images that count."""
    labeled = _labeled(answers)
    truth, said = answers.truth, answers.said
    balanced = mean_recall if answers.exclusive else mean_of_both_sides
    yield "AUROC", mean_auroc, truth, answers.probabilities, labeled
    yield "accuracy", share_right, truth, said, labeled
    yield "balanced accuracy", balanced, truth, said, labeled
    there, found = answers.positive[:, None], answers.found[:, None]
    if there[labeled].any() and not there[labeled].all():
        yield "sensitivity", share_of_true, there, found, labeled
        yield "specificity", share_of_true, ~there, ~found, labeled
    counts = np.stack([facts.counts for facts in answers.masks])
    with_target = np.asarray(counts[:, 3].any(axis=1))
    hits = (said == 1)[:, answers.findings] & (counts[:, 0] > 0)
    due = (truth == 1)[:, answers.findings] & (counts[:, 1] > 0)
    if due.any():
        yield "strict recall", share_of_true, due, hits, with_target
    yield "IoU", _overlap(ious), counts, counts, with_target
    yield "Dice", _overlap(dices), counts, counts, with_target


def _distances(answers: Answers) -> Iterator[Question]:
    """Yield those between surfaces, of images where both masks show a finding."""
    each = np.stack([facts.distances for facts in answers.masks], axis=1)
    for name, distances in zip(("average distance", "95 % distance"), each, strict=True):
        yield name, _mean_of_both, distances, distances, ~np.isnan(distances).all(axis=1)


def _labeled(answers: Answers) -> NDArray[np.bool_]:
    return np.asarray((answers.truth != -1).any(axis=1))


def share_right(truth: NDArray[Any], said: NDArray[Any]) -> float:
    """Share of images of which everything labeled was said."""
    return float(((truth == said) | (truth == -1)).all(axis=1).mean())


def mean_recall(truth: NDArray[Any], said: NDArray[Any]) -> float:
    """Balanced accuracy of exclusive classes: recall, averaged over the classes that occur."""
    return _mean([share_of_true(t, s) for t, s in zip(truth.T == 1, said.T == 1, strict=True)])


def mean_of_both_sides(truth: NDArray[Any], said: NDArray[Any]) -> float:
    """Balanced accuracy of labels: of each, the mean of sensitivity and specificity."""
    pairs = [
        (share_of_true(t == 1, s == 1), share_of_true(t == 0, s == 0))
        for t, s in zip(truth.T, said.T, strict=True)
    ]
    return _mean([_mean(pair) for pair in pairs])


def share_of_true(truth: NDArray[Any], said: NDArray[Any]) -> float:
    """Recall: share of what is true (1) that was said."""
    there = truth == 1
    return float(said[there].mean()) if there.any() else float("nan")


def _overlap(ratios: Callable[..., NDArray[Any]]) -> Scorer:
    """Sum the counts of pixels (n, 4, k) over the images, and average the findings."""

    def score(counts: NDArray[Any], _: NDArray[Any]) -> float:
        both, true, predicted, labeled = counts.sum(axis=0)[:, None]
        total = PixelCounts(both, true, predicted, labeled, multilabel=True)
        return mean_of_rows(ratios(total, "ignore"))

    return score


def _mean_of_both(distances: NDArray[Any], _: NDArray[Any]) -> float:
    return _mean(distances.ravel())


def _mean(values: Any) -> float:
    """Average what is defined; of nothing, NaN."""
    finite = np.asarray(values, dtype=float)
    finite = finite[~np.isnan(finite)]
    return float(finite.mean()) if finite.size else float("nan")
