"""What a segmenter learns from, and the folds in which it does."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples, has_fit_parameter

from segclf.base.segmenter import Segmenter
from segclf.data import SemiSupervisedSplit, as_masks

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True, kw_only=True)
class Supervision:
    """Images, and what a segmenter is told of them.

    Parameters
    ----------
    X : images
        All n of them.
    masks : array, list or None
        As passed to ``fit``.
    told : dict
        Further arguments of ``fit``, of length n: ``labels``, ``sample_weight``, ``groups``.
    """

    X: Any
    masks: Any
    told: dict[str, Any]

    def subset(self, rows: NDArray[np.intp], segmenter: Any) -> "Supervision":
        """Return the same of some images; ours remember classes that no mask of these shows."""
        masks = self.masks
        if masks is not None and isinstance(segmenter, Segmenter):
            masks = as_masks(masks, _num_samples(self.X)).subset(rows)
            masks.n_classes = max(masks.n_classes, _highest(self.told["labels"]))
        elif masks is not None:
            masks = _safe_indexing(masks, rows)
        told = {name: _safe_indexing(values, rows) for name, values in self.told.items()}
        return Supervision(X=_safe_indexing(self.X, rows), masks=masks, told=told)


def folds_of(cv: Any, labels: NDArray[np.int64], groups: Any) -> list[Fold]:
    """Return the (training, test) rows of each fold; unlabeled images are in training alone.

    Raises
    ------
    ValueError
        When a labeled image is in no test fold, or in several.
    """
    folds = list(SemiSupervisedSplit(cv).split(labels, labels, groups))
    tested = np.sort(np.concatenate([test for _, test in folds]))
    labeled = np.flatnonzero((labels.reshape(len(labels), -1) != -1).any(axis=1))
    if not np.array_equal(tested, labeled):
        raise ValueError(
            f"cv={cv!r:.80} tests {len(tested)} times and {len(np.unique(tested))} of the "
            f"{len(labeled)} labeled images; expected each once, as KFold does."
        )
    return folds


def taken(estimator: Any, told: dict[str, Any]) -> dict[str, Any]:
    """Return those arguments that there are and that the estimator's `fit` takes."""
    return {
        name: value
        for name, value in told.items()
        if value is not None and has_fit_parameter(estimator, name)
    }


def _highest(labels: NDArray[np.int64]) -> int:
    return labels.shape[1] if labels.ndim == 2 else int(labels.max()) + 1
