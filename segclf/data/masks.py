"""The front door for masks: ids, -1 where nobody said, None where there is no mask at all.

All masks are looked at once, one at a time, so that a wrong one is refused here with its number
and the number of classes is known; files are decoded again when they are asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segclf.data.images import Images
from segclf.data.mask_scan import items_of, read_item, scan

__all__ = ["Masks", "as_masks", "check_mask_sizes"]


class Masks:
    """A sequence of masks, from `as_masks`.

    Attributes
    ----------
    known : array of bool, shape (n,)
        False for None and for masks that are all -1.
    multilabel : bool
        True if a mask is (k, h, w) of 0, 1 and -1, one channel per class; False if it is (h, w)
        of ids.
    n_classes : int
        k if multi-label, else the highest id + 1 (background counts), at least 2.
    """

    def __init__(
        self,
        items: NDArray[Any] | Sequence[Any],
        rows: NDArray[np.intp],
        shapes: NDArray[np.intp],
        n_classes: int,
    ) -> None:
        self._items, self._rows, self._shapes = items, rows, shapes
        self.known: NDArray[np.bool_] = shapes[:, 1] >= 0
        self.multilabel = bool((shapes[:, 0] > 0).any())
        self.n_classes = n_classes

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> NDArray[np.int64] | None:
        if not self.known[index]:
            return None
        row = int(self._rows[index])
        return read_item(self._items[row], row).astype(np.int64)

    def sizes(self) -> NDArray[np.intp]:
        """Return the size of each mask, remembered from the one look at each.

        Returns
        -------
        array of shape (n, 2)
            Heights and widths; -1 where there is no mask.
        """
        return self._shapes[:, 1:]

    def subset(self, indices: ArrayLike) -> Masks:
        """Return some of the masks, without reading any.

        Parameters
        ----------
        indices : array-like of int, shape (m,)

        Returns
        -------
        Masks
            Of the same number of classes, and multi-label where the whole is.
        """
        chosen = np.asarray(indices, dtype=np.intp)
        part = Masks(self._items, self._rows[chosen], self._shapes[chosen], self.n_classes)
        part.multilabel = self.multilabel
        return part


def as_masks(masks: object, n_samples: int) -> Masks:
    """Take anything that holds masks.

    Parameters
    ----------
    masks : array, tensor, memmap, sequence, Series or None
        An array or tensor (n, h, w) of ids (integers, bool, or floats that are whole): 0 is
        background, -1 unlabeled; or (n, k, h, w) of 0, 1 and -1 for multi-label. Or a list, tuple,
        1-d object array or Series whose items are such arrays (h, w) or (k, h, w), paths to gray
        or palette PNG or TIFF files (of palettes the indices count), or None for an image without
        mask. None alone stands for no mask at all.
    n_samples : int
        How many images there are.

    Returns
    -------
    Masks

    Raises
    ------
    ValueError
        For anything else, a wrong number, ids below -1 or above 254, 0 and 255 instead of 0 and
        1, broken numbers, damaged files, multi-label among exclusive masks: with the number of
        the sample.

    Examples
    --------
    >>> import numpy as np
    >>> masks = as_masks([np.array([[0, 3], [-1, 0]]), None], n_samples=2)
    >>> masks.n_classes, masks.known.tolist(), masks.multilabel
    (4, [True, False], False)
    """
    if isinstance(masks, Masks):
        items: Any = masks
    else:
        items = items_of([None] * n_samples if masks is None else masks)
    if len(items) != n_samples:
        raise ValueError(f"There are {len(items)} masks for {n_samples} images; expected one each.")
    if isinstance(masks, Masks):
        return masks
    shapes, highest = scan(items)
    depth = int(shapes[:, 0].max(initial=0))
    return Masks(items, np.arange(n_samples), shapes, depth if depth > 0 else max(highest + 1, 2))


def check_mask_sizes(images: Images, masks: Masks) -> None:
    """Refuse masks of another size than their images; of files only headers are read.

    Parameters
    ----------
    images : Images
    masks : Masks
        As many.

    Raises
    ------
    ValueError
        Naming the first mask that does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.data.images import as_images
    >>> images = as_images(np.zeros((1, 8, 8)))
    >>> check_mask_sizes(images, as_masks(np.zeros((1, 8, 9), dtype=int), 1))
    Traceback (most recent call last):
    ...
    ValueError: Mask 0 has 8 x 9 pixels, its image 8 x 8; expected the same.
    """
    labeled = np.flatnonzero(masks.known)
    expected, given = images.subset(labeled).sizes(), masks.sizes()[labeled]
    for row in np.flatnonzero((expected != given).any(axis=1))[:1]:
        (height, width), (image_height, image_width) = given[row], expected[row]
        raise ValueError(
            f"Mask {labeled[row]} has {height} x {width} pixels, its image {image_height} x "
            f"{image_width}; expected the same."
        )
