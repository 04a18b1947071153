"""Is the result better than its baseline? Measured on images that neither has seen."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing

from segclf.base import Supervision
from segclf.base.split import held_out
from segclf.methods.pseudo_label.rounds import Outcome, Rounds
from segclf.metrics import mean_iou


def parts_to_hide(
    known: Supervision, fraction: float, *, cross_fit: bool, seed: int
) -> list[NDArray[np.intp]]:
    """Return which images each run must not see.

    The first run is the one whose result counts: what is held out, or nothing. Where nothing is,
    two more runs each leave out a half of the images with masks, if there are two to tell apart.
    """
    experts = np.flatnonzero(known.masks.known)
    first = _hold_out(known, fraction, seed) if fraction > 0 else experts[:0]
    units = experts if known.groups is None else np.unique(known.groups[experts])
    if len(first) or not cross_fit or len(experts) == len(known) or len(units) < 2:
        return [first]
    half = _hold_out(known, 0.5, seed)
    return [first, half, np.setdiff1d(experts, half)]


def predict_hidden(
    rounds: Rounds,
    visible: Supervision,
    outcome: Outcome,
    hidden: NDArray[np.intp],
    *,
    baseline: bool,
) -> dict[str, list[Any]]:
    """Return what a run's result predicts of the images hidden from it, and its baseline beside."""
    if not len(hidden):
        return {}
    compared = {"result": outcome.estimator}
    if baseline:
        plain = outcome.baseline if outcome.n_iter else outcome.estimator
        compared["baseline"] = rounds.fit_baseline(visible) if plain is None else plain
    X = _safe_indexing(visible.X, hidden)
    return {name: list(segmenter.predict(X)) for name, segmenter in compared.items()}


def compare(
    known: Supervision, hidden: list[NDArray[np.intp]], predicted: list[dict[str, list[Any]]]
) -> dict[str, Any]:
    """Return the mean IoU of what was predicted, over all images that were hidden."""
    rows = np.concatenate(hidden)
    if not len(rows):
        return {"measured": "not"}
    truth = [known.masks[row] for row in rows]
    scores = {
        name: mean_iou(
            truth,
            [mask for masks in predicted for mask in masks.get(name, [])],
            n_classes=known.masks.n_classes,
        )
        for name in predicted[-1]
    }
    measured = "held_out" if len(hidden) == 1 else "cross_fitted"
    return {"measured": measured, "samples": rows, **scores}


def _hold_out(known: Supervision, fraction: float, seed: int) -> NDArray[np.intp]:
    """Choose images with masks, whole groups, stratified by whether they show anything."""
    experts = np.flatnonzero(known.masks.known)
    shows = np.array([(mask > 0).any() for mask in known.masks.as_given() if mask is not None])
    groups = None if known.groups is None else known.groups[experts]
    return experts[held_out(experts, fraction, shows, groups, seed)]
