"""One tile of a display: an image with regions, caption and frame."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segclf.displays.pictures import as_picture, as_regions, faded

# Okabe and Ito's colors, safe for color-blind readers; the mark repeats them without color.
RIGHT_COLOR, WRONG_COLOR, UNKNOWN_COLOR = "#009E73", "#D55E00", "#999999"
RIGHT_MARK, WRONG_MARK = "✓", "✗"
REGION_COLORS = ("#FF2E93", "#56B4E9", "#F0E442", "#E69F00")
OPACITY = 0.75


class Tile(NamedTuple):
    """The content of one tile.

    Parameters
    ----------
    image : array of shape (h, w, c)
        The image, of any real dtype.
    mask, true_mask : array of shape (h, w) or (k, h, w), or None
        The predicted mask, filled, and the true one, as an outline.
    caption : str
        The caption, such as the predicted label.
    right : bool or None
        Whether the prediction is right; None if unknown.
    """

    image: NDArray[Any]
    mask: NDArray[Any] | None
    true_mask: NDArray[Any] | None
    caption: str
    right: bool | None


def draw_tile(ax: Any, tile: Tile) -> None:
    """Draw the tile into a matplotlib axes."""
    picture = as_picture(tile.image)
    ax.imshow(picture if tile.mask is None else faded(picture), cmap="gray", vmin=0, vmax=1)
    if tile.mask is not None:
        for number, region in as_regions(tile.mask).items():
            _fill(ax, region, REGION_COLORS[(number - 1) % len(REGION_COLORS)])
    if tile.true_mask is not None:
        draw_truth(ax, tile.true_mask)
    ax.set(xticks=[], yticks=[], xlim=(-0.5, picture.shape[1] - 0.5))
    ax.set_ylim(picture.shape[0] - 0.5, -0.5)
    _frame(ax, tile)


def draw_truth(ax: Any, mask: NDArray[Any]) -> None:
    """Draw the outlines of a true mask as white dashes on black, visible on any background."""
    for region in as_regions(mask).values():
        _outline(ax, region, "black", "solid")
        _outline(ax, region, "white", "dashed")


def _frame(ax: Any, tile: Tile) -> None:
    color = {True: RIGHT_COLOR, False: WRONG_COLOR, None: UNKNOWN_COLOR}[tile.right]
    mark = {True: f"{RIGHT_MARK} ", False: f"{WRONG_MARK} ", None: ""}[tile.right]
    for spine in ax.spines.values():
        spine.set(edgecolor=color, linewidth=3 if tile.right is not None else 1)
    ax.set_title(mark + tile.caption, fontsize="small", color=color, fontweight="bold")


def _fill(ax: Any, region: NDArray[np.bool_], color: str) -> None:
    """Fill the region with a color, by a picture that is transparent elsewhere."""
    rgba = [*(int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)), OPACITY]
    ax.imshow(region[..., None] * np.asarray(rgba), interpolation="nearest")


def _outline(ax: Any, region: NDArray[np.bool_], color: str, style: str) -> None:
    # An empty border closes outlines at the edge of the image.
    padded = np.pad(region, 1).astype(np.float32)
    x, y = (np.arange(-1, side - 1) for side in padded.shape[::-1])
    ax.contour(x, y, padded, levels=[0.5], colors=[color], linewidths=1.1, linestyles=style)
