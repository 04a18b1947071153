"""Thresholds of a teacher's maps, chosen so that its masks agree with expert masks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.axes import across
from segclf.data import Masks
from segclf.metrics import best_of_counts, count_scores

__all__ = ["best_cuts", "cut"]

N_LEVELS = 65
# Teachers of the folds have fewer masks and are less confident than the one that predicts. A lower
# threshold than this reflects only that: for 10 findings in lgg_mri three folds chose .0001, where
# the teacher of all masks had an IoU of .33, but .46 from .05 to .5.
LEAST = 0.1


def best_cuts(masks: Masks, maps: dict[int, NDArray[Any]]) -> NDArray[np.float64]:
    """Choose the threshold of each class that maximizes the IoU over all pixels of some images.

    Candidates are quantiles of the probabilities where masks show the class, so that each finds a
    fixed share of its pixels, however confident the teacher is. They are at least .1.

    Parameters
    ----------
    masks : Masks
        Masks of all images.
    maps : dict of int to array (n_classes, h, w)
        Probabilities of some images, by row, from a teacher that has not seen their masks.

    Returns
    -------
    array of shape (k,)
        Threshold of each class without the background; one half for a class that no mask shows.
    """
    background = int(not masks.multilabel)
    cuts = np.full(masks.n_classes - background, 0.5)
    for number in range(len(cuts)):
        pairs = [
            (
                _truth(masks[row], number, multilabel=masks.multilabel),
                maps[row][number + background].astype(np.float64),
            )
            for row in maps
        ]
        inside = np.concatenate([scores[truth == 1] for truth, scores in pairs])
        if len(inside):
            cuts[number] = _best_cut(pairs, inside)
    return cuts


def _best_cut(pairs: list[Any], inside: NDArray[np.float64]) -> float:
    levels = np.quantile(inside, np.linspace(0, 1, N_LEVELS), method="lower")
    # A pixel with the value of a level is found, since it exceeds the number just below.
    grid = np.unique(np.nextafter(np.maximum(levels, LEAST), -1))
    flat = [(truth.reshape(1, -1), scores.reshape(1, 1, -1)) for truth, scores in pairs]
    counts = sum(count_scores(truth, scores, grid) for truth, scores in flat)
    return float(best_of_counts(np.asarray(counts), grid)[0])


def _truth(mask: Any, number: int, *, multilabel: bool) -> NDArray[np.int64]:
    """Return where a class is present (1), absent (0) or unlabeled (-1)."""
    if multilabel:
        return mask[number]
    return np.where(mask < 0, -1, mask == number + 1)


def cut(
    probabilities: NDArray[Any],
    cuts: NDArray[Any] | None,
    margin: float | None,
    *,
    multilabel: bool,
) -> NDArray[np.int16]:
    """Decide each pixel of an image.

    Parameters
    ----------
    probabilities : array (n_classes, h, w), or (n_classes, d, h, w) of a volume
        Probability of each class; exclusive classes have the background first.
    cuts : array of shape (k,) or (1,), or None
        A class is predicted where its probability exceeds its threshold; of several exclusive
        classes, the one that exceeds it most. None means the most probable class, or at least one
        half.
    margin : float or None
        Pixels within this distance of the decision boundary become -1; without `cuts`, pixels whose
        largest probability is at most one half plus this.
    multilabel : bool
        Whether classes may overlap.

    Returns
    -------
    array (h, w) of ids or (k, h, w) of 0 and 1
        int16; -1 within the margin.

    Examples
    --------
    >>> maps = np.array([[[0.9, 0.6, 0.3]], [[0.1, 0.4, 0.7]]])
    >>> cut(maps, np.array([0.25]), None, multilabel=False).tolist()
    [[0, 1, 1]]
    >>> cut(maps, np.array([0.25]), 0.2, multilabel=False).tolist()
    [[-1, -1, 1]]
    """
    if cuts is None:
        decided, sure = _most_probable(probabilities, multilabel=multilabel)
    else:
        above = probabilities[int(not multilabel) :] - across(np.ravel(cuts), probabilities)
        decided, sure = above > 0, np.abs(above) + 0.5
        if not multilabel:
            best = above.max(axis=0)
            decided = np.where(best > 0, above.argmax(axis=0) + 1, 0)
            sure = np.abs(best) + 0.5
    mask = decided.astype(np.int16)
    return mask if margin is None else np.where(sure > 0.5 + margin, mask, np.int16(-1))


def _most_probable(maps: NDArray[Any], *, multilabel: bool) -> tuple[NDArray[Any], NDArray[Any]]:
    if multilabel:
        return maps >= 0.5, np.maximum(maps, 1 - maps)
    return maps.argmax(axis=0), maps.max(axis=0)
