"""The size that a network sees images in."""

from typing import Any

import numpy as np

from segclf.data import Images


def choose_size(image_size: Any, images: Images) -> tuple[int, int] | None:
    """Return height and width that images are brought to; None leaves them as they are."""
    if image_size is not None:
        return given_size(image_size)
    sizes = images.sizes()
    if (sizes == sizes[0]).all():
        return None
    height, width = np.median(sizes, axis=0).round().astype(int).tolist()
    return height, width


def given_size(image_size: Any) -> tuple[int, int]:
    """Return height and width of a size that is one number or two."""
    if np.size(image_size) not in (1, 2):
        raise ValueError(f"image_size={image_size!r}; expected an int, (height, width) or None.")
    height, width = np.broadcast_to(image_size, 2).tolist()
    return height, width
