"""A sequence of images or volumes, as `as_images` returns it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segclf.data.loaded_source import LoadedSource
from segclf.data.open_volume import OpenVolume
from segclf.data.scale import Scale, learn_scale, require_scale, scale_of, scales_of
from segclf.data.slice_source import SliceSource
from segclf.data.sources import ArraySource, ListSource, Source

__all__ = ["Images"]


class Images:
    """A sequence of images with the same number of channels, from `as_images`.

    Attributes
    ----------
    n_channels : int
        Number of channels of each image.
    n_spatial : int
        2 for images; 3 for volumes, which have d before h everywhere below.
    size : tuple of int, or None
        (h, w) if all images are known to have this size. Files count as unknown until `sizes` is
        called.
    sizes_first : bool
        See `Source`.
    scale : Scale or None
        The scale that images must have when they are taken, see `segclf.data.scale`.
    """

    def __init__(
        self, source: Source, rows: NDArray[np.intp], *, scale: Scale | None = None
    ) -> None:
        self._source = source
        self._rows = rows
        self.n_channels, self.n_spatial = source.n_channels, source.n_spatial
        self.sizes_first = source.sizes_first
        self.scale = scale

    @classmethod
    def from_maps(cls, maps: NDArray[Any] | list[NDArray[Any]]) -> Images:
        """Wrap maps, whose channels come first and may be as many as those of embeddings.

        Parameters
        ----------
        maps : array of shape (n, k, h, w), or list of n arrays (k, h, w)
            Finite numbers, with the same k.
        """
        source: Source
        if isinstance(maps, np.ndarray):
            source = ArraySource(np.moveaxis(maps, 1, -1), mapped=False)
        else:
            source = ListSource(
                [np.moveaxis(each, 0, -1) for each in maps], mapped=[False] * len(maps)
            )
        source.pixels = False
        return cls(source, np.arange(source.n_samples))

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"Images({len(self)}, n_channels={self.n_channels}, size={self.size})"

    @property
    def shape(self) -> tuple[int]:
        """(n,); scikit-learn needs it to split by `subset`, which opens no image."""
        return (len(self),)

    @overload
    def __getitem__(self, index: int) -> NDArray[Any]: ...

    @overload
    def __getitem__(self, index: Any) -> Images: ...

    def __getitem__(self, index: Any) -> NDArray[Any] | Images:
        """Return one image (h, w, c); or, for a slice, a list or an array, a subset."""
        if isinstance(index, tuple) and len(index) == 2 and index[1] is Ellipsis:
            index = index[0]
        rows = self._rows[index]
        if np.ndim(rows) == 0:
            return self._take(rows[None])[0]
        return Images(self._source, rows, scale=self.scale)

    def take(self, indices: ArrayLike) -> NDArray[Any] | list[NDArray[Any]]:
        """Return some images as new arrays of their own type, colours as RGB.

        Parameters
        ----------
        indices : array-like of int, shape (m,)

        Returns
        -------
        array of shape (m, h, w, c), or list of m arrays (h, w, c)
            One array if X was one array, memmap or tensor; a list if it was a list or files.

        Raises
        ------
        ValueError
            If a file cannot be read, or a file or memmap holds NaN or infinity; the message has the
            number of the sample in X, and its path. Also if its scale differs from `scale`.
        """
        return self._take(self._rows[np.asarray(indices, dtype=np.intp)])

    @property
    def size(self) -> tuple[int, ...] | None:
        """(h, w) if all images are known to have this size, else None."""
        sizes = self._source.known_sizes(self._rows)
        if len(sizes) == 0 or sizes[0, 0] < 0 or (sizes != sizes[0]).any():
            return None
        return tuple(sizes[0].tolist())

    def sizes(self) -> NDArray[np.intp]:
        """Return the size of each image; for files from their headers, read once.

        Returns
        -------
        array of shape (n, 2) or (n, 3)
            Heights and widths, preceded by depths for volumes.
        """
        return self._source.sizes(self._rows)

    def spacing(self) -> tuple[float, ...] | None:
        """Return the median pixel spacing along each axis, in mm; None if unknown.

        It is unknown if a file has no spacing, and if X is arrays.
        """
        found = self.spacings()
        return None if found is None else tuple(np.median(found, axis=0).tolist())

    def spacings(self) -> NDArray[np.float64] | None:
        """Return the pixel spacing of each image, (n, n_spatial) in mm; None as for `spacing`."""
        found = [self.spacing_of(index) for index in range(len(self))]
        return None if None in found else np.array(found, dtype=float).reshape(-1, self.n_spatial)

    def spacing_of(self, index: int) -> tuple[float, ...] | None:
        """Return the pixel spacing of one image; None if unknown."""
        return self._source.spacing(int(self._rows[index]))

    def affine(self, index: int) -> NDArray[np.float64] | None:
        """Return the affine of an image from its header, once `sizes` has read it; else None."""
        return self._source.affine(int(self._rows[index]))

    def path(self, index: int) -> str | None:
        """Return the file of an image, or None if it is not in a file."""
        return self._source.path(int(self._rows[index]))

    def name(self, index: int) -> str:
        """Name an image in an error, by its number in X and its file."""
        return self._source.name(int(self._rows[index]))

    def open(self, index: int, size: tuple[int, ...] | None = None) -> OpenVolume:
        """Return a volume to read parts of; a file is decoded once for all of them.

        Parameters
        ----------
        index : int
        size : (int, int, int), optional
            Size of the grid for the parts; by default the volume's own.

        Raises
        ------
        ValueError
            If its scale differs from `scale`, and as in `take`.
        """
        row = int(self._rows[index])
        array, name = self._source.view(row), self.name(index)
        if self.scale is not None and self._source.lazy:
            require_scale(scale_of(array), self.scale, name)
        unchecked = name.removeprefix("Image ") if self._source.lazy else None
        return OpenVolume(array, size, unchecked)

    def slices(
        self, volumes: NDArray[np.intp], slices: NDArray[np.intp], *, neighbors: int = 0
    ) -> Images:
        """Return slices of volumes as images, read when they are taken.

        Parameters
        ----------
        volumes, slices : array of int, shape (m,)
            The volume of each slice, and its number there.
        neighbors : int
            Number of slices on either side that become further channels, from the first to the
            last; beyond the ends of a volume its last slice is repeated.

        Returns
        -------
        Images
            m images (h, w, (2 * neighbors + 1) * c).
        """
        source = SliceSource(self._source, self._rows[volumes], slices, neighbors)
        return Images(source, np.arange(len(slices)))

    def subset(self, indices: ArrayLike) -> Images:
        """Return some of the images, without reading or copying any.

        Parameters
        ----------
        indices : array-like of int, shape (m,)

        Returns
        -------
        Images
            Its errors still give the sample's number in the original X.
        """
        rows = self._rows[np.asarray(indices, dtype=np.intp)]
        return Images(self._source, rows, scale=self.scale)

    def loaded(self, indices: ArrayLike, arrays: Sequence[NDArray[Any]]) -> Images:
        """Return some of the images, whose arrays have been read already.

        Parameters
        ----------
        indices : array-like of int, shape (m,)
        arrays : sequence of m arrays (h, w, c)
            What this sequence returned for them.

        Returns
        -------
        Images
            Images of these arrays; errors still give the sample's number in the original X.
        """
        rows = self._rows[np.asarray(indices, dtype=np.intp)]
        return Images(LoadedSource(self._source, rows, arrays), np.arange(len(arrays)))

    def learn_scale(self) -> Images:
        """Return the same images with their common scale, see `segclf.data.scale.learn_scale`.

        Raises
        ------
        ValueError
            If they have different scales.
        """
        found = learn_scale(self._source, self._rows) if self._source.pixels else None
        return self.expect(found, check=False)

    def expect(self, scale: Scale | None, *, check: bool = True) -> Images:
        """Return the same images, which must have a scale: checked now or, if lazy, when taken.

        Parameters
        ----------
        scale : Scale or None
        check : bool
            False for images that are known to have it.

        Returns
        -------
        Images

        Raises
        ------
        ValueError
            If one has another scale; the message has its number, both ranges, and how to convert
            it.
        """
        if scale is not None and check and not self._source.lazy:
            for row, found in scales_of(self._source, self._rows):
                require_scale(found, scale, self._source.name(row))
        return Images(self._source, self._rows, scale=scale)

    def _take(self, rows: NDArray[np.intp]) -> NDArray[Any] | list[NDArray[Any]]:
        batch = self._source.take(rows)
        if self.scale is not None and self._source.lazy:
            for row, image in zip(rows.tolist(), batch, strict=True):
                require_scale(scale_of(image), self.scale, self._source.name(row))
        return batch
