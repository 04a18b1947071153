"""The scores of a report with bootstrap intervals, for all images and for subgroups."""

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
from segclf.progress import counted
from segclf.reports.page.answers import Answers

MEANINGS = {
    "AUROC": "probability that an image of a class scores higher than another; mean over classes",
    "accuracy": "share of images with the right label",
    "balanced accuracy": "accuracy in which every class has equal weight",
    "sensitivity": "share of images with a finding in which one is predicted",
    "specificity": "share of images without a finding in which none is predicted",
    "strict recall": "share of annotated findings that are predicted and overlap with their mask",
    "IoU": "pixels in both masks over pixels in either, summed over images; mean over classes",
    "Dice": "twice the pixels in both masks over the sum of the pixels in each; like IoU",
    "average distance": "mean distance between outlines, in both directions; over all findings",
    "95 % distance": "distance from the other outline that 95 % of each outline are within",
    "found": "share of images with such a target in which the classifier predicts a finding",
}
Scorer = Callable[[NDArray[Any], NDArray[Any]], float]
Question = tuple[str, Scorer, Any, Any, NDArray[np.bool_]]


class Score(NamedTuple):
    """A score named in `MEANINGS`, with its 95 % interval; NaN where undefined."""

    name: str
    estimate: float
    low: float
    high: float


class Numbers(NamedTuple):
    """All scores of a report; no subgroups without labeled targets, no distances without mm."""

    scores: list[Score]
    distances: list[Score]
    sizes: list[Subgroup]
    regions: list[Subgroup]


def count_up(
    answers: Answers, *, groups: NDArray[Any] | None, n_resamples: int, random_state: Any
) -> Numbers:
    """Score the predictions; whole groups are resampled, since their images are not independent."""
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
    """Return the scores that are defined, with intervals."""
    scores, asked = [], list(questions)
    for name, scorer, truth, said, rows in counted(
        asked, "scores", total=len(asked), unit="scores"
    ):
        if rows.any():
            of_rows = None if groups is None else groups[rows]
            interval = confidence_interval(
                scorer, truth[rows], said[rows], groups=of_rows, **settings
            )
            scores.append(Score(name, *interval))
    return scores


def _questions(answers: Answers) -> Iterator[Question]:
    """Yield the name of each score, the scorer, its two arguments, and the images that count."""
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
    """Yield distances between surfaces, for images where both masks show a finding."""
    each = np.stack([facts.distances for facts in answers.masks], axis=1)
    for name, distances in zip(("average distance", "95 % distance"), each, strict=True):
        yield name, _mean_of_both, distances, distances, ~np.isnan(distances).all(axis=1)


def _labeled(answers: Answers) -> NDArray[np.bool_]:
    return np.asarray((answers.truth != -1).any(axis=1))


def share_right(truth: NDArray[Any], said: NDArray[Any]) -> float:
    """Share of images whose labeled classes are all predicted rightly."""
    return float(((truth == said) | (truth == -1)).all(axis=1).mean())


def mean_recall(truth: NDArray[Any], said: NDArray[Any]) -> float:
    """Balanced accuracy of exclusive classes: recall, averaged over the classes that occur."""
    return _mean([share_of_true(t, s) for t, s in zip(truth.T == 1, said.T == 1, strict=True)])


def mean_of_both_sides(truth: NDArray[Any], said: NDArray[Any]) -> float:
    """Balanced accuracy of labels: the mean of sensitivity and specificity of each."""
    pairs = [
        (share_of_true(t == 1, s == 1), share_of_true(t == 0, s == 0))
        for t, s in zip(truth.T, said.T, strict=True)
    ]
    return _mean([_mean(pair) for pair in pairs])


def share_of_true(truth: NDArray[Any], said: NDArray[Any]) -> float:
    """Recall: share of true values (1) that are predicted."""
    there = truth == 1
    return float(said[there].mean()) if there.any() else float("nan")


def _overlap(ratios: Callable[..., NDArray[Any]]) -> Scorer:
    """Sum the pixel counts (n, 4, k) over the images, and average over the findings."""

    def score(counts: NDArray[Any], _: NDArray[Any]) -> float:
        both, true, predicted, labeled = counts.sum(axis=0)[:, None]
        total = PixelCounts(both, true, predicted, labeled, multilabel=True)
        return mean_of_rows(ratios(total, "ignore"))

    return score


def _mean_of_both(distances: NDArray[Any], _: NDArray[Any]) -> float:
    return _mean(distances.ravel())


def _mean(values: Any) -> float:
    """Average the values that are not NaN; NaN if there are none."""
    finite = np.asarray(values, dtype=float)
    finite = finite[~np.isnan(finite)]
    return float(finite.mean()) if finite.size else float("nan")
