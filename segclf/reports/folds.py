"""Folds in which every image with an answer is tested once."""

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from segclf.data import SemiSupervisedSplit

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]


def split_folds(cv: Any, strata: NDArray[np.int64], groups: Any, seed: int) -> list[Fold]:
    """Split images, stratified and with whole groups where `cv` is a number of folds.

    Images whose stratum is -1 are trained on and never tested.

    Raises
    ------
    ValueError
        If another image is in no test fold, or in several.
    """
    if isinstance(cv, Integral):
        kind = StratifiedKFold if groups is None else StratifiedGroupKFold
        cv = kind(cv, shuffle=True, random_state=seed)
    folds = list(SemiSupervisedSplit(cv).split(strata, strata, groups))
    tested = np.bincount(np.concatenate([test for _, test in folds]), minlength=len(strata))
    for sample in np.flatnonzero(tested != (strata >= 0))[:1]:
        raise ValueError(
            f"cv must test every image once; it tests sample {sample} {tested[sample]} times."
        )
    return folds
