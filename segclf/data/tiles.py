"""Cut large images and their masks into tiles of one size, for training."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segclf.data.images import as_images
from segclf.data.kinds import ImagesLike
from segclf.data.mask_places import check_mask_sizes
from segclf.data.masks import MasksLike, as_masks


class Tiles(NamedTuple):
    """Tiles of images.

    Parameters
    ----------
    images : array of shape (m, h, w, c)
        The tiles, in the images' own type, row by row, image by image.
    masks : array of shape (m, h, w) or (m, k, h, w), list or None
        Their masks; a list if some images have none, None if no image has one.
    source : array of shape (m,)
        The number of the image from which each tile was cut: pass it as ``groups=`` of a split, so
        that no image is in both parts.
    """

    images: NDArray[Any]
    masks: NDArray[np.int64] | list[NDArray[np.int64] | None] | None
    source: NDArray[np.intp]


def cut_tiles(
    images: ImagesLike, masks: MasksLike | None = None, size: int | tuple[int, int] = 480
) -> Tiles:
    """Cut images, and masks along with them, into tiles side by side.

    The last tiles of a row or column are padded with 0, and their masks with -1 (unlabeled). S4MI
    cuts slides of 1408 x 1876 into 12 tiles of 480 x 480 (section 3.3.1 of Singh et al., "Shifting
    to machine supervision"). In prediction, segmenters cut large images themselves, see their
    ``tile_size``.

    Parameters
    ----------
    images : array, list, paths or tensor
        The n images, as segmenters take them.
    masks : array, list or None
        Their masks, as segmenters take them.
    size : int or (int, int)
        Height and width of a tile.

    Returns
    -------
    Tiles
        ``images, masks, source``.

    Raises
    ------
    ValueError
        For a size below 1, and for invalid images or masks.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.data import cut_tiles
    >>> slides = np.zeros((2, 1408, 1876, 3), dtype=np.uint8)
    >>> tiles, _, source = cut_tiles(slides, size=480)
    >>> tiles.shape, np.bincount(source).tolist()
    ((24, 480, 480, 3), [12, 12])
    """
    if np.size(size) not in (1, 2) or np.min(size) < 1:
        raise ValueError(f"size={size!r}; expected an int of 1 or more, or (height, width).")
    height, width = np.broadcast_to(size, 2).tolist()
    slides = as_images(images)
    checked = as_masks(masks, len(slides))
    check_mask_sizes(slides, checked)
    tiles: list[NDArray[Any]] = []
    of_masks: list[NDArray[np.int64] | None] = []
    counts = []
    for index in range(len(slides)):
        cut = _cut(slides[index], height, width, axis=0, fill=0)
        mask = checked[index]
        tiles += cut
        of_masks += [None] * len(cut) if mask is None else _cut(mask, height, width, -2, -1)
        counts.append(len(cut))
    return Tiles(np.stack(tiles), _collected(of_masks), np.repeat(np.arange(len(slides)), counts))


def _cut(array: NDArray[Any], height: int, width: int, axis: int, fill: int) -> list[NDArray[Any]]:
    """Cut along the axis of the rows and the one after it."""
    rows, columns = array.shape[axis], array.shape[axis + 1]
    beyond = [(0, 0)] * array.ndim
    beyond[axis], beyond[axis + 1] = (0, -rows % height), (0, -columns % width)
    whole = np.pad(array, beyond, constant_values=fill)
    strips = np.split(whole, whole.shape[axis] // height, axis)
    return [tile for s in strips for tile in np.split(s, whole.shape[axis + 1] // width, axis + 1)]


def _collected(
    masks: list[NDArray[np.int64] | None],
) -> NDArray[np.int64] | list[NDArray[np.int64] | None] | None:
    given = [mask for mask in masks if mask is not None]
    if not given:
        return None
    return np.stack(given) if len(given) == len(masks) else masks
