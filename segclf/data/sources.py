"""Sources of images: one array, one tensor, or a list (for files see opened_source).

All refer to samples by their number in the user's input, so that errors name the right one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from segclf.axes import N_SPATIAL
from segclf.data.arrays import native, require_finite, to_numpy
from segclf.data.channels import as_hwc

__all__ = ["ArraySource", "ListSource", "Rows", "Source", "TensorSource"]

#: Numbers of samples.
Rows = NDArray[np.intp]


class Source(ABC):
    """Images in one kind of storage; or volumes, which have d before h everywhere.

    Attributes
    ----------
    n_samples : int
    n_channels : int
    n_spatial : int
        2 for images, 3 for volumes.
    lazy : bool
        Whether values are read and checked only when they are taken.
    pixels : bool
        False if values have no fixed scale, like the maps of a network.
    sizes_first : bool
        Whether to read all sizes before any image is taken. False if there may be too many.
    """

    n_samples: int
    n_channels: int
    n_spatial: int = N_SPATIAL
    lazy: bool = False
    pixels: bool = True
    sizes_first: bool = True

    @abstractmethod
    def take(self, rows: Rows) -> NDArray[Any] | list[NDArray[Any]]:
        """Return new arrays: one (n, h, w, c) if the storage is uniform, else a list of (h, w, c).

        Parameters
        ----------
        rows : array of shape (n,)

        Returns
        -------
        array or list of arrays
        """

    @abstractmethod
    def sizes(self, rows: Rows) -> NDArray[np.intp]:
        """Return the height and width of each image.

        Parameters
        ----------
        rows : array of shape (n,)

        Returns
        -------
        array of shape (n, n_spatial)
        """

    @abstractmethod
    def dtypes(self, rows: Rows) -> list[np.dtype[Any]]:
        """Return the type of each image, as taken.

        Parameters
        ----------
        rows : array of shape (n,)

        Returns
        -------
        list of n dtypes
        """

    def known_sizes(self, rows: Rows) -> NDArray[np.intp]:
        """Return the sizes that are known without opening an image, -1 for the others.

        Parameters
        ----------
        rows : array of shape (n,)

        Returns
        -------
        array of shape (n, 2)
        """
        return self.sizes(rows)

    def view(self, row: int) -> NDArray[Any]:
        """Return one image (h, w, c) as stored; if in memory or mapped, neither copied nor checked.

        Parameters
        ----------
        row : int

        Returns
        -------
        array
        """
        return self.take(np.array([row]))[0]

    def name(self, row: int) -> str:
        """Return the name of an image for errors.

        Parameters
        ----------
        row : int

        Returns
        -------
        str
        """
        return f"Image {row}"

    def path(self, row: int) -> str | None:
        """Return the file of an image, if it is in one.

        Parameters
        ----------
        row : int

        Returns
        -------
        str, or None
        """
        return None

    def affine(self, row: int) -> NDArray[np.float64] | None:
        """Return the affine of an image, see `segclf.hookspecs.ImageHeader`; None if unknown.

        Parameters
        ----------
        row : int

        Returns
        -------
        array of shape (4, 4), or None
        """
        return None

    def spacing(self, row: int) -> tuple[float, ...] | None:
        """Return the pixel spacing along each axis, in mm; None if unknown.

        Parameters
        ----------
        row : int

        Returns
        -------
        tuple of float, or None
        """
        return None


class ArraySource(Source):
    """One array (n, h, w, c), in memory or mapped from a file; never copied whole.

    Parameters
    ----------
    array : array of shape (n, h, w, c)
    mapped : bool
        True if it is in a file; it is then checked for NaN when it is taken, otherwise at once, in
        chunks.
    """

    def __init__(self, array: NDArray[Any], *, mapped: bool) -> None:
        self.n_samples, *self._size, self.n_channels = array.shape
        self.n_spatial = len(self._size)
        self._array = array
        self.lazy = mapped

    def take(self, rows: Rows) -> NDArray[Any]:
        """Index once; see `Source.take`."""
        batch = native(self._array[rows])
        if self.lazy:
            require_finite(batch, rows, "Image")
        return batch

    def view(self, row: int) -> NDArray[Any]:
        """Index the array; see `Source.view`."""
        return self._array[row]

    def sizes(self, rows: Rows) -> NDArray[np.intp]:
        """Repeat the one size; see `Source.sizes`."""
        return np.tile(np.array(self._size, dtype=np.intp), (len(rows), 1))

    def dtypes(self, rows: Rows) -> list[np.dtype[Any]]:
        """Repeat the one type; see `Source.dtypes`."""
        return [self._array.dtype] * len(rows)


class TensorSource(Source):
    """One tensor (n, c, h, w) that numpy cannot view: on another device, or in bfloat16.

    Parameters
    ----------
    tensor : tensor of shape (n, c, h, w)
    """

    def __init__(self, tensor: torch.Tensor) -> None:
        self.n_samples, self.n_channels, *self._size = tensor.shape
        self.n_spatial = len(self._size)
        self._tensor = tensor

    def take(self, rows: Rows) -> NDArray[Any]:
        """Copy the batch to the CPU; see `Source.take`."""
        index = torch.as_tensor(rows, device=self._tensor.device)
        return to_numpy(self._tensor[index].movedim(1, -1))

    def sizes(self, rows: Rows) -> NDArray[np.intp]:
        """Repeat the one size; see `Source.sizes`."""
        return np.tile(np.array(self._size, dtype=np.intp), (len(rows), 1))

    def dtypes(self, rows: Rows) -> list[np.dtype[Any]]:
        """Repeat the one type; see `Source.dtypes`."""
        return [_numpy_type(self._tensor)] * len(rows)


class ListSource(Source):
    """Arrays (h, w, c) or tensors (c, h, w) of different sizes, not copied.

    Parameters
    ----------
    items : sequence of array (h, w, c) or tensor (c, h, w)
    mapped : sequence of bool
        True for an item in a file: it is checked for NaN when it is taken.
    spacings : sequence of tuple or None, optional
        Pixel spacing of each item, if known.
    """

    def __init__(
        self,
        items: Sequence[NDArray[Any] | torch.Tensor],
        *,
        mapped: Sequence[bool],
        spacings: Sequence[tuple[float, ...] | None] | None = None,
    ) -> None:
        self._items, self._mapped, self._spacings = items, mapped, spacings
        self.lazy = any(mapped)
        self.n_samples = len(items)
        self.n_channels = items[0].shape[0 if isinstance(items[0], torch.Tensor) else -1]
        self._sizes = np.array(
            [x.shape[1:] if isinstance(x, torch.Tensor) else x.shape[:-1] for x in items], np.intp
        )
        self.n_spatial = self._sizes.shape[1]

    def take(self, rows: Rows) -> list[NDArray[Any]]:
        """Copy each; see `Source.take`."""
        return [self._read(row) for row in rows.tolist()]

    def view(self, row: int) -> NDArray[Any]:
        """Return the item itself; see `Source.view`."""
        return as_hwc(self._items[row])

    def sizes(self, rows: Rows) -> NDArray[np.intp]:
        """Return the sizes of the items; see `Source.sizes`."""
        return self._sizes[rows]

    def dtypes(self, rows: Rows) -> list[np.dtype[Any]]:
        """Return the type of each item; see `Source.dtypes`."""
        return [_numpy_type(self._items[row]) for row in rows.tolist()]

    def spacing(self, row: int) -> tuple[float, ...] | None:
        """Return the given spacing; see `Source.spacing`."""
        return None if self._spacings is None else self._spacings[row]

    def _read(self, row: int) -> NDArray[Any]:
        image = native(np.array(as_hwc(self._items[row])))
        if self._mapped[row]:
            require_finite(image[None], np.array([row]), "Image")
        return image


def _numpy_type(item: NDArray[Any] | torch.Tensor) -> np.dtype[Any]:
    return to_numpy(item[:0]).dtype
