"""Masks of what annotators drew: polygons, boxes, ellipses, run lengths, made when looked at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segclf.axes import N_SPATIAL
from segclf.data import LazyMask, load_header
from segclf.datasets.outside_files import as_number
from segclf.datasets.polygon_filling import MAX_COORDINATE, MAX_POINTS, fill_polygon
from segclf.datasets.run_lengths import mask_of_runs

__all__ = [
    "DrawnMask",
    "Patch",
    "Polygons",
    "Runs",
    "Shape",
    "as_points",
    "box",
    "ellipse",
    "rectangle",
    "turned",
]

#: Where a patch lies in an image, row and column, and which of its pixels are inside.
Patch: TypeAlias = tuple[int, int, NDArray[np.bool_]]
_CORNERS_OF_ELLIPSE = 256


class Shape(ABC):
    """What somebody drew on an image."""

    @abstractmethod
    def patches(self, size: tuple[int, int]) -> list[Patch]:
        """Return which pixels of an image of this size it covers."""


@dataclass(frozen=True, eq=False)
class Polygons(Shape):
    """Pixels that are in any of several polygons, see `fill_polygon`.

    Parameters
    ----------
    points : tuple of array, each of shape (n, 2)
        x and y, in pixels.
    """

    points: tuple[NDArray[np.float64], ...]

    def patches(self, size: tuple[int, int]) -> list[Patch]:
        """Fill each."""
        return [fill_polygon(points, size) for points in self.points]


@dataclass(frozen=True, eq=False)
class Runs(Shape):
    """Run lengths of a part of the image, or of all of it.

    Parameters
    ----------
    counts : array of shape (n,)
        From `check_runs`.
    size : (int, int)
        Height and width of the part.
    by_columns : bool
        See `mask_of_runs`.
    top, left : int
        Where it lies.
    """

    counts: NDArray[np.int64]
    size: tuple[int, int]
    by_columns: bool
    top: int = 0
    left: int = 0

    def patches(self, size: tuple[int, int]) -> list[Patch]:
        """Give the one."""
        return [
            (self.top, self.left, mask_of_runs(self.counts, self.size, by_columns=self.by_columns))
        ]


@dataclass(frozen=True, eq=False)
class DrawnMask(LazyMask):
    """A mask that is drawn when it is looked at: what comes later covers what was before.

    Parameters
    ----------
    size : (int, int), or str
        Height and width; or the path of the image, where nothing else says them.
    shapes : tuple of (int, Shape)
        The id of each, -1 where unlabeled.
    n_channels : int
        0 for ids; of a multi-label mask how many classes there are, of which id 1 is the first.
    """

    size: tuple[int, int] | str
    shapes: tuple[tuple[int, Shape], ...]
    n_channels: int = 0

    def read(self, n_spatial: int = N_SPATIAL) -> NDArray[np.int16]:
        """Draw it, (h, w) or (k, h, w); see `LazyMask.read`."""
        if n_spatial != N_SPATIAL:
            raise ValueError("it is drawn on an image, and volumes are expected.")
        size = self.size
        if isinstance(size, str):
            header = load_header(size)
            size = header.height, header.width
        mask = np.zeros((self.n_channels, *size) if self.n_channels else size, dtype=np.int16)
        for mask_id, shape in self.shapes:
            for top, left, patch in shape.patches(size):
                part = mask[..., top : top + patch.shape[0], left : left + patch.shape[1]]
                if self.n_channels == 0 or mask_id < 0:
                    part[..., patch] = mask_id
                else:
                    part[mask_id - 1, patch] = 1
        return mask


def as_points(numbers: list[Any], where: str) -> NDArray[np.float64]:
    """Return the corners (n, 2) of a polygon.

    Parameters
    ----------
    numbers : list of float
        x and y of each in turn.
    where : str
        What has them, for the error.

    Raises
    ------
    ValueError
        For fewer than 3, too many, and for what are no finite numbers, or are far outside.
    """
    if not 6 <= len(numbers) <= 2 * MAX_POINTS:
        raise ValueError(
            f"{where}: a polygon has {len(numbers) / 2:,g} points; expected 3 to {MAX_POINTS:,}."
        )
    try:
        points = np.asarray(numbers)
    except ValueError:  # lists of several lengths
        points = np.asarray(None)
    if points.dtype.kind not in "iuf" or points.shape != (len(numbers),):
        points = np.array([as_number(each, f"{where}: a coordinate") for each in numbers])
    if not (np.abs(points) <= MAX_COORDINATE).all():
        worst = points[~(np.abs(points) <= MAX_COORDINATE)][0]
        raise ValueError(
            f"{where}: a coordinate is {worst:g}; expected a number up to {MAX_COORDINATE:g}."
        )
    return points.reshape(-1, 2).astype(np.float64)


def box(left: float, top: float, right: float, bottom: float, where: str) -> Polygons:
    """Return a box as a polygon; its pixels are those whose middle it holds."""
    corners = [left, top, right, top, right, bottom, left, bottom]
    return Polygons((as_points(corners, where),))


def rectangle(
    middle: tuple[float, float], sides: tuple[float, float], degrees: float, where: str
) -> Polygons:
    """Return a rectangle of a width and a height, turned clockwise around its middle."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2 * np.array(sides)
    return _polygon(corners, middle, degrees, where)


def ellipse(
    middle: tuple[float, float], radii: tuple[float, float], degrees: float, where: str
) -> Polygons:
    """Return an ellipse, as a polygon of the same area, turned clockwise around its middle."""
    angles = np.arange(_CORNERS_OF_ELLIPSE) * (2 * np.pi / _CORNERS_OF_ELLIPSE)
    # the polygon inside would be smaller
    wider = np.sqrt(angles[1] / np.sin(angles[1]))
    upright = wider * np.array(radii) * np.c_[np.cos(angles), np.sin(angles)]
    return _polygon(upright, middle, degrees, where)


def _polygon(
    corners: NDArray[np.float64], middle: tuple[float, float], degrees: float, where: str
) -> Polygons:
    points = turned(corners, degrees) + np.array(middle)
    return Polygons((as_points(points.ravel().tolist(), where),))


def turned(points: ArrayLike, degrees: float) -> NDArray[np.float64]:
    """Turn points (n, 2) or one (2,) around (0, 0), clockwise, as y leads downwards."""
    if degrees % 90 == 0:
        cosine, sine = ((1, 0), (0, 1), (-1, 0), (0, -1))[int(degrees // 90) % 4]
    else:
        cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.asarray(points, dtype=np.float64) @ np.array([[cosine, sine], [-sine, cosine]])
