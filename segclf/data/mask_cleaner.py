"""Clean predicted masks: largest component, filled holes, minimum size."""

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.base import BaseEstimator

from segclf.axes import N_SPATIAL, is_gray, is_mask, is_multilabel

_FOREGROUND_CONNECTIVITY, _BACKGROUND_CONNECTIVITY = 8, 4


@dataclass(kw_only=True, eq=False, repr=False)
class MaskCleaner(BaseEstimator):
    """Fill holes in findings, drop small findings, or keep only the largest.

    Called as ``cleaner(mask)``; by default, nothing changes. Each mask id, or channel of a
    multi-label mask, is cleaned separately. Pixels of a component touch at edges or corners. Holes
    are filled before components are measured, and again if a dropped component leaves a hole.

    Parameters
    ----------
    fill_holes : bool
        Whether background that a finding encloses, so that no path over edges leads to the image's
        border, becomes that finding. Other ids inside stay, and so does -1. Background that several
        findings enclose becomes the innermost.
    min_size : int or float
        Components with fewer pixels become background; a float below 1 is a fraction of the image's
        pixels.
    largest : bool
        Whether only the largest component of each id is kept.
    n_spatial : {2, 3}
        3 for masks of volumes, (d, h, w) or (k, d, h, w): voxels also touch at corners, and a hole
        is a region from which no path over faces leads out.
    spacing : tuple of float or None
        Size of a pixel along each spatial axis, such as millimeters of slices, rows and columns.
        `min_size` is then an area or a volume in that unit, not a number of pixels or a fraction.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.data import MaskCleaner
    >>> mask = np.zeros((5, 8), dtype=np.uint8)
    >>> mask[1:4, 1:4], mask[2, 2], mask[2, 6] = 1, 0, 1
    >>> MaskCleaner(fill_holes=True, min_size=2)(mask)[1:4]
    array([[0, 1, 1, 1, 0, 0, 0, 0],
           [0, 1, 1, 1, 0, 0, 0, 0],
           [0, 1, 1, 1, 0, 0, 0, 0]], dtype=uint8)
    """

    fill_holes: bool = False
    min_size: int | float = 0
    largest: bool = False
    n_spatial: int = N_SPATIAL
    spacing: tuple[float, ...] | None = None

    def __call__(self, mask: NDArray[Any]) -> NDArray[Any]:
        """Clean one mask; the array given is not modified.

        Parameters
        ----------
        mask : array of shape (h, w) or (k, h, w), of volumes with d before h
            Ids, 0 the background; or channels of 0 and 1. -1 (unlabeled) stays.

        Returns
        -------
        array of the same shape and dtype

        Raises
        ------
        ValueError
            For an invalid `min_size`, and for an array that is not a mask.
        """
        mask = np.array(mask)
        if not is_mask(mask, self.n_spatial) or mask.dtype.kind not in "biu":
            size = "h, w" if self.n_spatial == N_SPATIAL else "d, h, w"
            raise ValueError(
                f"The mask is {mask.shape} of {mask.dtype}; expected ({size}) of ids, or "
                f"(k, {size}) of 0 and 1, as integers."
            )
        smallest = self._smallest(math.prod(mask.shape[-self.n_spatial :]))
        for channel in mask if is_multilabel(mask, self.n_spatial) else [mask]:
            if self.fill_holes:
                _fill_holes(channel)
            if smallest > 1 or self.largest:
                _drop(channel, smallest, self.largest)
                if self.fill_holes:
                    _fill_holes(channel)
        return mask

    def _smallest(self, n_pixels: int) -> float:
        size = self.min_size
        if self.spacing is not None:
            return self._pixels_of(size)
        if isinstance(size, Integral) and not isinstance(size, bool) and size >= 0:
            return int(size)
        if isinstance(size, Real) and not isinstance(size, Integral) and 0 <= size < 1:
            return float(size) * n_pixels
        raise ValueError(
            f"min_size={size!r}; expected a number of pixels as an int, or a fraction of the image "
            "as a float from 0 to below 1; or spacing, the size of a pixel."
        )

    def _pixels_of(self, size: float) -> float:
        spacing = np.asarray(self.spacing, dtype=np.float64)
        if spacing.shape != (self.n_spatial,) or not (spacing > 0).all() or size < 0:
            raise ValueError(
                f"min_size={size!r} with spacing={self.spacing!r}; expected {self.n_spatial} "
                "lengths above 0, and a size of at least 0."
            )
        return float(size) / float(spacing.prod())


def _fill_holes(mask: NDArray[Any]) -> None:
    """Fill the smallest holes first, so that the innermost of several findings takes a hole."""
    holes = [hole for one in _ids(mask) for hole in _holes(mask, one)]
    for _, one, place, inside in sorted(holes, key=lambda hole: hole[0]):
        part = mask[place]
        part[inside & (part == 0)] = one


def _holes(mask: NDArray[Any], one: int) -> list[tuple[int, int, Any, NDArray[np.bool_]]]:
    """Return size, id, box and pixels in the box of each hole of an id."""
    if not is_gray(mask):
        return _holes_of_volume(mask, one)
    labels, boxes = _components(mask != one, _BACKGROUND_CONNECTIVITY)
    holes = []
    for label, (left, top, width, height, size) in enumerate(boxes, start=1):
        right, bottom = left + width, top + height
        if left > 0 and top > 0 and right < mask.shape[1] and bottom < mask.shape[0]:
            place = np.s_[top:bottom, left:right]
            holes.append((size, one, place, labels[place] == label))
    return holes


def _drop(mask: NDArray[Any], smallest: float, largest: bool) -> None:
    for one in _ids(mask):
        labels, sizes = _parts(mask == one)
        kept = sizes >= smallest
        if largest:
            kept &= np.arange(len(sizes)) == sizes.argmax()
        mask[~np.append(True, kept)[labels]] = 0


def _parts(where: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return labels from 1 on, 0 elsewhere, and the size of each component."""
    if is_gray(where):
        labels, boxes = _components(where, _FOREGROUND_CONNECTIVITY)
        return labels, boxes[:, -1]
    labels, _ = ndimage.label(where, structure=np.ones((3, 3, 3)))
    return labels, np.bincount(labels.ravel())[1:]


def _holes_of_volume(mask: NDArray[Any], one: int) -> list[tuple[int, int, Any, NDArray[np.bool_]]]:
    labels, _ = ndimage.label(mask != one)  # connected by faces
    sizes, holes = np.bincount(labels.ravel()), []
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        sides = zip(box, mask.shape, strict=True)
        if all(side.start > 0 and side.stop < length for side, length in sides):
            holes.append((int(sizes[label]), one, box, labels[box] == label))
    return holes


def _ids(mask: NDArray[Any]) -> list[int]:
    return [one for one in np.unique(mask).tolist() if one > 0]


def _components(where: NDArray[np.bool_], connectivity: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return labels from 1 on, 0 elsewhere, and (left, top, width, height, size) of each."""
    image = where.astype(np.uint8)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(image, connectivity=connectivity)
    return labels, boxes[1:]
