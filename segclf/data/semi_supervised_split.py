"""Cross-validation with unlabeled samples: they are trained on, and never scored."""

import os
from collections.abc import Iterator
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import (
    BaseCrossValidator,
    GroupKFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    check_cv,
)
from sklearn.utils.metadata_routing import MetadataRequest, get_routing_for_object
from sklearn.utils.validation import _num_samples, check_consistent_length

from segclf.data.found_readers import has_known_suffix
from segclf.data.labels import as_label_array, is_labeled, natural
from segclf.data.lazy_mask import LazyMask

Indices = NDArray[np.intp]


class SemiSupervisedSplit(BaseCrossValidator):
    """Split the labeled samples; unlabeled ones are in every training fold and no test fold.

    Parameters
    ----------
    cv : int or splitter
        Splits the labeled samples as if there were no others: a number of folds, stratified if `y`
        has one dimension, with whole groups if there are groups; or any splitter of scikit-learn's
        form, such as ``KFold()``.

    Notes
    -----
    With ``groups``, which keep a patient's images together, an unlabeled sample is left out of the
    training folds whose test fold holds its group: the images of a patient are never scored by an
    estimator that saw that patient.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf import SemiSupervisedSplit
    >>> y = np.array([0, -1, 1, 0, -1, 1])
    >>> for train, test in SemiSupervisedSplit(cv=2).split(y, y):
    ...     print(train, test)
    [1 3 4 5] [0 2]
    [0 1 2 4] [3 5]
    """

    def __init__(self, cv: Any = 5) -> None:
        self.cv = cv

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Indices, Indices]]:
        """Yield the indices of each training and test fold.

        Parameters
        ----------
        X : array, list, paths or tensor
            The n samples; only their number matters.
        y : array of shape (n,), (n, k), (n, h, w) or (n, k, h, w), or list of n
            Labels or masks: -1, a row or mask of only -1, and None are unlabeled. Masks are not
            passed on to `cv`.
        groups : array of shape (n,), optional
            Group of each sample, for `cv`.

        Yields
        ------
        train, test : array of int
            In ascending order, except the test fold, which is in the order of `cv`.

        Raises
        ------
        ValueError
            If `y` is missing, has another length, or has no label at all.
        """
        if y is None:
            raise ValueError("SemiSupervisedSplit needs y to know what is labeled; y is None.")
        check_consistent_length(np.empty(_num_samples(X)), y, groups)
        rows, labels, of_labeled = part = labeled_part(y, groups)
        if not len(rows):
            raise ValueError(
                f"Nothing to score: none of the {_num_samples(X)} samples has a label."
            )
        kept = unknown = np.setdiff1d(np.arange(_num_samples(X)), rows)
        for train, test in self._splitter(labels, groups).split(*part):
            if groups is not None:
                kept = unknown[~np.isin(np.asarray(groups)[unknown], of_labeled[test])]
            yield np.sort(np.concatenate([rows[train], kept])), rows[test]

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of splits; `y` and `groups` are needed if `cv` needs them for it.

        Parameters
        ----------
        X, y, groups
            As in :meth:`split`.

        Returns
        -------
        int
            The number.
        """
        if y is None:
            return self._splitter(None, groups).get_n_splits(X, y, groups)
        part = labeled_part(y, groups)
        return self._splitter(part[1], groups).get_n_splits(*part)

    def get_metadata_routing(self) -> MetadataRequest:
        """Return what `cv` requests: groups, if it is a number or a splitter of groups."""
        return get_routing_for_object(GroupKFold() if self._is_number else self.cv)

    @property
    def _is_number(self) -> bool:
        return isinstance(self.cv, Integral)

    def _splitter(self, labels: Any, groups: Any) -> Any:
        if not self._is_number and not callable(getattr(self.cv, "get_n_splits", 0)):
            raise TypeError(
                f"cv={self.cv!r:.80}; expected a number of folds, or a splitter such as "
                "GroupKFold()."
            )
        splitter = check_cv(self.cv, labels, classifier=True)
        if self._is_number and groups is not None:
            stratified = isinstance(splitter, StratifiedKFold)
            return (StratifiedGroupKFold if stratified else GroupKFold)(splitter.n_splits)
        return splitter


def labeled_part(y: Any, groups: Any) -> tuple[Indices, Any, Any]:
    """Return the indices, labels and groups of the labeled samples; None for masks as labels."""
    if hasattr(y, "dtype") and y.dtype != np.object_:
        values = np.asarray(y)
        labeled, masks = is_labeled(values.reshape(len(values), -1)).any(axis=1), values.ndim > 2
    else:
        labeled = np.array([says_something(each) for each in y], dtype=bool)
        masks = any(_is_mask(each) for each in y)
    rows = np.flatnonzero(labeled)
    labels = None if masks else natural(as_label_array(y)[rows])
    return rows, labels, None if groups is None else np.asarray(groups)[rows]


def says_something(item: Any) -> bool:
    """Tell whether an item is labeled: not -1, only -1, None or NaN; a file counts as labeled."""
    return isinstance(item, os.PathLike) or bool(is_labeled(np.asarray(item)).any())


def _is_mask(item: Any) -> bool:
    """Tell masks and files of masks from labels; a text is a file name if a reader knows it."""
    if isinstance(item, str):
        return has_known_suffix(item)
    return isinstance(item, os.PathLike | LazyMask) or np.ndim(item) > 1
