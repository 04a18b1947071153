"""Simulate few labels: choose a fraction of them, and hide the others."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length

from segclf.axes import is_indicator
from segclf.data.iterative_stratification import Indices, deal, shuffled, units_of
from segclf.data.labels import LabelsLike, as_label_array, is_labeled
from segclf.data.multilabel_split import label_indicator


def label_fraction(
    y: LabelsLike,
    fraction: float,
    *,
    groups: ArrayLike | None = None,
    random_state: Any = None,
) -> Indices:
    """Choose a fraction of the labeled samples: stratified, with whole groups and every class.

    It uses iterative stratification, like `MultilabelStratifiedGroupKFold`. Every class has at
    least one sample. With an indicator, so do the presence and the absence of each label, if they
    occur. If the fraction is too small for that, more samples are chosen.

    Parameters
    ----------
    y : array of shape (n,) or (n, k)
        Labels, or a multi-label indicator. Unlabeled ones (-1, None, NaN) are never chosen.
    fraction : float
        Fraction of the labeled samples, in (0, 1].
    groups : array of shape (n,), optional
        Samples of one group, such as a patient, are chosen together or not at all.
    random_state : int, RandomState or None
        Decides which samples are chosen.

    Returns
    -------
    array of int
        The indices of the chosen samples, in ascending order.

    Raises
    ------
    ValueError
        If `fraction` is not in (0, 1], or nothing is labeled.

    See Also
    --------
    keep_labels : Hides the labels or masks of the others.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.data import keep_labels, label_fraction
    >>> y = np.array([0] * 16 + [1] * 4)
    >>> rows = label_fraction(y, 0.25, random_state=0)
    >>> y[rows].tolist()
    [0, 0, 0, 0, 1]
    >>> (keep_labels(y, rows) == -1).sum()
    np.int64(15)
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction={fraction!r}; expected a number above 0 and at most 1.")
    labels = as_label_array(y)
    check_consistent_length(labels, groups)
    labeled = is_labeled(labels).reshape(len(labels), -1).any(axis=1)
    rows = np.flatnonzero(labeled)
    if not len(rows):
        raise ValueError(f"None of the {len(labels)} samples has a label to choose.")
    classes = label_indicator(labels)[rows]
    some = None if groups is None else np.asarray(groups)[rows]
    units, counts, sizes = units_of(classes, some)
    random = check_random_state(random_state)
    order = shuffled(len(sizes), random)
    chosen = np.empty(len(sizes), dtype=bool)
    shares = np.array([fraction, 1 - fraction])
    chosen[order] = deal(counts[order], sizes[order], shares, random) == 0
    absent = is_labeled(labels[rows]) & ~classes if is_indicator(labels) else classes
    needed = units_of(np.hstack([classes, absent]), some)[1] > 0
    return rows[_with_every_class(chosen, needed, sizes, order)[units]]


def keep_labels(y: Any, rows: ArrayLike) -> Any:
    """Return labels or masks with all but some of them hidden.

    Parameters
    ----------
    y : array of shape (n,), (n, k), (n, h, w) or (n, k, h, w), or list of n
        Labels, an indicator or masks; they are not modified.
    rows : array of int
        The samples that keep their labels or masks.

    Returns
    -------
    array or list
        Hidden items are -1 throughout in an array of numbers, None in an array of text or a list.

    Examples
    --------
    >>> from segclf.data import keep_labels
    >>> keep_labels(["ill", "well", "ill"], [1])
    [None, 'well', None]
    """
    kept = {int(row) for row in np.asarray(rows)}
    if isinstance(y, list | tuple):
        return [each if row in kept else None for row, each in enumerate(y)]
    values = as_label_array(y)
    is_number = values.dtype.kind in "biuf"
    values = values.astype(np.promote_types(values.dtype, np.int8) if is_number else object)
    values[[row for row in range(len(values)) if row not in kept]] = -1 if is_number else None
    return values


def _with_every_class(
    chosen: NDArray[np.bool_], needed: NDArray[np.bool_], sizes: NDArray[np.int64], order: Indices
) -> NDArray[np.bool_]:
    """Add units until every class occurs, first those with many missing classes and few samples."""
    chosen = chosen.copy()
    while True:
        missing = needed.any(axis=0) & ~needed[chosen].any(axis=0)
        if not missing.any():
            return chosen
        n_missing = needed[order][:, missing].sum(axis=1)
        best = np.lexsort((sizes[order], -n_missing))[0]
        chosen[order[best]] = True
