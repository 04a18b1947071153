"""Labels as users pass them: text or numbers, and the values that mean "unlabeled"."""

from collections.abc import Sequence
from numbers import Real
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse

#: Labels (n,), or a multi-label indicator (n, k): an array, a list, a tensor, a Series.
#: -1, None, NaN and pandas.NA all mean unlabeled, among text and among numbers.
LabelsLike: TypeAlias = ArrayLike | Sequence[Any]

# The text that NumPy makes of -1 and NaN in an array of text.
_UNKNOWN_TEXTS = frozenset({"-1", "-1.0", "nan"})
_UNKNOWN_TYPES = frozenset({"NAType", "NaTType", "NoneType"})


def as_label_array(y: LabelsLike) -> NDArray[Any]:
    """Return labels as an array that keeps text distinct from numbers and from None.

    Parameters
    ----------
    y : array-like

    Returns
    -------
    array
        It has object dtype if a list mixes text with anything else. Sparse matrices are unchanged.

    Examples
    --------
    >>> as_label_array(["ill", -1]).tolist()
    ['ill', -1]
    """
    values: Any = y
    if issparse(values):
        return values
    dtype = getattr(values, "dtype", None)
    if hasattr(values, "to_numpy") and not isinstance(dtype, np.dtype | None):
        return np.array(list(values), dtype=object)  # pandas turns integers with NA into floats
    array = np.asarray(values)
    if array.dtype.kind in "US" and dtype is None:
        return np.asarray(values, dtype=object)
    return array


def is_labeled(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell labels from -1, None, NaN and pandas.NA, which all mean unlabeled.

    Parameters
    ----------
    labels : array
        From `as_label_array`. Text that NumPy made of -1 or NaN counts as unlabeled.

    Returns
    -------
    array of bool, of the same shape

    Examples
    --------
    >>> is_labeled(as_label_array(["ill", None, -1, float("nan")])).tolist()
    [True, False, False, False]
    """
    if labels.dtype.kind in "if":
        return np.asarray((labels != -1) & ~np.isnan(labels))
    if labels.dtype.kind in "bu":
        return np.ones(labels.shape, dtype=bool)
    labeled = [_is_labeled(label) for label in labels.ravel().tolist()]
    return np.array(labeled, dtype=bool).reshape(labels.shape)


def natural(labels: NDArray[Any]) -> NDArray[Any]:
    """Return labels in their natural dtype.

    Parameters
    ----------
    labels : array
        For example objects that are all integers.

    Returns
    -------
    array

    Raises
    ------
    ValueError
        If text and numbers are mixed.

    Examples
    --------
    >>> natural(np.array(["a", "bc"], dtype=object)).dtype
    dtype('<U2')
    """
    if labels.dtype != object:
        return labels
    values = labels.ravel().tolist()
    texts = [isinstance(value, str | bytes) for value in values]
    if any(texts) and not all(texts):
        text, other = values[texts.index(True)], values[texts.index(False)]
        raise ValueError(
            f"Labels mix text and other values, such as {text!r} and {other!r}; expected one kind, "
            "and None or -1 if unlabeled."
        )
    return np.asarray(values).reshape(labels.shape)


def are_negative(labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which labels mean that an image shows nothing: mask id 0, or 0 in every channel.

    Examples
    --------
    >>> are_negative(np.array([[0, 0], [0, -1], [0, 1]])).tolist()
    [True, False, False]
    """
    return np.asarray((labels.reshape(len(labels), -1) == 0).all(axis=1))


def in_order_of_appearance(values: NDArray[Any]) -> NDArray[np.intp]:
    """Number values by first appearance, so that choices do not depend on their names.

    Examples
    --------
    >>> in_order_of_appearance(np.array([2, 0, 2, 1])).tolist()
    [0, 1, 0, 2]
    """
    _, firsts, positions = np.unique(values, return_index=True, return_inverse=True)
    return np.asarray(firsts.argsort().argsort()[positions])


def is_labeled_for(labels: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell labels from "unlabeled" for an estimator with these classes: -1 may be one of them.

    Parameters
    ----------
    labels : array
        From `as_label_array`.
    classes : array of shape (k,)

    Returns
    -------
    array of bool, of the shape of `labels`
    """
    labeled = is_labeled(labels)
    if classes.dtype.kind in "if" and (classes == -1).any():
        labeled |= np.asarray(labels == -1, dtype=bool)
    return labeled


def _is_labeled(label: Any) -> bool:
    if isinstance(label, str | bytes):
        return label not in _UNKNOWN_TEXTS
    if type(label).__name__ in _UNKNOWN_TYPES:
        return False
    return not (isinstance(label, Real) and (label == -1 or label != label))
