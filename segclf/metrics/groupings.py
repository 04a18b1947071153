"""Groups of images by the size, and by the place, of what their masks show."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segclf.axes import is_mask
from segclf.metrics.overlap import Masks

_ROWS = {1: ("",), 2: ("upper", "lower"), 3: ("upper", "middle", "lower")}
_COLUMNS = {1: ("",), 2: ("left", "right"), 3: ("left", "center", "right")}


class Grouping(NamedTuple):
    """Which group each image is in.

    Attributes
    ----------
    group : int array of shape (n,)
        Number of the group; -1 for an image without a target, or without a mask.
    names : list of str
        Names of the groups.
    """

    group: NDArray[np.int64]
    names: list[str]


def group_by_area(masks: Masks, *, bins: int | Sequence[float] = 3) -> Grouping:
    """Group images by the share of their labeled pixels that the target covers.

    Parameters
    ----------
    masks : array of shape (n, h, w) or (n, k, h, w), or list of n arrays (h, w) or (k, h, w)
        The target is whatever is greater than 0; for one class give ``masks == 2``. -1 is a pixel
        that nobody labeled, None an image without a mask.
    bins : int or sequence of float, default=3
        Number of groups of about as many images each (quantiles), or the shares at which to cut,
        in (0, 1) and increasing: m make m + 1 groups. A target at a cut is in the larger group.

    Returns
    -------
    Grouping
        From small to large. Quantiles that are equal make fewer groups.

    Raises
    ------
    ValueError
        If `bins` are neither.

    Examples
    --------
    >>> from segclf.metrics import group_by_area
    >>> masks = np.array([[[1, 0, 0, 0]], [[1, 1, 1, 0]], [[0, 0, 0, 0]]])
    >>> group_by_area(masks, bins=[0.5])
    Grouping(group=array([ 0,  1, -1]), names=['below 50%', 'from 50%'])
    """
    areas = np.array([_area(target, labeled) for target, labeled in _targets(masks)])
    there = areas > 0
    if isinstance(bins, int):
        if bins < 1:
            raise ValueError(f"bins must be at least 1, got {bins}.")
        shares = np.arange(1, bins) / bins
        cuts = np.unique(np.quantile(areas[there], shares)) if there.any() else np.empty(0)
    else:
        cuts = np.asarray(bins, dtype=np.float64)
        if cuts.ndim != 1 or not (np.diff(cuts, prepend=0, append=1) > 0).all():
            raise ValueError(f"bins must be a number, or increase in (0, 1), got {bins}.")
    return Grouping(np.where(there, np.digitize(areas, cuts), -1), _names_of_areas(cuts))


def group_by_region(masks: Masks, *, grid: tuple[int, int] = (3, 3)) -> Grouping:
    """Group images by where the centroid of the target is.

    Parameters
    ----------
    masks : array or list
        As in :func:`group_by_area`.
    grid : (int, int), default=(3, 3)
        Rows and columns into which every image is cut.

    Returns
    -------
    Grouping
        Row by row, named "upper left" (of the image, not of the patient) to "lower right", or
        "row 1, column 1" and so on where there are more than three. Where a target has several
        parts, the centroid of all counts.

    Raises
    ------
    ValueError
        If `grid` is not two positive numbers.

    Examples
    --------
    >>> from segclf.metrics import group_by_region
    >>> masks = np.zeros((3, 6, 6), dtype=int)
    >>> masks[0, 0, 5] = masks[1, 2:4, 2:4] = 1
    >>> group_by_region(masks, grid=(2, 1))
    Grouping(group=array([ 0,  1, -1]), names=['upper', 'lower'])
    >>> grouping = group_by_region(masks)
    >>> [grouping.names[number] for number in grouping.group[:2]]
    ['upper right', 'middle center']
    """
    n_rows, n_columns = grid
    if min(grid) < 1:
        raise ValueError(f"grid must be two positive numbers, got {grid}.")
    index = [_cell(target, n_rows, n_columns) for target, _ in _targets(masks)]
    rows = _ROWS.get(n_rows) or [f"row {i + 1}" for i in range(n_rows)]
    columns = _COLUMNS.get(n_columns) or [f"column {i + 1}" for i in range(n_columns)]
    between = " " if n_rows <= 3 and n_columns <= 3 else ", "
    names = [between.join(filter(None, (row, column))) for row in rows for column in columns]
    return Grouping(np.array(index, dtype=np.int64), [name or "all" for name in names])


def _targets(masks: Masks) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Give where each image's target is, and where it is labeled, (h, w) each."""
    for index, given in enumerate(masks):
        mask = np.zeros((1, 1)) if given is None else np.asarray(given)
        if not is_mask(mask):
            raise ValueError(f"Masks must be (h, w) or (k, h, w); sample {index}: {mask.shape}.")
        channels = mask.reshape(-1, *mask.shape[-2:])
        yield np.asarray((channels > 0).any(axis=0)), np.asarray((channels >= 0).any(axis=0))


def _area(target: NDArray[Any], labeled: NDArray[Any]) -> float:
    return float(target.sum() / max(labeled.sum(), 1))


def _cell(target: NDArray[Any], n_rows: int, n_columns: int) -> int:
    pixels = np.argwhere(target)
    if not len(pixels):
        return -1
    y, x = (pixels.mean(axis=0) + 0.5) / target.shape
    return int(y * n_rows) * n_columns + int(x * n_columns)


def _names_of_areas(cuts: NDArray[np.float64]) -> list[str]:
    if not len(cuts):
        return ["all"]
    shares = [f"{100 * cut:.3g}%" for cut in cuts]
    between = [f"{low} to {high}" for low, high in pairwise(shares)]
    return [f"below {shares[0]}", *between, f"from {shares[-1]}"]
