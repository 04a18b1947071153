"""Grid search for the threshold of each class that gives the best masks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segclf.axes import is_map, is_multilabel

Maps = NDArray[Any] | Sequence[NDArray[Any]]

# CheXseg's code searches 0, .05, ..., .95.
GRID = np.arange(20) / 20


def best_thresholds(
    y_true: NDArray[Any] | Sequence[NDArray[Any] | None],
    scores: Maps,
    *,
    grid: ArrayLike = GRID,
) -> NDArray[np.float64]:
    """Find the threshold of each class that maximizes its intersection over union.

    Pixels are summed over the data set (CheXseg, Appendix A.1 of Gadgil et al., MIDL 2021, "by
    maximizing the mIoU"; classes are independent, so each has its own maximum). A pixel belongs to
    a class if its score is greater than the threshold, so the scored masks are
    ``scores > thresholds[:, None, None]``.

    Parameters
    ----------
    y_true : array of shape (n, h, w) or (n, k, h, w), or list of n arrays (h, w) or (k, h, w)
        Ids from 0, the background, to k; or (multi-label) 0 and 1 per channel. Pixels that are -1,
        and masks that are None, do not count. Masks of a list may differ in size.
    scores : array of shape (n, k, h, w), or list of n arrays (k, h, w)
        Scores of the k foreground classes: channel j belongs to id j + 1, or to channel j.
    grid : array-like of shape (t,), default=(0, 0.05, ..., 0.95)
        The thresholds to try, increasing.

    Returns
    -------
    array of shape (k,)
        The smallest of the best thresholds; NaN for a class that no mask shows.

    Raises
    ------
    ValueError
        If numbers, shapes or ids do not fit, or a score is NaN; the message names the sample.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.metrics import best_thresholds
    >>> y_true = np.array([[[1, 1, 0, 0, -1]]])
    >>> scores = np.array([[[[0.9, 0.6, 0.52, 0.1, 0.8]]]])
    >>> best_thresholds(y_true, scores)
    array([0.55])
    """
    grid = np.asarray(grid, dtype=np.float64)
    if grid.ndim != 1 or not len(grid) or not (np.diff(grid) > 0).all():
        raise ValueError(f"grid must be (t,) numbers in increasing order, got {grid.tolist()}.")
    if len(y_true) != len(scores) or not len(scores):
        raise ValueError(f"There are {len(y_true)} true masks but {len(scores)} scores.")
    counts = (
        count_scores(truth, np.asarray(score), grid, index)
        for index, (truth, score) in enumerate(zip(y_true, scores, strict=True))
        if truth is not None
    )
    nothing = np.zeros((2, len(scores[0]), len(grid) + 1), dtype=np.int64)
    return best_of_counts(sum(counts, nothing), grid)


def count_scores(
    truth: NDArray[Any], scores: NDArray[Any], grid: NDArray[np.float64], index: int = 0
) -> NDArray[np.int64]:
    """Count the labeled pixels of one image by how many thresholds their scores exceed.

    Counts of several images can be added, so only the scores of one image need to be in memory.

    Parameters
    ----------
    truth, scores : array of shape (h, w) or (k, h, w), and (k, h, w)
        As in :func:`best_thresholds`.
    grid : array of shape (t,)
        The thresholds, increasing.
    index : int
        Number of the sample, for error messages.

    Returns
    -------
    array of shape (2, k, t + 1)
        Counts of the pixels of the class, and of the others.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.metrics import best_of_counts, count_scores
    >>> truth, scores = np.array([[0, 1, 1, 0]]), np.array([[[0.1, 0.8, 0.7, 0.3]]])
    >>> grid = np.array([0.25, 0.5, 0.75])
    >>> counts = count_scores(truth, scores, grid)
    >>> counts[:, 0]
    array([[0, 0, 1, 1],
           [1, 1, 0, 0]])
    >>> best_of_counts(counts, grid)
    array([0.5])
    """
    _check(truth, scores, index)
    if not is_multilabel(truth):
        ids = np.arange(1, len(scores) + 1)[:, None, None]
        truth = np.where(truth < 0, -1, truth == ids)
    exceeded = np.searchsorted(grid, scores)
    length = len(grid) + 1
    return np.array(
        [
            [
                np.bincount(n[mask == value], minlength=length)
                for n, mask in zip(exceeded, truth, strict=True)
            ]
            for value in (1, 0)
        ]
    )


def best_of_counts(counts: NDArray[np.int64], grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Choose the threshold of each class from the counts of all images.

    Parameters
    ----------
    counts : array of shape (2, k, t + 1)
        The sum of the results of :func:`count_scores`.
    grid : array of shape (t,)
        The thresholds.

    Returns
    -------
    array of shape (k,)
        As from :func:`best_thresholds`.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.metrics import best_of_counts, count_scores
    >>> truth, scores = np.array([[0, 1, 1, 0]]), np.array([[[0.1, 0.8, 0.7, 0.3]]])
    >>> grid = np.array([0.25, 0.5, 0.75])
    >>> counts = count_scores(truth, scores, grid)
    >>> best_of_counts(counts, grid)
    array([0.5])
    """
    total = counts[0].sum(axis=1)
    # The pixels above the i-th threshold are those that exceed more than i thresholds.
    both, wrong = counts[..., :0:-1].cumsum(axis=2)[..., ::-1]
    iou = both / np.maximum(total[:, None] + wrong, 1)
    return np.where(total > 0, grid[iou.argmax(axis=1)], np.nan)


def _check(truth: NDArray[Any], scores: NDArray[Any], index: int) -> None:
    shape = scores.shape if is_multilabel(truth) else scores.shape[1:]
    if not is_map(scores) or truth.shape != shape:
        raise ValueError(
            f"Expected scores (k, h, w) and a mask (h, w) or (k, h, w); sample {index} has scores "
            f"of shape {scores.shape} and a mask of shape {truth.shape}."
        )
    highest = 1 if is_multilabel(truth) else len(scores)
    if truth.max(initial=0) > highest:
        raise ValueError(
            f"The mask of sample {index} holds {truth.max()}; expected -1 to {highest} for "
            f"scores of {len(scores)} classes."
        )
    if np.isnan(scores).any():
        raise ValueError(f"The scores of sample {index} hold NaN.")
