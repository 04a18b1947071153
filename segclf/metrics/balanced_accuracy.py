"""Balanced accuracy, in which rare classes count as much as common ones."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def balanced_accuracy(truth: NDArray[Any], decided: NDArray[Any], *, exclusive: bool) -> float:
    """Average the recall of exclusive classes, or sensitivity and specificity of multi-label ones.

    Parameters
    ----------
    truth : array of shape (n, k)
        1 where an image is of a class, else 0; -1 where unlabeled.
    decided : array of shape (n, k)
        Predicted labels, 0 or 1.
    exclusive : bool
        Whether an image is of exactly one class. If so, return the mean recall of the classes that
        occur. Otherwise return the mean of (sensitivity + specificity) / 2 over the labels for
        which both values occur.

    Returns
    -------
    float
        NaN where there is nothing to average.

    Examples
    --------
    >>> truth, decided = np.array([[1, 0], [1, 0], [0, 1]]), np.array([[1, 0], [0, 1], [0, 1]])
    >>> balanced_accuracy(truth, decided, exclusive=True)
    0.75
    """
    values = []
    for said, found in zip(truth.T, decided.T, strict=True):
        recalls = [(found[said == value] == value).mean() for value in (0, 1) if value in said]
        if exclusive and 1 in said:
            values.append(recalls[-1])
        elif not exclusive and len(recalls) == 2:
            values.append(np.mean(recalls))
    return float(np.mean(values)) if values else float("nan")
