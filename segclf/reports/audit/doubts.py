"""How confidently a model contradicts annotations that it was not trained on.

Confident learning (Northcutt, Jiang and Chuang, JAIR 70, 2021, section 3.1) uses one threshold for
each class: its mean probability where it is the given class. This corrects for models that are
under- or overconfident and for rare classes. The paper counts answers beyond the threshold. Here
probabilities are divided by it, so that answers just below it are ranked too.

Answers are arrays (q, ...) of 0 to c - 1, or -1 for "unlabeled", with probabilities (q, c, ...) for
q questions. Exclusive classes are one question; k multi-label classes are k binary questions. The
other axes are pixels (h, w) or images (n,).
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
    """Reshape answers (...) with probabilities (c, ...), or both multi-label (k, ...)."""
    if multilabel:
        return given, np.stack([1 - probabilities, probabilities], axis=1)
    return given[None], probabilities[None]


class SelfConfidence:
    """The mean probability of each class where it is given, accumulated over batches."""

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
    """Return how doubtful each answer is, and which class is likelier.

    Parameters
    ----------
    given : array of shape (q, ...)
        Answers, -1 where unlabeled.
    probabilities : array of shape (q, c, ...)
        Predicted by a model that was not trained on the answers.
    thresholds : array of shape (q, c)
        From `SelfConfidence`.

    Returns
    -------
    doubt : array of shape (q, ...)
        0 where the given class is the likeliest, relative to the thresholds. Otherwise the share
        by which it falls short of the likeliest; 1 if its probability is 0.
    rival : array of shape (q, ...)
        The likeliest class.
    """
    limits = np.expand_dims(thresholds, axes_from(2, probabilities))
    likely = probabilities / np.maximum(limits, np.finfo(float).tiny)
    own = np.take_along_axis(likely, np.maximum(given, 0)[:, None], axis=1)[:, 0]
    most = np.maximum(likely.max(axis=1), np.finfo(float).tiny)
    return np.where(given >= 0, 1 - own / most, 0.0), likely.argmax(axis=1)
