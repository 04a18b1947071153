"""Where a model that never saw an answer is confident of another one.

Confident learning (Northcutt, Jiang and Chuang, JAIR 70, 2021, section 3.1) measures each class by
the mean probability that it gets where it is the given answer: so a model that is too timid or too
sure, or a class that is rare, is judged by its own measure. There it is a threshold, and answers
beyond it are counted; here probabilities are divided by it, so that what falls short by a hair is
still ranked.

Answers are arrays (q, ...) of 0 to c - 1, and -1 for "unlabeled", with probabilities (q, c, ...):
of q questions that are asked anywhere. Exclusive classes are one question, k labels are k questions
of yes or no. Anywhere is pixels (h, w) or images (n,).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.axes import across, axes_from

Answers = NDArray[np.int64]
Probabilities = NDArray[Any]


def as_questions(
    given: NDArray[Any], probabilities: NDArray[Any], *, multilabel: bool
) -> tuple[Answers, Probabilities]:
    """Bring answers (...) with (c, ...), or multi-label (k, ...) both, to questions."""
    if multilabel:
        return given, np.stack([1 - probabilities, probabilities], axis=1)
    return given[None], probabilities[None]


class SelfConfidence:
    """The mean probability of each class where it is given, gathered batch by batch."""

    def __init__(self) -> None:
        self._sums: Any = 0.0
        self._counts: Any = 0

    def add(self, given: Answers, probabilities: Probabilities) -> None:
        """Add answers (q, ...) with probabilities (q, c, ...)."""
        here = given[:, None] == across(np.arange(probabilities.shape[1]), probabilities, axis=1)
        anywhere = axes_from(2, here)
        self._sums = self._sums + np.sum(probabilities, axis=anywhere, where=here, dtype=float)
        self._counts = self._counts + here.sum(axis=anywhere)

    def thresholds(self) -> NDArray[np.float64]:
        """Return the means (q, c); infinity for a class that is never given."""
        never = np.full(self._sums.shape, np.inf)
        return np.divide(self._sums, self._counts, out=never, where=self._counts > 0)


def doubts(
    given: Answers, probabilities: Probabilities, thresholds: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return how doubtful each answer is, and what stands against it.

    Parameters
    ----------
    given : array of shape (q, ...)
        Answers, -1 where unlabeled.
    probabilities : array of shape (q, c, ...)
        Of a model that never saw them.
    thresholds : array of shape (q, c)
        Of `SelfConfidence`.

    Returns
    -------
    doubt : array of shape (q, ...)
        0 where the given class is the likeliest by its own measure, else by which share it falls
        short of the likeliest: 1 if its probability is 0.
    rival : array of shape (q, ...)
        The likeliest class.
    """
    limits = np.expand_dims(thresholds, axes_from(2, probabilities))
    likely = probabilities / np.maximum(limits, np.finfo(float).tiny)
    own = np.take_along_axis(likely, np.maximum(given, 0)[:, None], axis=1)[:, 0]
    most = np.maximum(likely.max(axis=1), np.finfo(float).tiny)
    return np.where(given >= 0, 1 - own / most, 0.0), likely.argmax(axis=1)
