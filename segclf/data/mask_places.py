"""Check that masks match the sizes of their images and, if files state it, their positions."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from segclf.data.images import Images
from segclf.data.masks import Masks
from segclf.data.readers import load_header

__all__ = ["check_mask_sizes"]

# Fraction of a pixel: affines are often written with six digits.
_TOLERANCE = 0.1


def check_mask_sizes(images: Images, masks: Masks) -> None:
    """Refuse masks of another size or position than their images; only file headers are read.

    Parameters
    ----------
    images : Images
        The opened images.
    masks : Masks
        One for each image.

    Raises
    ------
    ValueError
        With the number of the first mask that does not match.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.data import as_images, as_masks
    >>> images = as_images(np.zeros((1, 8, 8)))
    >>> check_mask_sizes(images, as_masks(np.zeros((1, 8, 9), dtype=int), 1))
    Traceback (most recent call last):
    ...
    ValueError: Mask 0 has 8 x 9 pixels, its image 8 x 8; expected the same.
    """
    labeled = np.flatnonzero(masks.labeled)
    expected, given = images.subset(labeled).sizes(), masks.sizes()[labeled]
    for row in np.flatnonzero((expected != given).any(axis=1))[:1]:
        mask, image = (" x ".join(map(str, each[row].tolist())) for each in (given, expected))
        raise ValueError(
            f"Mask {labeled[row]} has {mask} pixels, its image {image}; expected the same."
        )
    for row in labeled.tolist():
        _check_place(images, masks, row)


def _check_place(images: Images, masks: Masks, row: int) -> None:
    """Compare affines at the corners of the image; files without affines are not opened."""
    expected, path = images.affine(row), masks.path(row)
    if expected is None or path is None:
        return
    given = load_header(path).affine
    if given is None:
        return
    size = masks.sizes()[row] - 1
    corners = np.array(list(product(*([0, side] for side in size.tolist()))), dtype=np.float64)
    corners = np.pad(corners, ((0, 0), (3 - len(size), 0)))
    apart = _longest(np.c_[corners, np.ones(len(corners))] @ (given - expected).T)
    if apart > _TOLERANCE * _longest(expected.T[3 - len(size) : 3], shortest=True):
        raise ValueError(
            f"Mask {row} ({path!r}) lies {apart:.3g} mm from {images.name(row)}: their affines "
            "differ. Write it on the grid of its image."
        )


def _longest(vectors: NDArray[np.float64], *, shortest: bool = False) -> float:
    lengths = np.linalg.norm(vectors[:, :3], axis=1)
    return float(lengths.min() if shortest else lengths.max())
