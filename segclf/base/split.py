"""Hold images out, for validation or in folds: stratified by label, whole groups together."""

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import (
    GroupShuffleSplit,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
)
from sklearn.utils.validation import check_consistent_length

from segclf.axes import are_labels
from segclf.data import Samples, SemiSupervisedSplit
from segclf.data.labels import in_order_of_appearance

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]


def split_validation(
    samples: Samples,
    fraction: float,
    *,
    strata: NDArray[Any] | None,
    groups: ArrayLike,
    seed: int,
    keep_unlabeled: bool = True,
) -> tuple[Samples, Samples | None]:
    """Split samples into training and validation.

    Unlabeled images are never held out, unless all are unlabeled. They stay in training, or with
    ``keep_unlabeled=False`` in neither part. No group is in both parts. The split is stratified if
    each stratum has an image for either part; otherwise, and with several labels an image, it is
    random.
    """
    if groups is not None:
        groups = np.asarray(groups)
        check_consistent_length(np.empty(len(samples)), groups)
    labeled = np.flatnonzero(samples.labeled() if samples.supervised else np.ones(len(samples)))
    kept = np.arange(len(samples)) if keep_unlabeled else labeled
    if fraction == 0:
        return (samples if len(kept) == len(samples) else samples.subset(kept)), None
    strata = strata[labeled] if strata is not None and are_labels(strata) else None
    groups = None if groups is None else groups[labeled]
    chosen = labeled[held_out(labeled, fraction, strata, groups, seed)]
    return samples.subset(np.setdiff1d(kept, chosen)), samples.subset(chosen)


def held_out(
    labeled: NDArray[np.intp],
    fraction: float,
    strata: NDArray[Any] | None,
    groups: NDArray[Any] | None,
    seed: int,
) -> NDArray[np.intp]:
    """Choose positions in `known` to hold out, stratified and grouped as in `split_validation`.

    Raises
    ------
    ValueError
        If nothing would be left to learn from, or there is nothing to hold out.
    """
    counts: NDArray[Any] = np.zeros(1)
    if strata is not None and len(strata):
        strata = in_order_of_appearance(strata)
        counts = np.bincount(strata)
    n_held_out = int(np.ceil(fraction * len(labeled)))
    stratify = len(counts) <= min(n_held_out, len(labeled) - n_held_out) and counts.min() >= 2
    _require_two_parts(len(labeled), groups, fraction, stratified=stratify)
    if groups is None:
        kind = StratifiedShuffleSplit if stratify else ShuffleSplit
        splitter = kind(1, test_size=n_held_out, random_state=seed)
    elif stratify:
        n_splits = max(2, min(round(1 / fraction), len(np.unique(groups))))
        splitter = StratifiedGroupKFold(n_splits, shuffle=True, random_state=seed)
    else:
        splitter = GroupShuffleSplit(1, test_size=fraction, random_state=seed)
    return next(splitter.split(labeled, strata, groups))[1]


def split_folds(
    cv: Any, strata: NDArray[np.int64], groups: NDArray[Any] | None, *, seed: int | None
) -> list[Fold]:
    """Split images into folds, of which each image is tested once whose stratum is not -1.

    Raises
    ------
    ValueError
        If an image is in no test fold, or in several.
    """
    if isinstance(cv, Integral) and seed is not None:
        kind = StratifiedKFold if groups is None else StratifiedGroupKFold
        cv = kind(cv, shuffle=True, random_state=seed)
    folds = list(SemiSupervisedSplit(cv).split(strata, strata, groups))
    times = np.bincount(np.concatenate([test for _, test in folds]), minlength=len(strata))
    for sample in np.flatnonzero(times != (strata >= 0))[:1]:
        raise ValueError(
            f"cv={cv!r:.80} must test every image once, as KFold does; it tests sample "
            f"{sample} {times[sample]} times."
        )
    return folds


def _require_two_parts(
    n_labeled: int, groups: NDArray[Any] | None, fraction: float, *, stratified: bool
) -> None:
    n_units, what = n_labeled, "labeled image(s)"
    if groups is not None:
        n_units, what = len(np.unique(groups)), "group(s) of labeled images"
    # Stratified splits of whole groups always leave some to learn from.
    n_held_out = 1 if stratified and groups is not None else int(np.ceil(fraction * n_units))
    if n_held_out >= n_units:
        raise ValueError(
            f"validation_fraction={fraction} would hold out {n_held_out} of {n_units} {what}, "
            "which leaves none to learn from. Set validation_fraction to 0 or a smaller value, or "
            "label more images."
        )
