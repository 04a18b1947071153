"""The image size that a network sees."""

from typing import Any

import numpy as np

from segclf.axes import N_SPATIAL
from segclf.base.spatial import n_spatial
from segclf.data import Images


def choose_size(
    image_size: Any, images: Images, keeps_sizes: bool = False
) -> tuple[int, ...] | None:
    """Return the size (h, w), or (d, h, w), to which images are resized; None keeps theirs."""
    if image_size is not None:
        return sides("image_size", image_size, images.n_spatial)
    sizes = images.sizes()
    if keeps_sizes or (sizes == sizes[0]).all():
        return None
    return tuple(np.median(sizes, axis=0).round().astype(int).tolist())


def given_size(image_size: Any) -> tuple[int, int]:
    """Return height and width from one number or two."""
    height, width = sides("image_size", image_size, N_SPATIAL)
    return height, width


def sides(name: str, value: Any, n_spatial: int) -> tuple[int, ...]:
    """Return a parameter that is one length, or one for each axis, as one for each axis.

    Raises
    ------
    ValueError
        For a wrong number of lengths, or a length below 1.
    """
    if np.size(value) not in (1, n_spatial) or np.min(value) < 1:
        axes = "(height, width)" if n_spatial == N_SPATIAL else "(slices, height, width)"
        raise ValueError(f"{name}={value!r}; expected an int of 1 or more, {axes} or None.")
    return tuple(np.broadcast_to(value, n_spatial).tolist())


def tile_of(segmenter: Any) -> Any:
    """Return the size of tiles, or windows, for prediction; None if images stay whole."""
    size, n_axes = segmenter.tile_size, n_spatial(segmenter)
    if size is None and n_axes != N_SPATIAL:
        size = getattr(segmenter, "crop_size", None)
    return size if size is None else sides("tile_size", size, n_axes)
