"""Validation of mask input: ids, -1 if unlabeled, None if there is no mask at all.

All masks are read once, one at a time, to check them and to record what each shows; a wrong one is
refused here with its number. Files are decoded again when they are needed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from os import PathLike
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segclf.axes import N_SPATIAL
from segclf.data.lazy_mask import LazyMask
from segclf.data.mask_scan import Scan, items_of, read_item, scan

__all__ = ["Masks", "MasksLike", "as_masks"]


class Masks:
    """A sequence of masks, from `as_masks`.

    Attributes
    ----------
    labeled : array of bool, shape (n,)
        False for None and for masks that are all -1.
    multilabel : bool
        True if a mask is (k, h, w) of 0, 1 and -1, one channel per class; False if it is (h, w)
        of ids.
    n_classes : int
        k if multi-label, else the highest id + 1 (background counts), at least 2.
    n_spatial : int
        2 for masks of images; 3 for those of volumes, which have d before h everywhere.
    """

    def __init__(
        self,
        items: NDArray[Any] | Sequence[Any],
        rows: NDArray[np.intp],
        scan: Scan,
        *,
        multilabel: bool,
        n_classes: int,
    ) -> None:
        self._items, self._rows, self._scan = items, rows, scan
        self.labeled: NDArray[np.bool_] = scan.shapes[:, 1] >= 0
        self.multilabel = multilabel
        self.n_classes = n_classes
        self.n_spatial: int = scan.shapes.shape[1] - 1

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        kind = f"n_classes={self.n_classes}, multilabel={self.multilabel}"
        return f"Masks({len(self)}, labeled={int(self.labeled.sum())}, {kind})"

    def __getitem__(self, index: int) -> NDArray[np.int64] | None:
        if not self.labeled[index]:
            return None
        row = int(self._rows[index])
        mask = read_item(self._items[row], row, self.n_spatial).astype(np.int64)
        return np.where(mask == 255, 1, mask) if self._scan.of_255 else mask

    def sizes(self) -> NDArray[np.intp]:
        """Return the recorded size of each mask.

        Returns
        -------
        array of shape (n, 2) or (n, 3)
            Heights and widths, preceded by depths for volumes; -1 if there is no mask.
        """
        return self._scan.shapes[:, 1:]

    def path(self, index: int) -> str | None:
        """Return the file of a mask, or from which it is made; else None."""
        item = self._items[int(self._rows[index])]
        if isinstance(item, LazyMask):
            return item.path
        return os.fspath(item) if isinstance(item, str | PathLike) else None

    def shown(self, n_classes: int | None = None) -> NDArray[np.int8]:
        """Return the recorded classes of each mask.

        Parameters
        ----------
        n_classes : int, optional
            Number of classes in the result; `n_classes` by default.

        Returns
        -------
        array of shape (n, n_classes)
            For each id (the background first) or channel: 1 if a pixel shows it, 0 if none does,
            and -1 if none does but some are -1, or if there is no mask.
        """
        n_classes = self.n_classes if n_classes is None else n_classes
        shows = np.zeros((len(self), n_classes), dtype=bool)
        width = min(n_classes, self._scan.shows.shape[1])
        shows[:, :width] = self._scan.shows[:, :width]
        open_ = np.ones((len(self), n_classes), dtype=bool)
        width = n_classes if not self.multilabel else width
        open_[:, :width] = self._scan.open[:, :width]
        open_[~self.labeled] = True
        return np.where(shows, 1, np.where(open_, -1, 0)).astype(np.int8)

    def show_findings(self) -> NDArray[np.bool_]:
        """Tell which masks show anything: an id other than the background, or a channel."""
        return (self.shown()[:, int(not self.multilabel) :] == 1).any(axis=1)

    def counts(self, n_classes: int) -> NDArray[np.int64]:
        """Return the recorded number of pixels of each class in each mask, (n, n_classes).

        Parameters
        ----------
        n_classes : int
            Number of classes in the result.
        """
        counts = np.zeros((len(self), n_classes), dtype=np.int64)
        width = min(n_classes, self._scan.counts.shape[1])
        counts[:, :width] = self._scan.counts[:, :width]
        return counts

    def shares(self, n_classes: int | None = None) -> NDArray[np.float64]:
        """Return the recorded fraction of labeled pixels that each class covers.

        Parameters
        ----------
        n_classes : int, optional
            Number of classes in the result; `n_classes` by default.

        Returns
        -------
        array of shape (n, n_classes)
            NaN if there is no mask, or a whole channel is -1.
        """
        n_classes = self.n_classes if n_classes is None else n_classes
        counts, n_open = self.counts(n_classes).astype(float), np.zeros((len(self), n_classes))
        width = min(n_classes, self._scan.counts.shape[1])
        width = n_classes if not self.multilabel else width
        n_open[:, :width] = self._scan.n_open[:, :width]
        n_labeled = self.sizes().prod(axis=1)[:, None] - n_open
        n_labeled[~self.labeled] = 0
        return np.divide(counts, n_labeled, out=np.full_like(counts, np.nan), where=n_labeled > 0)

    def subset(self, indices: ArrayLike) -> Masks:
        """Return some of the masks, without reading any.

        Parameters
        ----------
        indices : array-like of int, shape (m,)

        Returns
        -------
        Masks
            With the same number of classes, and multi-label if the whole is.
        """
        chosen = np.asarray(indices, dtype=np.intp)
        return Masks(
            self._items,
            self._rows[chosen],
            self._scan.subset(chosen),
            multilabel=self.multilabel,
            n_classes=self.n_classes,
        )

    def hide(self, indices: ArrayLike) -> Masks:
        """Return the same masks with some replaced by None.

        Parameters
        ----------
        indices : array-like of int, shape (m,)

        Returns
        -------
        Masks
            With the same number of classes, and multi-label if the whole is.
        """
        hidden = np.zeros(len(self), dtype=bool)
        hidden[np.asarray(indices, dtype=np.intp)] = True
        items = [
            None if hides else self._items[row]
            for row, hides in zip(self._rows, hidden, strict=True)
        ]
        return Masks(
            items,
            np.arange(len(items)),
            self._scan.without(hidden),
            multilabel=self.multilabel,
            n_classes=self.n_classes,
        )

    def as_given(self) -> Any:
        """Return the masks as passed, for code that does not know `Masks`, but as ids.

        Returns
        -------
        array (n, h, w) or (n, k, h, w), or list of n arrays and None
            Files are read; an array of ids is unchanged.
        """
        items = self._items
        if not isinstance(items, np.ndarray):
            return [self.ids(index) for index in range(len(self))]
        rows = self._rows
        part = items if np.array_equal(rows, np.arange(len(items))) else items[rows]
        return np.where(part == 255, 1, part) if self._scan.of_255 else part

    def ids(self, index: int) -> NDArray[Any] | None:
        """Return one mask as passed if it was an array of ids; otherwise as it is read."""
        item, (depth, *size) = self._items[self._rows[index]], self._scan.shapes[index].tolist()
        shape = (depth, *size) if depth > 0 else tuple(size)
        is_ids = isinstance(item, np.ndarray) and item.shape == shape and not self._scan.of_255
        return item if is_ids else self[index]


#: Masks, as `segclf.data.as_masks` takes them.
#: An array, a tensor, `Masks`, or a list of arrays, paths and None.
MasksLike: TypeAlias = ArrayLike | Masks | Sequence[ArrayLike | PathLike[str] | LazyMask | None]


def as_masks(
    masks: object, n_samples: int, *, n_classes: int | None = None, n_spatial: int = N_SPATIAL
) -> Masks:
    """Wrap anything that holds masks as one sequence.

    Parameters
    ----------
    masks : array, tensor, memmap, sequence, Series or None
        An array or tensor (n, h, w) of ids (integers, bool, or floats that are whole): 0 is
        background, -1 unlabeled; or (n, k, h, w) of 0, 1 and -1 for multi-label, also if k is 1. Or
        a list, tuple, 1-d object array or Series whose items are such arrays (h, w) or (k, h, w),
        paths to gray or palette PNG or TIFF files (palette indices are the ids), items of
        `map_masks`, or None for an image without mask. None alone means that there are no masks. If
        the whole set holds only 0, 255 and -1, 255 is read as 1. With the channels last, (h, w, 1),
        gray RGB and RGBA, and one-hot (h, w, k) are read as ids. An empty mask, of zeros, says that
        nothing is there; it is not the same as None.
    n_samples : int
        Number of images.
    n_classes : int, optional
        Number of ids, if it is known.
    n_spatial : int
        2 for masks of images, as above; 3 for those of volumes: an array or tensor (n, d, h, w) of
        ids or (n, k, d, h, w) of 0, 1 and -1, or a list of arrays (d, h, w) or (k, d, h, w) and
        None.

    Returns
    -------
    Masks

    Raises
    ------
    ValueError
        For anything else, a wrong number of masks, ids below -1 or above 254, 255 beside other ids,
        fractions, colours, damaged files, or a mix of multi-label and exclusive masks; the message
        has the number of the sample.

    Examples
    --------
    >>> import numpy as np
    >>> masks = as_masks([np.array([[0, 3], [-1, 0]]), None], n_samples=2)
    >>> masks.n_classes, masks.labeled.tolist(), masks.multilabel
    (4, [True, False], False)
    >>> masks.shown().tolist()
    [[1, -1, -1, 1], [-1, -1, -1, -1]]
    """
    given = [None] * n_samples if masks is None else masks
    items: Any = given if isinstance(given, Masks) else items_of(given, n_spatial)
    if len(items) != n_samples:
        raise ValueError(f"There are {len(items)} masks for {n_samples} images; expected one each.")
    return items if isinstance(items, Masks) else _looked_at(items, n_classes, n_spatial)


def _looked_at(items: NDArray[Any] | list[Any], n_classes: int | None, n_spatial: int) -> Masks:
    found = scan(items, n_spatial)
    depth = int(found.shapes[:, 0].max(initial=0))
    if found.of_255 and depth == 0 and (n_classes or 2) > 2:
        raise ValueError(
            f"Masks hold only 0 and 255, but there are {n_classes} ids. If 255 is a void label, "
            "set it to -1; otherwise map it with segclf.data.map_masks(masks, {0: 0, 255: 1})."
        )
    highest = int(np.flatnonzero(found.shows.any(axis=0)).max(initial=0))
    return Masks(
        items,
        np.arange(len(items)),
        found,
        multilabel=depth > 0,
        n_classes=depth if depth > 0 else max(highest + 1, 2),
    )
