"""Fill polygons: a pixel is covered if its center is inside, by the even-odd rule."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAX_COORDINATE", "MAX_POINTS", "fill_polygon"]

#: Limit for one polygon; people and tools make some thousands.
MAX_POINTS = 100_000
#: Larger coordinates are considered errors.
MAX_COORDINATE = 1e6
_AT_ONCE = 2**20


def fill_polygon(
    points: NDArray[np.float64], size: tuple[int, int]
) -> tuple[int, int, NDArray[np.bool_]]:
    """Fill a polygon.

    The upper left corner of an image is (0, 0) and its lower right corner is (w, h), so the center
    of the pixel in row r and column c is (c + 0.5, r + 0.5). A pixel is inside if a line from its
    center to the left crosses the border an odd number of times. A center exactly on the border is
    inside if the interior is to the right or below. Polygons with a common border thus share no
    pixel and leave no gap. Parts beyond the image are cut off.

    Parameters
    ----------
    points : array of shape (n, 2)
        x (to the right) and y (down) in pixels; the last point is joined to the first.
    size : (int, int)
        Height and width of the image.

    Returns
    -------
    top, left : int
        Position of the patch in the image.
    patch : array of bool, shape (m, n)
        True inside the polygon. It contains the part of the polygon in the image and may be empty.

    Examples
    --------
    >>> top, left, patch = fill_polygon(np.array([[1, 1], [4, 1], [4, 3], [1, 3.0]]), (5, 5))
    >>> top, left, patch.shape, patch.all()
    (1, 1, (2, 3), np.True_)
    """
    lows = [_first_middle(points[:, axis].min(), size[1 - axis]) for axis in (0, 1)]
    highs = [_first_middle(points[:, axis].max(), size[1 - axis]) for axis in (0, 1)]
    (left, top), (right, bottom) = lows, highs
    crossings = np.zeros((max(bottom - top, 0), max(right - left, 0) + 1), dtype=np.int32)
    if crossings.size == 0:
        return top, left, np.zeros((0, 0), dtype=bool)
    for rows, x in _crossings(points, top, bottom):
        columns = np.clip(np.ceil(x - 0.5) - left, 0, right - left).astype(np.intp)
        np.add.at(crossings, (rows - top, columns), 1)
    return top, left, (np.cumsum(crossings[:, :-1], axis=1) % 2).astype(bool)


def _first_middle(coordinate: float, side: int) -> int:
    """Return the first pixel whose center is at or after a coordinate."""
    return int(np.clip(np.ceil(coordinate - 0.5), 0, side))


def _crossings(
    points: NDArray[np.float64], top: int, bottom: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64]]]:
    """Yield rows and the crossings of the border with their center lines, in chunks."""
    ends = np.roll(points, -1, axis=0)
    upper = np.where((points[:, 1] <= ends[:, 1])[:, None], points, ends)
    lower = np.where((points[:, 1] <= ends[:, 1])[:, None], ends, points)
    first = np.clip(np.ceil(upper[:, 1] - 0.5), top, bottom).astype(np.intp)
    n_rows = np.clip(np.ceil(lower[:, 1] - 0.5), top, bottom).astype(np.intp) - first
    height = lower[:, 1] - upper[:, 1]
    slope = np.divide(lower[:, 0] - upper[:, 0], height, where=height > 0, out=0 * height)
    until = np.cumsum(n_rows)
    for start in range(0, int(until[-1]), _AT_ONCE):
        numbers = np.arange(start, min(start + _AT_ONCE, int(until[-1])))
        edges = np.searchsorted(until, numbers, side="right")
        rows = first[edges] + numbers - (until[edges] - n_rows[edges])
        yield rows, upper[edges, 0] + (rows + 0.5 - upper[edges, 1]) * slope[edges]
