"""Try encoders in the same folds, the cheapest first, until the time limit."""

import tempfile
import warnings
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import _safe_indexing

from segclf.base.nothing_found import NothingFoundWarning
from segclf.base.split import Fold
from segclf.metrics import mean_iou
from segclf.metrics.mean_auroc import mean_auroc
from segclf.progress import counted
from segclf.reports.proposal.candidates import Candidate
from segclf.reports.proposal.explicit import explicit, network_of, with_network
from segclf.reports.proposal.labeled_images import LabeledImages
from segclf.reports.proposal.pace import Pace, pace_of
from segclf.reports.proposal.result import EncoderTrial


@dataclass
class Trials:
    """Trials of encoders, one after the other.

    Parameters
    ----------
    data : LabeledImages
        All images.
    folds : list of (train, test)
        The same folds for all encoders.
    seed : int
        Seed of every training.
    max_seconds : float or None
        Time limit, counted from now, after which no training is started. A training takes at most
        half of the time that is left, since its maps have not been computed yet.

    Attributes
    ----------
    paces : dict
        Pace of each trained candidate, measured in its first fold, which encodes the images.
    """

    data: LabeledImages
    folds: list[Fold]
    seed: int
    max_seconds: float | None
    started: float = field(default_factory=lambda: perf_counter())
    paces: dict[Candidate, Pace] = field(default_factory=dict)

    def run(self, candidates: list[Candidate]) -> list[EncoderTrial]:
        """Return the trials that were completed, the cheapest first."""
        trials: list[EncoderTrial] = []
        for candidate in counted(candidates, "proposal", total=len(candidates), unit="encoders"):
            trial = self._run_one(candidate)
            if trial is None:
                break
            trials.append(trial)
        return trials

    def _run_one(self, candidate: Candidate) -> EncoderTrial | None:
        estimator = half_as_long(explicit(self.data, candidate, self.seed))
        scores: list[tuple[float, float]] = []
        with tempfile.TemporaryDirectory() as folder:
            with_network(estimator, memory=folder)
            folds = counted(self.folds, candidate.encoder, total=len(self.folds), unit="folds")
            for train, test in folds:
                fitted = self._fit(estimator, candidate, train)
                if fitted is None:
                    return None
                scores.append(self._scores(fitted, test))
        auroc, iou = np.array(scores).T
        return EncoderTrial(*candidate, auroc=auroc, iou=iou)

    def _fit(self, estimator: Any, candidate: Candidate, train: NDArray[np.intp]) -> Any:
        """Return a fitted clone, or None if its training did not end in time."""
        begin = perf_counter()
        left = None if self.max_seconds is None else self.started + self.max_seconds - begin
        if left is not None and left <= 0:
            return None
        unfitted = with_network(clone(estimator), max_seconds=None if left is None else left / 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NothingFoundWarning)  # the scores say it
            fitted = self.data.supervision.subset(train).fit(unfitted)
        network = network_of(fitted)
        share = len(train) / len(self.data.truth)
        self.paces.setdefault(candidate, pace_of(network, perf_counter() - begin, share))
        return None if network.termination_condition_ == "max_seconds" else fitted

    def _scores(self, fitted: Any, test: NDArray[np.intp]) -> tuple[float, float]:
        images = _safe_indexing(self.data.supervision.X, test)
        answers, predicted = fitted._predict_with_masks(images)
        auroc = mean_auroc(self.data.truth[test], answers)
        if predicted is None:
            return auroc, float("nan")
        masks: Any = self.data.supervision.masks.subset(test)
        n_classes = None if masks.multilabel else masks.n_classes
        return auroc, mean_iou(masks, predicted, n_classes=n_classes)


def half_as_long(classifier: Any) -> Any:
    """Halve the training steps, in place: enough to compare encoders."""
    return with_network(classifier, max_steps=-(-network_of(classifier).max_steps // 2))


def best(trials: list[EncoderTrial]) -> EncoderTrial:
    """Return the cheapest of the encoders that equal the best by AUROC, then by IoU.

    Encoders are equal if they differ by no more than the standard error over the folds.

    Parameters
    ----------
    trials : list of EncoderTrial
        The cheapest first.
    """
    for measure in ("auroc", "iou"):
        scores = [getattr(trial, measure) for trial in trials]
        most = max(scores, key=_mean)
        trials = [trial for trial, of in zip(trials, scores, strict=True) if _as_good(of, most)]
    return trials[0]


def standard_error(values: NDArray[np.float64]) -> float:
    """Return the standard error of the mean over folds; NaN for fewer than two."""
    values = values[~np.isnan(values)]
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")


def _as_good(scores: NDArray[np.float64], most: NDArray[np.float64]) -> bool:
    less = most - scores
    if np.isnan(less).all():
        return bool(np.isnan(most).all())
    error = standard_error(less)
    return bool(np.nanmean(less) <= (0.0 if np.isnan(error) else error))


def _mean(values: NDArray[np.float64]) -> float:
    return float("-inf") if np.isnan(values).all() else float(np.nanmean(values))
