"""Masks by a threshold, from images and volumes as a network sees them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.axes import N_SPATIAL
from segclf.data import Images, to_float
from segclf.data.resize import Size, resize_image

LUMA = (0.299, 0.587, 0.114)
IMAGES_AT_ONCE = 32


def threshold_masks(thresholder: Any, images: Images, size: Size | None) -> NDArray[np.uint8]:
    """Make a mask of 0 and 1 for each image, holding a few images or one volume at a time.

    Parameters
    ----------
    thresholder : thresholder or callable
        Maps gray images to masks; a callable maps one image to one mask.
    images : Images
        The n images, or volumes.
    size : tuple of int, or None
        Size that they are resized to before.

    Returns
    -------
    array (n, h, w), or (n, d, h, w) of volumes, uint8
    """
    shape = tuple(size or images.sizes()[0].tolist())
    masks = np.empty((len(images), *shape), dtype=np.uint8)
    of_images = images.n_spatial == N_SPATIAL
    at_once = IMAGES_AT_ONCE if of_images else 1
    for start in range(0, len(images), at_once):
        taken = images.take(np.arange(start, min(start + at_once, len(images))))
        grays = [_to_gray(image, shape) for image in taken]
        if not of_images:
            grays = _planes(grays[0], thresholder)
        made = [
            _checked(mask, gray.shape, thresholder, start + number if of_images else start)
            for number, (mask, gray) in enumerate(zip(_ask(thresholder, grays), grays, strict=True))
        ]
        masks[start : start + len(taken)] = np.reshape(made, (len(taken), *shape))
    return masks


def _planes(gray: NDArray[np.float32], thresholder: Any) -> list[NDArray[np.float32]]:
    """Return a volume as one plane of all voxels, or its slices."""
    # A thresholder with one threshold per image uses only the histogram.
    return [gray.reshape(-1, gray.shape[-1])] if hasattr(thresholder, "thresholds") else list(gray)


def _to_gray(image: NDArray[Any], size: Size) -> NDArray[np.float32]:
    """Make an image (h, w, c) gray, as float in the network's range, and resize it."""
    weights = LUMA if image.shape[-1] == 3 else None
    gray = np.average(to_float(image), axis=-1, weights=weights, keepdims=True).astype(np.float32)
    # Rounding noise must not become the contrast of a constant image.
    return np.clip(resize_image(gray, size), gray.min(), gray.max())[..., 0]


def _ask(thresholder: Any, grays: Sequence[NDArray[Any]]) -> Sequence[Any]:
    if not hasattr(thresholder, "transform"):
        return [thresholder(gray) for gray in grays]
    masks: Sequence[Any] = thresholder.transform(grays)
    if len(masks) != len(grays):
        raise ValueError(f"{thresholder!r} returned {len(masks)} masks for {len(grays)} images.")
    return masks


def _checked(mask: Any, size: Size, thresholder: Any, index: int) -> NDArray[np.bool_]:
    given = np.asarray(mask)
    if given.dtype != np.bool_ or given.shape != size:
        raise ValueError(
            f"{thresholder!r} returned {given.dtype} of shape {given.shape} for sample {index}; "
            f"expected a mask, bool of shape {size}."
        )
    return given
