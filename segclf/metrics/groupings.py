"""Group images or volumes by the size or the place of what their masks show."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segclf.axes import N_SPATIAL, N_SPATIAL_OF_VOLUMES, is_mask, is_multilabel
from segclf.metrics.overlap import Masks
from segclf.metrics.surfaces import spacings

_ROWS = {1: ("",), 2: ("upper", "lower"), 3: ("upper", "middle", "lower")}
_COLUMNS = {1: ("",), 2: ("left", "right"), 3: ("left", "center", "right")}

_UNITS = {N_SPATIAL: "mm²", N_SPATIAL_OF_VOLUMES: "mm³"}


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


def group_by_area(
    masks: Masks,
    *,
    bins: int | Sequence[float] = 3,
    spacing: ArrayLike | None = None,
    n_spatial: int = N_SPATIAL,
) -> Grouping:
    """Group images by the size of the target, relative to the labeled pixels or in mm² or mm³.

    Parameters
    ----------
    masks : array of shape (n, h, w) or (n, k, h, w), or list of n arrays (h, w) or (k, h, w)
        The target is every pixel greater than 0; for one class give ``masks == 2``. A pixel of -1
        is unlabeled; None is an image without a mask.
    bins : int or sequence of float, default=3
        Number of groups of about equal numbers of images (quantiles). Or the shares at which to
        cut, increasing in (0, 1): m cuts make m + 1 groups, and a target at a cut belongs to the
        larger group.
    spacing : array-like of shape (n_spatial,) or (n, n_spatial), optional
        Size of a pixel along each spatial axis in millimeters, for all images or for each. Targets
        are then grouped by their size in mm² or mm³, and `bins` are in that unit.
    n_spatial : int, default=2
        3 for masks of volumes, which have d before h. `segclf.data.Masks` know it themselves.

    Returns
    -------
    Grouping
        From small to large. If quantiles are equal, there are fewer groups.

    Raises
    ------
    ValueError
        If `bins` is out of range or not increasing.

    Examples
    --------
    >>> from segclf.metrics import group_by_area
    >>> masks = np.array([[[1, 0, 0, 0]], [[1, 1, 1, 0]], [[0, 0, 0, 0]]])
    >>> group_by_area(masks, bins=[0.5])
    Grouping(group=array([ 0,  1, -1]), names=['below 50%', 'from 50%'])
    """
    n_spatial = getattr(masks, "n_spatial", n_spatial)
    areas = np.array([_area(*both, spacing is None) for both in _targets(masks, n_spatial)])
    most, unit = 1.0, "%"
    if spacing is not None:
        areas = areas * spacings(spacing, len(areas), n_spatial).prod(axis=1)
        most, unit = np.inf, _UNITS[n_spatial]
    there = areas > 0
    if isinstance(bins, int):
        if bins < 1:
            raise ValueError(f"bins must be at least 1, got {bins}.")
        shares = np.arange(1, bins) / bins
        cuts = np.unique(np.quantile(areas[there], shares)) if there.any() else np.empty(0)
    else:
        cuts = np.asarray(bins, dtype=np.float64)
        if cuts.ndim != 1 or not (np.diff(cuts, prepend=0, append=most) > 0).all():
            raise ValueError(f"bins must be a number, or increase in (0, {most:g}), got {bins}.")
    return Grouping(np.where(there, np.digitize(areas, cuts), -1), _names_of_areas(cuts, unit))


def group_by_region(
    masks: Masks, *, grid: tuple[int, int] = (3, 3), n_spatial: int = N_SPATIAL
) -> Grouping:
    """Group images by the place of the target's centroid; for volumes, its place in the slice.

    Parameters
    ----------
    masks : array or list
        As in :func:`group_by_area`.
    grid : (int, int), default=(3, 3)
        Rows and columns into which every image or slice is divided.
    n_spatial : int, default=2
        3 for masks of volumes.

    Returns
    -------
    Grouping
        Row by row, named "upper left" (of the image, not of the patient) to "lower right", or
        "row 1, column 1" and so on if there are more than three. A target of several parts has
        one centroid, that of all its pixels.

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
    n_spatial = getattr(masks, "n_spatial", n_spatial)
    index = [_cell(target, n_rows, n_columns) for target, _ in _targets(masks, n_spatial)]
    rows = _ROWS.get(n_rows) or [f"row {i + 1}" for i in range(n_rows)]
    columns = _COLUMNS.get(n_columns) or [f"column {i + 1}" for i in range(n_columns)]
    between = " " if n_rows <= 3 and n_columns <= 3 else ", "
    names = [between.join(filter(None, (row, column))) for row in rows for column in columns]
    return Grouping(np.array(index, dtype=np.int64), [name or "all" for name in names])


def _targets(masks: Masks, n_spatial: int) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Yield the target and the labeled pixels of each image, (h, w) each."""
    for index, given in enumerate(masks):
        mask = np.zeros((1,) * n_spatial) if given is None else np.asarray(given)
        if not is_mask(mask, n_spatial):
            size = "h, w" if n_spatial == N_SPATIAL else "d, h, w"
            raise ValueError(
                f"Masks must be ({size}) or (k, {size}); sample {index}: {mask.shape}."
            )
        channels = mask if is_multilabel(mask, n_spatial) else mask[None]
        yield np.asarray((channels > 0).any(axis=0)), np.asarray((channels >= 0).any(axis=0))


def _area(target: NDArray[Any], labeled: NDArray[Any], as_share: bool) -> float:
    return float(target.sum() / (max(labeled.sum(), 1) if as_share else 1))


def _cell(target: NDArray[Any], n_rows: int, n_columns: int) -> int:
    pixels = np.argwhere(target)[:, -N_SPATIAL:]
    if not len(pixels):
        return -1
    y, x = (pixels.mean(axis=0) + 0.5) / target.shape[-N_SPATIAL:]
    return int(y * n_rows) * n_columns + int(x * n_columns)


def _names_of_areas(cuts: NDArray[np.float64], unit: str) -> list[str]:
    if not len(cuts):
        return ["all"]
    if unit == "%":
        sizes, unit = [f"{100 * cut:.3g}%" for cut in cuts], ""
    else:
        sizes, unit = [f"{cut:,.0f}" if cut >= 100 else f"{cut:.3g}" for cut in cuts], f" {unit}"
    between = [f"{low} to {high}{unit}" for low, high in pairwise(sizes)]
    return [f"below {sizes[0]}{unit}", *between, f"from {sizes[-1]}{unit}"]
