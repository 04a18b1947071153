"""The colors of the synthetic shapes, by name."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from segclf.datasets.parameters import check_number

COLORS: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {
        "black": (0, 0, 0),
        "blue": (0, 0, 255),
        "cornflowerblue": (100, 149, 237),
        "deepskyblue": (0, 191, 255),
        "dodgerblue": (30, 144, 255),
        "gray": (128, 128, 128),
        "green": (0, 128, 0),
        "mediumblue": (0, 0, 205),
        "midnightblue": (25, 25, 112),
        "navy": (0, 0, 128),
        "orange": (255, 165, 0),
        "pink": (255, 192, 203),
        "purple": (128, 0, 128),
        "red": (255, 0, 0),
        "royalblue": (65, 105, 225),
        "skyblue": (135, 206, 235),
        "steelblue": (70, 130, 180),
        "white": (255, 255, 255),
        "yellow": (255, 255, 0),
    }
)
"""Known color names and their CSS (red, green, blue) in 0..255."""

BLUES = (
    "mediumblue",
    "blue",
    "royalblue",
    "steelblue",
    "dodgerblue",
    "cornflowerblue",
    "deepskyblue",
    "skyblue",
)
"""The eight shades of blue among the background's default colors, dark to light; all lighter than
the target's navy, so that people and networks can tell them apart."""

BACKGROUND_COLORS = ("yellow", "green", "pink", "red", "orange", "purple", *BLUES)
"""The background's default colors, in the order of Table A2 of the S4C paper."""


def as_color(color: str | Sequence[int], parameter: str) -> tuple[int, int, int]:
    """Convert a name in ``COLORS`` or a (red, green, blue) triple to a triple.

    Parameters
    ----------
    color : str or sequence of 3 int
        A known name, or channel values in 0..255.
    parameter : str
        Name of the parameter, for the error message.

    Returns
    -------
    tuple of 3 int

    Raises
    ------
    ValueError
        If the name is unknown or the triple is not valid.
    """
    if isinstance(color, str):
        if color not in COLORS:
            raise ValueError(f"{parameter}: no color named {color!r}; known: {', '.join(COLORS)}.")
        return COLORS[color]
    for channel in color:
        check_number(f"A channel of {parameter}", channel, 0, 255, integer=True)
    if len(color) != 3:
        raise ValueError(f"{parameter} must be a name or (red, green, blue), got {color!r}.")
    return int(color[0]), int(color[1]), int(color[2])


def as_gray(color: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the gray triple with the luma of a color (ITU-R BT.601)."""
    red, green, blue = color
    return (round(0.299 * red + 0.587 * green + 0.114 * blue),) * 3
