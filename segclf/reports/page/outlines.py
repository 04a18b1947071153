"""Masks as outlines: a few corners instead of many pixels, and sharp at any size."""

from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segclf.axes import is_multilabel

LONGEST_SIDE = 400
TOLERANCE = 0.75
LONGEST_PATH = 2500


def canvas(height: int, width: int, longest_side: int = LONGEST_SIDE) -> tuple[int, int, int]:
    """Return the height and width of the grid that outlines follow, and its cell size."""
    longest = max(height, width)
    shrink = min(1.0, longest_side / longest)
    cell = max(2, round(longest_side / longest))
    return max(1, round(height * shrink)), max(1, round(width * shrink)), cell


def outlines(
    mask: NDArray[Any] | None,
    *,
    longest_side: int = LONGEST_SIDE,
    longest_path: int = LONGEST_PATH,
) -> dict[int, str]:
    """Draw the regions of a mask as SVG paths, in the units of `canvas`.

    A path stays within three quarters of a pixel of the outline. If the longer side has more than
    400 pixels, the mask is first reduced to 400, where the smallest region is one pixel. Paths
    above the limit of characters become coarser, and finally lose their smallest parts.

    Parameters
    ----------
    mask : array of shape (h, w) or (k, h, w), or None
    longest_side : int
        Longest side of the grid that outlines follow.
    longest_path : int
        Largest number of characters of all paths together.

    Returns
    -------
    dict
        Paths by mask id, or by channel counted from 1; holes follow the even-odd rule.

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.zeros((4, 8), dtype=np.uint8)
    >>> mask[1:3, 2:4] = 1
    >>> outlines(mask)
    {1: 'M100 50l0 99 99 0 0 -99z'}
    """
    if mask is None:
        return {}
    regions: Sequence[tuple[int, NDArray[np.bool_]]]
    if is_multilabel(mask):
        regions = [(k, channel == 1) for k, channel in enumerate(mask, start=1)]
    else:
        regions = [(int(k), mask == k) for k in np.unique(mask) if k > 0]
    shown = [(k, region) for k, region in regions if region.any()]
    longest = longest_path // max(len(shown), 1)
    return {k: _path(region, longest, longest_side) for k, region in shown}


def _path(region: NDArray[np.bool_], longest: int, longest_side: int) -> str:
    height, width, cell = canvas(region.shape[0], region.shape[1], longest_side)
    shape = region.astype(np.uint8)
    if shape.shape != (height, width):
        shape = cv2.resize(shape * 1.0, (width, height), interpolation=cv2.INTER_AREA)
    contours, _ = cv2.findContours(
        np.kron(shape > 0, np.ones((cell, cell), np.uint8)), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE
    )
    contours = sorted(contours, key=cv2.contourArea, reverse=True)
    loops: list[str] = []
    for coarseness in (1, 2, 4, 8, 16, 32):
        loops = list(_loops(contours, coarseness * TOLERANCE * cell))
        if sum(map(len, loops)) <= longest:
            break
    while len(loops) > 1 and sum(map(len, loops)) > longest:
        loops = loops[: len(loops) // 2]
    return "".join(loops)


def _loops(contours: Sequence[NDArray[Any]], tolerance: float) -> Iterator[str]:
    """Yield each contour as relative steps, which take fewer characters."""
    for contour in contours:
        simple = cv2.approxPolyDP(contour, tolerance, closed=True)
        points = (simple if len(simple) > 2 else contour)[:, 0]
        (x, y), steps = points[0], np.diff(points, axis=0)
        yield f"M{x} {y}l" + " ".join(f"{dx} {dy}" for dx, dy in steps) + "z"
