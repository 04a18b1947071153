"""The shapes themselves, as small boolean pictures to paint with."""

from collections.abc import Callable
from math import cos, floor, pi, sin, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def stamp(shape: str, radius: float) -> Array:
    """Draw one shape around the middle pixel of a small boolean picture.

    The shape reaches `radius` pixels beyond the middle pixel on each side, so that a square of
    radius 8 is 17 pixels wide: a pixel belongs to it when its centre lies inside or on the ideal
    outline of radius ``radius + 0.5``. That is a circle's radius, half a square's side, the
    distance of an octagon's sides, of a diamond's corners, or of a star's tips from the middle.

    Parameters
    ----------
    shape : str
        One of ``SHAPES``: "circle", "diamond", "octagon", "rectangle" (twice as wide as high),
        "square" or "star" (five-pointed, one tip up).
    radius : float
        In pixels, at least 0.

    Returns
    -------
    ndarray of bool, shape (2 * m + 1, 2 * m + 1) where m = floor(radius + 0.5)

    Raises
    ------
    ValueError
        For an unknown shape.

    Examples
    --------
    >>> from segclf.datasets import stamp
    >>> stamp("diamond", 1).astype(int)
    array([[0, 1, 0],
           [1, 1, 1],
           [0, 1, 0]])
    """
    check_shape(shape, "shape")
    outline = radius + 0.5
    reach = floor(outline)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return _INSIDE[shape](x, y, outline)


def solid(shape: str, radius: float) -> Array:
    """Draw one shape as a small boolean volume: thinner above and below, as a ball is.

    Its slices at distance z from the middle are the plane shape with the outline
    ``sqrt((radius + 0.5)**2 - z**2)``, so that a circle makes a ball and no shape is told by how it
    ends.

    Parameters
    ----------
    shape : str
        As of :func:`stamp`.
    radius : float
        In voxels, at least 0.

    Returns
    -------
    ndarray of bool, shape (2 * m + 1, 2 * m + 1, 2 * m + 1) where m = floor(radius + 0.5)
    """
    outline = radius + 0.5
    reach = floor(outline)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    outlines = (sqrt(outline**2 - z**2) for z in range(-reach, reach + 1))
    return np.stack([_INSIDE[shape](x, y, each) for each in outlines])


def check_shape(shape: str, parameter: str) -> None:
    """Raise a ValueError that lists the known shapes when `shape` is none of them."""
    if shape not in SHAPES:
        raise ValueError(f"{parameter}: no shape named {shape!r}; known: {', '.join(SHAPES)}.")


def _circle(x: Array, y: Array, radius: float) -> Array:
    return x**2 + y**2 <= radius**2


def _diamond(x: Array, y: Array, radius: float) -> Array:
    return abs(x) + abs(y) <= radius


def _octagon(x: Array, y: Array, radius: float) -> Array:
    return _square(x, y, radius) & _diamond(x, y, sqrt(2) * radius)


def _rectangle(x: Array, y: Array, radius: float) -> Array:
    return (abs(x) <= radius) & (abs(y) <= radius / 2)


def _square(x: Array, y: Array, radius: float) -> Array:
    return (abs(x) <= radius) & (abs(y) <= radius)


def _star(x: Array, y: Array, radius: float) -> Array:
    """A pentagram: mirrored ten times, it is one triangle from the middle to a tip to a notch."""
    notch = radius * sin(pi / 10) / sin(3 * pi / 10)
    angle = np.arctan2(x, -y) % (2 * pi / 5)
    angle = np.minimum(angle, 2 * pi / 5 - angle)
    along, across = np.hypot(x, y) * np.cos(angle), np.hypot(x, y) * np.sin(angle)
    notch_along, notch_across = notch * cos(pi / 5), notch * sin(pi / 5)
    # A tip's pixel lies on the outline exactly, and rounding may not push it out.
    edge = across * (radius - notch_along) + along * notch_across
    return edge <= radius * notch_across * (1 + 1e-9)


_INSIDE: dict[str, Callable[[Array, Array, float], Array]] = {
    "circle": _circle,
    "diamond": _diamond,
    "octagon": _octagon,
    "rectangle": _rectangle,
    "square": _square,
    "star": _star,
}

SHAPES = tuple(_INSIDE)
"""Names of the shapes, sorted."""
