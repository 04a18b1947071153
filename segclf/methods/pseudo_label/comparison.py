"""Compare the result with its baseline, on images that neither was trained on."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing

from segclf.base import Supervision
from segclf.base.split import held_out
from segclf.methods.pseudo_label.rounds import Outcome, Rounds
from segclf.metrics import mean_iou


class Comparison:
    """Hides images from runs, and scores the runs' predictions for them.

    Parameters
    ----------
    supervision : Supervision
        All annotations.
    validation_fraction : float
        Share of the images with masks that is hidden from the first run, whose result is kept.
    baseline : bool
        Whether to compare with the baseline. If nothing is hidden from the first run, two more runs
        follow, each without one half of the masks.
    seed : int
        Decides which images are hidden.

    Attributes
    ----------
    hidden : list of array
        Rows hidden from each run.
    outcomes : list of Outcome
        Outcome of each run.
    """

    def __init__(
        self, supervision: Supervision, validation_fraction: float, baseline: bool, seed: int
    ) -> None:
        self._supervision, self._baseline = supervision, baseline
        self.hidden = _parts_to_hide(supervision, validation_fraction, halves=baseline, seed=seed)
        self.outcomes: list[Outcome] = []
        self._predicted: dict[str, list[Any]] = {}

    def add(self, rounds: Rounds, visible: Supervision, outcome: Outcome) -> None:
        """Predict the images hidden from a run, with its result and with its baseline."""
        hidden = self.hidden[len(self.outcomes)]
        compared = {"result": outcome.estimator}
        if len(hidden) and self._baseline:
            outcome = with_baseline(rounds, visible, outcome)
            compared["baseline"] = outcome.baseline
        self.outcomes.append(outcome)
        if not len(hidden):
            return
        X = _safe_indexing(visible.X, hidden)
        for name, segmenter in compared.items():
            self._predicted.setdefault(name, []).extend(segmenter.predict(X))

    def report(self) -> dict[str, Any]:
        """Return the mean IoU over all hidden images."""
        rows = np.concatenate(self.hidden)
        if not len(rows):
            return {"measured": "not"}
        truth = [self._supervision.masks[row] for row in rows]
        of_all = self._supervision.masks
        kind: Any = {"n_classes": of_all.n_classes, "n_spatial": of_all.n_spatial}
        scores = {name: mean_iou(truth, m, **kind) for name, m in self._predicted.items()}
        measured = "held_out" if len(self.hidden) == 1 else "cross_fitted"
        return {"measured": measured, "samples": rows, **scores}


def with_baseline(rounds: Rounds, visible: Supervision, outcome: Outcome) -> Outcome:
    """Return the outcome of rounds with a fitted baseline."""
    if outcome.baseline is not None:
        return outcome
    alone = rounds.fit_baseline(visible) if outcome.n_iter else outcome.estimator
    return outcome._replace(baseline=alone)


def pseudo_masks_help(report: dict[str, Any]) -> bool:
    """Tell whether the result is no worse than its baseline; True if that was not measured."""
    return not report.get("baseline", np.nan) > report.get("result", np.nan)


def _parts_to_hide(
    supervision: Supervision, fraction: float, *, halves: bool, seed: int
) -> list[NDArray[np.intp]]:
    experts = np.flatnonzero(supervision.masks.labeled)
    first = _hold_out(supervision, fraction, seed) if fraction > 0 else experts[:0]
    complete = len(experts) == len(supervision)
    if len(first) or not halves or complete or _n_found(supervision) < 2:
        return [first]
    half = _hold_out(supervision, 0.5, seed)
    return [first, half, np.setdiff1d(experts, half)]


def _hold_out(supervision: Supervision, fraction: float, seed: int) -> NDArray[np.intp]:
    """Choose images with masks, whole groups, stratified by whether they show anything."""
    if _n_found(supervision) < 2:
        raise ValueError(
            f"validation_fraction={fraction} would hold out all {_n_found(supervision)} image(s) "
            "or group(s) whose mask shows a finding, so that none is left to train on. Set "
            "validation_fraction=0, or pass more masks."
        )
    experts = np.flatnonzero(supervision.masks.labeled)
    shows = supervision.masks.show_findings()[experts]
    groups = None if supervision.groups is None else supervision.groups[experts]
    return experts[held_out(experts, fraction, shows, groups, seed)]


def _n_found(supervision: Supervision) -> int:
    """Return the number of images, or groups, with a mask that shows a finding."""
    shows = np.flatnonzero(supervision.masks.show_findings())
    return len(shows if supervision.groups is None else np.unique(supervision.groups[shows]))
