"""Masks of drawn shapes (polygons, boxes, ellipses, run lengths), drawn when they are read."""

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

#: Row and column of a patch in an image, and its pixels.
Patch: TypeAlias = tuple[int, int, NDArray[np.bool_]]
_CORNERS_OF_ELLIPSE = 256


class Shape(ABC):
    """A shape drawn on an image."""

    @abstractmethod
    def patches(self, size: tuple[int, int]) -> list[Patch]:
        """Return the pixels that it covers in an image of this size."""


@dataclass(frozen=True, eq=False)
class Polygons(Shape):
    """Pixels inside any of several polygons; see `fill_polygon`.

    Parameters
    ----------
    points : tuple of array, each of shape (n, 2)
        x and y, in pixels.
    """

    points: tuple[NDArray[np.float64], ...]

    def patches(self, size: tuple[int, int]) -> list[Patch]:
        """Fill each polygon."""
        return [fill_polygon(points, size) for points in self.points]


@dataclass(frozen=True, eq=False)
class Runs(Shape):
    """Run lengths of the whole image or of a part of it.

    Parameters
    ----------
    counts : array of shape (n,)
        From `check_runs`.
    size : (int, int)
        Height and width of the part.
    by_columns : bool
        See `mask_of_runs`.
    top, left : int
        Position of the part.
    """

    counts: NDArray[np.int64]
    size: tuple[int, int]
    by_columns: bool
    top: int = 0
    left: int = 0

    def patches(self, size: tuple[int, int]) -> list[Patch]:
        """Return its only patch."""
        return [
            (self.top, self.left, mask_of_runs(self.counts, self.size, by_columns=self.by_columns))
        ]


@dataclass(frozen=True, eq=False)
class DrawnMask(LazyMask):
    """A mask that is drawn when it is read; later shapes cover earlier ones.

    Parameters
    ----------
    size : (int, int), or str
        Height and width; or the path of the image if they are not known otherwise.
    shapes : tuple of (int, Shape)
        Shapes with their ids; -1 means unlabeled.
    n_channels : int
        0 for a mask of ids. For a multi-label mask, the number of classes; id 1 is the first.
    """

    size: tuple[int, int] | str
    shapes: tuple[tuple[int, Shape], ...]
    n_channels: int = 0

    def read(self, n_spatial: int = N_SPATIAL) -> NDArray[np.int16]:
        """Draw the mask, (h, w) or (k, h, w); see `LazyMask.read`."""
        if n_spatial != N_SPATIAL:
            raise ValueError("it is drawn on an image, but volumes are expected.")
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
        x and y of each corner, alternating.
    where : str
        Description of the source, for the error message.

    Raises
    ------
    ValueError
        If there are fewer than 3 or too many corners, or a coordinate is not finite or far outside.
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
    """Return a box as a polygon; it covers the pixels whose centers are inside."""
    corners = [left, top, right, top, right, bottom, left, bottom]
    return Polygons((as_points(corners, where),))


def rectangle(
    middle: tuple[float, float], sides: tuple[float, float], degrees: float, where: str
) -> Polygons:
    """Return a rectangle that is rotated clockwise around its center."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2 * np.array(sides)
    return _polygon(corners, middle, degrees, where)


def ellipse(
    middle: tuple[float, float], radii: tuple[float, float], degrees: float, where: str
) -> Polygons:
    """Return an ellipse, rotated clockwise around its center, as a polygon of equal area."""
    angles = np.arange(_CORNERS_OF_ELLIPSE) * (2 * np.pi / _CORNERS_OF_ELLIPSE)
    # an inscribed polygon would be smaller
    wider = np.sqrt(angles[1] / np.sin(angles[1]))
    upright = wider * np.array(radii) * np.c_[np.cos(angles), np.sin(angles)]
    return _polygon(upright, middle, degrees, where)


def _polygon(
    corners: NDArray[np.float64], middle: tuple[float, float], degrees: float, where: str
) -> Polygons:
    points = turned(corners, degrees) + np.array(middle)
    return Polygons((as_points(points.ravel().tolist(), where),))


def turned(points: ArrayLike, degrees: float) -> NDArray[np.float64]:
    """Rotate points (n, 2) or (2,) around (0, 0), clockwise since y points down."""
    if degrees % 90 == 0:
        cosine, sine = ((1, 0), (0, 1), (-1, 0), (0, -1))[int(degrees // 90) % 4]
    else:
        cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.asarray(points, dtype=np.float64) @ np.array([[cosine, sine], [-sine, cosine]])
