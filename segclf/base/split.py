"""Hold images out for validation: stratified by label, whole groups together."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import (
    GroupShuffleSplit,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedShuffleSplit,
)
from sklearn.utils.validation import check_consistent_length

from segclf.data import Samples


def split_validation(
    samples: Samples,
    fraction: float,
    *,
    strata: NDArray[Any] | None,
    groups: Any,
    seed: int,
    keep_unlabeled: bool = True,
) -> tuple[Samples, Samples | None]:
    """Split samples into training and validation.

    Images of which nothing is known are never held out, unless nothing is known of any. They stay
    in training, or with ``keep_unlabeled=False`` in neither part. With groups, no group is in both
    parts. Stratified wherever each stratum has an image for either part; otherwise, and with
    several labels an image, split at random.
    """
    if groups is not None:
        groups = np.asarray(groups)
        check_consistent_length(np.empty(len(samples)), groups)
    known = np.flatnonzero(samples.known() if samples.supervised else np.ones(len(samples)))
    kept = np.arange(len(samples)) if keep_unlabeled else known
    if fraction == 0:
        return (samples if len(kept) == len(samples) else samples.subset(kept)), None
    strata = strata[known] if strata is not None and strata.ndim == 1 else None
    groups = None if groups is None else groups[known]
    chosen = known[held_out(known, fraction, strata, groups, seed)]
    return samples.subset(np.setdiff1d(kept, chosen)), samples.subset(chosen)


def held_out(
    known: NDArray[np.intp],
    fraction: float,
    strata: NDArray[Any] | None,
    groups: NDArray[Any] | None,
    seed: int,
) -> NDArray[np.intp]:
    """Choose positions in `known` to hold out, stratified and grouped as `split_validation` is."""
    counts = np.zeros(1) if strata is None else np.unique(strata, return_counts=True)[1]
    n_held_out = int(np.ceil(fraction * len(known)))
    stratify = counts.min() >= 2 and len(counts) <= min(n_held_out, len(known) - n_held_out)
    if groups is None:
        kind = StratifiedShuffleSplit if stratify else ShuffleSplit
        splitter = kind(1, test_size=n_held_out, random_state=seed)
    elif stratify:
        n_splits = max(2, min(round(1 / fraction), len(np.unique(groups))))
        splitter = StratifiedGroupKFold(n_splits, shuffle=True, random_state=seed)
    else:
        splitter = GroupShuffleSplit(1, test_size=fraction, random_state=seed)
    return next(splitter.split(known, strata, groups))[1]
