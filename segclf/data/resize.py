"""Change the size of images and masks."""

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from segclf.axes import N_SPATIAL_OF_VOLUMES, are_volumetric
from segclf.data.regridding import regridded

#: (h, w), or (d, h, w) for volumes.
Size = tuple[int, ...]


def resize_image(image: NDArray[np.float32], size: Size) -> NDArray[np.float32]:
    """Resize an image (h, w, c) to `size` (height, width), each axis by its own rule.

    An axis that shrinks takes area means, one that grows is interpolated linearly. So nothing moves
    relative to a mask of `resize_mask`, and no thin line is skipped. Volumes (d, h, w, c) are
    resized to (depth, height, width) likewise.

    Returns
    -------
    array of float32
        The image at that size.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.data import resize_image
    >>> resize_image(np.ones((8, 8, 3), np.float32), (4, 16)).shape
    (4, 16, 3)
    """
    if len(size) == N_SPATIAL_OF_VOLUMES:
        return regridded(image, size)
    shrunk = (min(size[0], image.shape[0]), min(size[1], image.shape[1]))
    if shrunk != image.shape[:2]:
        image = _area_means(image, shrunk)
    if size != shrunk:
        image = _resized(image, size, cv2.INTER_LINEAR)
    return image


def resize_mask(mask: NDArray[Any], size: Size) -> NDArray[np.int64]:
    """Resize a mask (h, w) or (k, h, w) to `size` (height, width), taking the nearest pixel.

    Masks of volumes, (d, h, w) or (k, d, h, w), likewise.

    Returns
    -------
    array of int64
        The mask at that size.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.data import resize_mask
    >>> resize_mask(np.eye(2, dtype=int), (4, 4))
    array([[1, 1, 0, 0],
           [1, 1, 0, 0],
           [0, 0, 1, 1],
           [0, 0, 1, 1]])
    """
    own = mask.shape[-len(size) :]
    if own == size:
        return np.asarray(mask, dtype=np.int64)
    places: Any = np.ix_(*(nearest(old, new) for old, new in zip(own, size, strict=True)))
    return np.asarray(mask[(..., *places)], dtype=np.int64)


def nearest(old: int, new: int) -> NDArray[np.intp]:
    """Return, for each of `new` positions along an axis, the nearest of `old`."""
    return np.minimum((np.arange(new) + 0.5) * old / new, old - 1).astype(np.intp)


def resize_maps(maps: Tensor, size: Size) -> Tensor:
    """Resize maps (n, k, h, w) to `size` (height, width) by linear interpolation.

    No pixel is skipped as long as no axis shrinks to less than a half; beyond that, it is
    antialiased. The result for an image does not depend on the number of images. Maps of volumes
    (n, k, d, h, w) likewise.
    """
    if maps.shape[2:] == size:
        return maps
    if are_volumetric(maps):
        rows = maps.movedim(1, -1).cpu().numpy()
        return torch.from_numpy(np.stack([regridded(each, size) for each in rows])).movedim(-1, 1)
    skips = any(old > 2 * new for old, new in zip(maps.shape[2:], size, strict=True))
    return functional.interpolate(maps, size=size, mode="bilinear", antialias=skips)


def resize_volume(volume: NDArray[Any], size: tuple[int, ...]) -> NDArray[np.float32]:
    """Resize channels of a volume (k, d, h, w) to `size` (depth, height, width).

    Axes that shrink take means of the voxels that fall into one, those that grow are interpolated.

    Returns
    -------
    array of float32
        The volume at that size.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.data import resize_volume
    >>> resize_volume(np.ones((1, 4, 8, 8), np.float32), (2, 8, 8)).shape
    (1, 2, 8, 8)
    """
    values = torch.from_numpy(np.ascontiguousarray(volume, dtype=np.float32))[None]
    depth, height, width = (min(pair) for pair in zip(values.shape[2:], size, strict=True))
    values = functional.adaptive_avg_pool3d(values, (depth, height, width))
    return functional.interpolate(values, size=size, mode="trilinear")[0].numpy()


def _area_means(image: NDArray[np.float32], size: Size) -> NDArray[np.float32]:
    n_channels = image.shape[2]
    whole = image.shape[0] % size[0] == 0 and image.shape[1] % size[1] == 0
    if whole or n_channels <= 4:
        return _resized(image, size, cv2.INTER_AREA)
    # OpenCV takes area means of at most four channels, except for integer factors
    parts = [image[..., start : start + 4] for start in range(0, n_channels, 4)]
    return np.concatenate([_resized(part, size, cv2.INTER_AREA) for part in parts], axis=2)


def _resized(image: NDArray[np.float32], size: Size, method: int) -> NDArray[np.float32]:
    return cv2.resize(image, size[::-1], interpolation=method).reshape(*size, image.shape[2])
