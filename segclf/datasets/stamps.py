"""The shapes of the synthetic images, as small boolean arrays."""

from collections.abc import Callable
from math import cos, floor, pi, sin, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def stamp(shape: str, radius: float) -> Array:
    """Draw one shape around the middle pixel of a small boolean picture.

    The shape extends `radius` pixels beyond the middle pixel on each side, so a square of radius 8
    is 17 pixels wide. A pixel belongs to the shape if its centre is inside or on the ideal outline
    of radius ``radius + 0.5``. This is the radius of a circle, half the side of a square, or the
    distance from the middle to an octagon's sides, a diamond's corners or a star's tips.

    Parameters
    ----------
    shape : str
        One of ``SHAPES``: "circle", "diamond", "octagon", "rectangle" (twice as wide as high),
        "square" or "star" (five-pointed, one tip up).
    radius : float
        Radius in pixels, at least 0.

    Returns
    -------
    ndarray of bool, shape (2 * m + 1, 2 * m + 1) where m = floor(radius + 0.5)

    Raises
    ------
    ValueError
        If the shape is unknown.

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
    """Draw one shape as a small boolean volume that shrinks above and below, like a ball.

    The slice at distance z from the middle is the plane shape with an outline of radius
    ``sqrt((radius + 0.5)**2 - z**2)``. So a circle becomes a ball, and the ends of a shape do not
    reveal which one it is.

    Parameters
    ----------
    shape : str
        As in :func:`stamp`.
    radius : float
        Radius in voxels, at least 0.

    Returns
    -------
    ndarray of bool, shape (2 * m + 1, 2 * m + 1, 2 * m + 1) where m = floor(radius + 0.5)

    Examples
    --------
    >>> from segclf.datasets import solid
    >>> solid("circle", 1.0).sum(axis=(1, 2))
    array([5, 9, 5])
    """
    outline = radius + 0.5
    reach = floor(outline)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    outlines = (sqrt(outline**2 - z**2) for z in range(-reach, reach + 1))
    return np.stack([_INSIDE[shape](x, y, each) for each in outlines])


def check_shape(shape: str, parameter: str) -> None:
    """Raise a ValueError that lists the known shapes if `shape` is not one of them."""
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
    """Return a pentagram; by symmetry, only a triangle (middle, tip, notch) is tested."""
    notch = radius * sin(pi / 10) / sin(3 * pi / 10)
    angle = np.arctan2(x, -y) % (2 * pi / 5)
    angle = np.minimum(angle, 2 * pi / 5 - angle)
    along, across = np.hypot(x, y) * np.cos(angle), np.hypot(x, y) * np.sin(angle)
    notch_along, notch_across = notch * cos(pi / 5), notch * sin(pi / 5)
    # The pixel of a tip is exactly on the outline; rounding must not exclude it.
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
