"""Check parameters for sizes, radii and locations."""

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

Color = str | Sequence[int]
Radius = float | tuple[int, int] | Mapping[float, float]
Range = tuple[int, int]
Location = Range | tuple[Range, Range] | None
Size = tuple[int, int]
Depth = int | Range | None


def check_number(name: str, value: Any, low: float, high: float, *, integer: bool = False) -> None:
    """Raise a ValueError with parameter, bounds and value, unless low <= value <= high."""
    kinds: Any = Integral if integer else Real
    if isinstance(value, kinds) and low <= value <= high:
        return
    noun = "an integer" if integer else "a number"
    bounds = f"of at least {low}" if high == np.inf else f"in [{low}, {high}]"
    raise ValueError(f"{name} must be {noun} {bounds}, got {value!r}.")


def as_size(image_size: int | Size) -> Size:
    """Return (height, width), at least 3 x 3 pixels, for an int or a pair."""
    sides = image_size if isinstance(image_size, Sequence | np.ndarray) else (image_size,) * 2
    if len(sides) != 2:
        raise ValueError(f"image_size must be an integer or (height, width), got {image_size!r}.")
    for side in sides:
        check_number("image_size", side, 3, np.inf, integer=True)
    return int(sides[0]), int(sides[1])


def as_depths(depth: Depth) -> Range | None:
    """Return the (low, high) numbers of slices for an int or a pair; None for images."""
    if depth is None:
        return None
    low, high = (depth, depth) if isinstance(depth, Integral) else _as_range("depth", depth, _DEPTH)
    check_number("depth", low, 1, np.inf, integer=True)
    return int(low), int(high)


_DEPTH = "None, a number of slices or (low, high)"


def as_radii(name: str, radius: Radius, size: Size) -> dict[float, float]:
    """Return {radius: probability} for a number, a (low, high) pair or a mapping."""
    if isinstance(radius, Mapping):
        chances = dict(radius)
    elif isinstance(radius, Real):
        chances = {radius: 1.0}
    else:
        low, high = _as_range(name, radius, "a number, {radius: probability} or (low, high)")
        chances = dict.fromkeys(range(low, high + 1), 1 / (high + 1 - low))
    for value, chance in chances.items():
        check_number(name, value, 1, min(size) / 2)
        check_number(f"A probability in {name}", chance, 0, 1)
    if not np.isclose(sum(chances.values()), 1):
        raise ValueError(f"The probabilities in {name} must sum to 1, got {radius!r}.")
    return chances


def as_ranges(name: str, location: Location, size: Size) -> tuple[Range, Range]:
    """Return the inclusive ranges of x and y for None (all), one range, or a pair of ranges."""
    height, width = size
    if location is None:
        return (0, width - 1), (0, height - 1)
    expected = "None, ((x_low, x_high), (y_low, y_high)) or (low, high)"
    pair = isinstance(location, Sequence | np.ndarray) and len(location) == 2
    both = not pair or all(isinstance(bound, Integral) for bound in location)
    x, y = (_as_range(name, axis, expected) for axis in ((location,) * 2 if both else location))
    for (low, high), side in ((x, width), (y, height)):
        if low < 0 or high >= side:
            raise ValueError(f"{name} must be inside the image, in 0..{side - 1}, got {location}.")
    return x, y


def _as_range(name: str, value: Any, expected: str) -> Range:
    if isinstance(value, Sequence | np.ndarray) and len(value) == 2:
        low, high = value
        if isinstance(low, Integral) and isinstance(high, Integral) and low <= high:
            return int(low), int(high)
    raise ValueError(f"{name} must be {expected}, of integers low <= high, got {value!r}.")
