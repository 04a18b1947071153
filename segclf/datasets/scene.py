"""The checked contents of the synthetic images of one dataset."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.datasets.colors import as_color, as_gray
from segclf.datasets.parameters import (
    Color,
    Depth,
    Location,
    Radius,
    Range,
    Size,
    as_depths,
    as_radii,
    as_ranges,
    as_size,
    check_number,
)
from segclf.datasets.stamps import check_shape

Array = NDArray[Any]
Kind = tuple[tuple[int, int, int], str]
Role = tuple[Sequence[Color], Sequence[str], Radius, Location]


@dataclass(frozen=True)
class Objects:
    """The objects of one role: their possible looks and centres."""

    kinds: tuple[Kind, ...]
    radii: dict[float, float]
    x: Range
    y: Range

    def sample(self, uniform: Array, depth: int | None = None) -> tuple[Array, ...]:
        """Convert uniform random numbers (n, 4) to kind and radius ids, x and y, each (n,).

        For a volume of `depth` slices, convert (n, 5) numbers to the same values and z.
        """
        kind = _whole((0, len(self.kinds) - 1), uniform[:, 0])
        bounds = np.cumsum(list(self.radii.values()))[:-1]
        radius = np.searchsorted(bounds, uniform[:, 1], side="right")
        x, y = _whole(self.x, uniform[:, 2]), _whole(self.y, uniform[:, 3])
        if depth is None:
            return kind, radius, x, y
        return kind, radius, x, y, _whole((0, depth - 1), uniform[:, 4])


@dataclass(frozen=True)
class Scene:
    """The definition of a synthetic dataset (S4C paper, Table A2) without length and seed."""

    size: Size
    n_objects: int
    target: Objects
    spurious: Objects
    background: Objects
    positive_fraction: float
    spurious_correlation: float
    depths: Range | None = None


def as_scene(
    image_size: int | Size,
    n_objects: int,
    target: Role,
    spurious: Role,
    background: Role,
    n_background_kinds: int | None,
    fractions: tuple[float, float],
    depth: Depth = None,
) -> Scene:
    """Check the parameters of `make_shapes`; each role is (colors, shapes, radius, location)."""
    check_number("n_objects", n_objects, 2, np.inf, integer=True)
    check_number("positive_fraction", fractions[0], 0, 1)
    check_number("spurious_correlation", fractions[1], 0, 1)
    size = as_size(image_size)
    depths = as_depths(depth)
    gray = depths is not None
    wanted = _as_objects("target", target, size, gray)
    decoy = _as_objects("spurious", spurious, size, gray)
    if wanted.kinds == decoy.kinds:
        raise ValueError(
            "The spurious object must differ from the target in color or shape, "
            f"got {target[0][0]!r} {target[1][0]!r} for both."
        )
    others = _background(_as_objects("background", background, size, gray), wanted, decoy)
    if n_background_kinds is not None:
        check_number("n_background_kinds", n_background_kinds, 1, len(others.kinds), integer=True)
        others = replace(others, kinds=others.kinds[:n_background_kinds])
    return Scene(size, n_objects, wanted, decoy, others, *fractions, depths)


def _as_objects(name: str, role: Role, size: Size, gray: bool) -> Objects:
    colors, shapes, radius, location = role
    for shape in shapes:
        check_shape(shape, f"{name} shape")
    triples = [as_color(color, f"{name} color") for color in colors]
    kinds = _pairs([as_gray(triple) for triple in triples] if gray else triples, shapes)
    radii = as_radii(f"{name}_radius", radius, size)
    return Objects(kinds, radii, *as_ranges(f"{name}_location", location, size))


def _background(objects: Objects, target: Objects, spurious: Objects) -> Objects:
    """Remove objects that look like the target or the spurious object, so that labels are true."""
    taken = {*target.kinds, *spurious.kinds}
    kinds = tuple(kind for kind in objects.kinds if kind not in taken)
    if not kinds:
        raise ValueError(
            "background_colors and background_shapes leave no background object: expected a pair "
            f"that is neither target nor spurious object, got only {objects.kinds}."
        )
    return replace(objects, kinds=kinds)


def _pairs(colors: Sequence[tuple[int, int, int]], shapes: Sequence[str]) -> tuple[Kind, ...]:
    """Return all pairs in diagonal order, so that the first few vary in color and shape."""
    if not len(colors) or not len(shapes):
        raise ValueError(f"Expected at least one color and one shape, got {colors} and {shapes}.")
    lap = int(np.lcm(len(colors), len(shapes)))
    ids = range(len(colors) * len(shapes))
    return tuple(
        dict.fromkeys((colors[i % len(colors)], shapes[(i + i // lap) % len(shapes)]) for i in ids)
    )


def _whole(bounds: Range, uniform: Array) -> Array:
    """Map uniform numbers in [0, 1) to the integers from low to high, both included."""
    return bounds[0] + (uniform * (bounds[1] - bounds[0] + 1)).astype(int)
