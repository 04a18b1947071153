"""The front door for images: whatever X is, as a sequence of (h, w, c) arrays.

Nothing is copied whole, files are decoded as they are taken, and what cannot be an image is
refused here with its number, so that the rooms inside may trust what they get.
"""

from __future__ import annotations

from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segclf.data.channels import Channels
from segclf.data.intake import source_of
from segclf.data.scale import Scale, learn_scale, require_scale, scale_of, scales_of
from segclf.data.sources import ArraySource, ListSource, Source

__all__ = ["Images", "as_images", "to_float"]


class Images:
    """A sequence of images of one number of channels, from `as_images`.

    Attributes
    ----------
    n_channels : int
    size : tuple of int, or None
        (h, w) if all images are known to have it. Files count as unknown until `sizes` was called.
    scale : Scale or None
        What the images must agree with as they are taken, see `segclf.data.scale`.
    """

    def __init__(
        self, source: Source, rows: NDArray[np.intp], *, scale: Scale | None = None
    ) -> None:
        self._source = source
        self._rows = rows
        self.n_channels = source.n_channels
        self.scale = scale

    @classmethod
    def from_maps(cls, maps: NDArray[Any] | list[NDArray[Any]]) -> Images:
        """Take maps, whose channels come first and may be as many as those of embeddings.

        Parameters
        ----------
        maps : array of shape (n, k, h, w), or list of n arrays (k, h, w)
            Finite numbers, of one k.
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

    @property
    def shape(self) -> tuple[int]:
        """(n,); with it scikit-learn cuts folds by `subset`, without opening any image."""
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
        """Return some images as new arrays, in their own type, colours as RGB.

        Parameters
        ----------
        indices : array-like of int, shape (m,)

        Returns
        -------
        array of shape (m, h, w, c), or list of m arrays (h, w, c)
            One array where X was one array, memmap or tensor; a list where it was a list or files.

        Raises
        ------
        ValueError
            Where a file cannot be read, or a file or memmap holds NaN or infinity: with the
            number of the sample in X, and its path. Where its scale is another than `scale`.
        """
        return self._take(self._rows[np.asarray(indices, dtype=np.intp)])

    @property
    def size(self) -> tuple[int, int] | None:
        """(h, w) if all images are known to have it, else None."""
        sizes = self._source.known_sizes(self._rows)
        if len(sizes) == 0 or sizes[0, 0] < 0 or (sizes != sizes[0]).any():
            return None
        return int(sizes[0, 0]), int(sizes[0, 1])

    def sizes(self) -> NDArray[np.intp]:
        """Return the size of each image; of files from their headers, read once.

        Returns
        -------
        array of shape (n, 2)
            Heights and widths.
        """
        return self._source.sizes(self._rows)

    def affine(self, index: int) -> NDArray[np.float64] | None:
        """Return where an image lies, by its file's header once `sizes` has read it; else None."""
        return self._source.affine(int(self._rows[index]))

    def name(self, index: int) -> str:
        """Name an image in an error, by its number in X and its file."""
        return self._source.name(int(self._rows[index]))

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

    def learn_scale(self) -> Images:
        """Return the same images with their common scale, see `segclf.data.scale.learn_scale`.

        Raises
        ------
        ValueError
            Where they are of several scales.
        """
        found = learn_scale(self._source, self._rows) if self._source.pixels else None
        return self.expect(found, check=False)

    def expect(self, scale: Scale | None, *, check: bool = True) -> Images:
        """Return the same images, which must agree with a scale: at once, or where lazy as taken.

        Parameters
        ----------
        scale : Scale or None
        check : bool
            False for those of which it is known.

        Returns
        -------
        Images

        Raises
        ------
        ValueError
            Where one is of another scale: with its number, both ranges, and how to convert it.
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


def as_images(
    X: object,
    *,
    image_shape: tuple[int, ...] | None = None,
    n_channels: int | None = None,
    channels: Channels = None,
) -> Images:
    """Take anything that holds images.

    Parameters
    ----------
    X : array, tensor, memmap, sequence, Series, data frame or Dataset
        Arrays (n, h, w) or (n, h, w, c) of any real dtype; torch tensors (n, h, w) or
        (n, c, h, w) on any device; a list, tuple, 1-d object array, Series or a table of one
        column that holds paths to PNG, JPEG or TIFF files, PIL images, (h, w) or (h, w, c) arrays,
        or (h, w) or (c, h, w) tensors, of different sizes; a map-style Dataset of such images; rows
        (n, f). Of an item that is a dict the "image" is taken, of a tuple (image, target) the
        first.
    image_shape : tuple of int, optional
        (h, w) or (h, w, c) of what a row holds; (1, f) if None. Only for rows.
    n_channels : int, optional
        The number of channels to insist on. For files, PIL images and Datasets None takes 3 where
        any has 3, and repeats gray ones to 3 channels; all other differences are errors.
    channels : {"first", "last"}, optional
        Where the channels of arrays are. None takes them to be last where there are 1, 3 or 4, or
        at most 16 and fewer than an image has rows and columns, and asks otherwise. Tensors have
        them first.

    Returns
    -------
    Images

    Raises
    ------
    ValueError
        For anything else, saying what to pass in its place; and for empty input, zero-size images,
        volumes, NaN, infinity, numbers beyond 1e15, masked pixels, mixed kinds, different numbers
        of channels, missing files, unknown suffixes: with the sample's number.

    Examples
    --------
    >>> import numpy as np
    >>> images = as_images(np.zeros((5, 8, 9), dtype=np.uint16))
    >>> len(images), images.size, images.n_channels, images[0].shape
    (5, (8, 9), 1, (8, 9, 1))
    >>> as_images(np.zeros((5, 12)), image_shape=(2, 2, 3)).take([0, 1]).shape
    (2, 2, 2, 3)
    """
    if isinstance(X, Images):
        images = X
    else:
        source = source_of(X, image_shape, n_channels, channels)
        images = Images(source, np.arange(source.n_samples))
    if n_channels is not None and images.n_channels != n_channels:
        raise ValueError(
            f"X has {images.n_channels} channel(s) per image; expected {n_channels}, as fit saw."
            + _one_image(X, n_channels)
        )
    return images


def _one_image(X: Any, n_channels: int) -> str:
    """Say what to do where X seems to be one image of so many channels."""
    shape = tuple(getattr(X, "shape", ()))
    if len(shape) == 3 and n_channels in (shape[0], shape[2]):
        return f" If X of shape {shape} is one image, pass X[None]."
    return ""


def to_float(array: NDArray[Any]) -> NDArray[np.float32]:
    """Return float32, with 0 to 1 as the range of bool, uint8 and uint16; other types as they are.

    So a picture as uint8 and the same as float in [0, 1] agree.

    Parameters
    ----------
    array : array of any shape

    Returns
    -------
    array of float32, of the same shape
        The same array if it is float32 already.

    Examples
    --------
    >>> import numpy as np
    >>> to_float(np.array([0, 51, 255], dtype=np.uint8)).tolist()
    [0.0, 0.20000000298023224, 1.0]
    """
    if array.dtype == np.uint8 or array.dtype == np.uint16:
        top = np.float32(np.iinfo(array.dtype).max)
        return np.divide(array, top, dtype=np.float32)
    return array.astype(np.float32, copy=False)
