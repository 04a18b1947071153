"""Write images and masks to files; readers may also write their kind of files."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from segclf.axes import N_SPATIAL
from segclf.data.found_readers import Path, find_reader
from segclf.data.mask_checks import MAX_ID
from segclf.hookspecs import ImageData, Writer

__all__ = ["save_image", "save_mask"]


def save_image(path: Path, image: ImageData) -> None:
    """Write an image or a volume so that `load_image` reads the same values again.

    Parameters
    ----------
    path : str or path-like
        The new file: ``.png``, ``.tif``, ``.nii``, ``.nii.gz``, or a type that a plugin writes.
    image : ImageData
        As `load_image` returns it: array, names of the axes, spacing and affine.

    Raises
    ------
    OSError
        If the file cannot be written.
    ValueError
        If no plugin writes such files, or if they cannot hold such values.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.data import load_image, save_image
    >>> from segclf.hookspecs import ImageData
    >>> save_image("image.png", ImageData(np.zeros((4, 6, 3), np.uint8), "hwc"))
    >>> load_image("image.png").array.shape
    (4, 6, 3)
    """
    _writer(path).write(path, image)


def save_mask(
    path: Path, mask: ArrayLike, *, like: Path | None = None, n_spatial: int = N_SPATIAL
) -> None:
    """Write a mask so that `load_mask` reads the same ids again.

    Parameters
    ----------
    path : str or path-like
        The new file: ``.png``, ``.tif``, ``.nii``, ``.nii.gz``, or a type that a plugin writes.
    mask : array of shape (h, w) or (d, h, w)
        Ids from 0 to 254; -1 if unlabeled, which PNG cannot hold. NIfTI also holds (k, h, w) and
        (k, d, h, w) for classes that may overlap.
    like : str or path-like, optional
        The file of its image. A NIfTI mask takes its affine and orientation.
    n_spatial : int
        2 for a mask of an image, 3 for one of a volume.

    Raises
    ------
    OSError
        If the file cannot be written.
    ValueError
        If no plugin writes such files, or if they cannot hold such a mask.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.data import load_mask, save_mask
    >>> save_mask("mask.png", np.eye(3, dtype=int))
    >>> int(load_mask("mask.png").array.sum())
    3
    """
    array = np.asarray(mask)
    size = "hw" if n_spatial == N_SPATIAL else "dhw"
    if array.ndim not in (n_spatial, n_spatial + 1):
        raise ValueError(f"The mask has shape {array.shape}; expected {tuple(size)}.")
    ids = array.astype(np.int16)
    if (ids != array).any() or ids.min() < -1 or ids.max() > MAX_ID:
        raise ValueError(f"The mask holds values other than -1 and ids from 0 to {MAX_ID}.")
    ids = ids.astype(np.uint8) if ids.min() >= 0 else ids
    axes = size if array.ndim == n_spatial else f"k{size}"
    _writer(path).write_mask(path, ImageData(ids, axes), like)


def _writer(path: Path) -> Writer:
    name = os.fspath(path)
    found: Any = find_reader(str(name)).reader
    if not isinstance(found, Writer):
        raise ValueError(
            f"No plugin writes files such as {str(name)!r}; supported: .png, .tif, .nii, .nii.gz."
        )
    return found
