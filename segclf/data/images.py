"""Validation of image input: whatever X is, return a sequence of (h, w, c) arrays.

Nothing is copied whole, files are decoded when they are taken, and invalid images are refused here
with their number, so that the code behind may trust what it gets.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from segclf.axes import N_SPATIAL, N_SPATIAL_OF_VOLUMES
from segclf.data.channels import Channels
from segclf.data.image_sequence import Images
from segclf.data.intake import require_paths, source_of
from segclf.data.volumes import volume_source

__all__ = ["Images", "as_images"]


def as_images(
    X: object,
    *,
    image_shape: tuple[int, ...] | None = None,
    n_channels: int | None = None,
    channels: Channels = None,
    n_spatial: int = N_SPATIAL,
    reader: Any = None,
) -> Images:
    """Wrap anything that holds images as one sequence.

    Parameters
    ----------
    X : array, tensor, memmap, sequence, Series, data frame or Dataset
        Arrays (n, h, w) or (n, h, w, c) of any real dtype; torch tensors (n, h, w) or (n, c, h, w)
        on any device; a list, tuple, 1-d object array, Series or a table of one column that holds
        paths to PNG, JPEG or TIFF files, PIL images, (h, w) or (h, w, c) arrays, or (h, w) or (c,
        h, w) tensors, of different sizes; a map-style Dataset of such images; rows (n, f). If an
        item is a dict, its "image" is used; if it is a tuple (image, target), the first. A
        `StoredImages`, such as `PathImages` or `TarImages`; a list may hold URLs.
    image_shape : tuple of int, optional
        Shape (h, w) or (h, w, c) of each row as an image; (1, f) if None. Only for rows.
    n_channels : int, optional
        The required number of channels. For files, PIL images and Datasets, None is 3 if any image
        has 3, and gray ones are repeated to 3 channels; all other differences are errors.
    channels : {"first", "last"}, optional
        Position of the channels in arrays. None assumes that they are last if there are 1, 3 or 4,
        or at most 16 and fewer than an image has rows and columns, and otherwise raises an error.
        Tensors have them first.
    n_spatial : int
        2 for images, as above; 3 for volumes: arrays (n, d, h, w), or (n, d, h, w, c) with
        channels, torch tensors (n, c, d, h, w), or a list of arrays (d, h, w) or (d, h, w, c), of
        tensors (c, d, h, w), or of paths to files and folders of volumes, of different sizes.
    reader : str or Reader, optional
        Reader of the files of X: a plugin's name, or an object such as
        ``segclf_plugins.readers.DicomReader(window="file")``.

    Returns
    -------
    Images

    Raises
    ------
    ValueError
        For anything else; the message says what to pass instead. Also for empty input, zero-size
        images, volumes, NaN, infinity, numbers beyond 1e15, masked pixels, mixed kinds, different
        numbers of channels, missing files and unknown suffixes; the message has the sample's
        number.

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
        if n_spatial == N_SPATIAL:
            source = source_of(X, image_shape, n_channels, channels, reader)
        else:
            source = volume_source(X, n_channels, channels, reader)
        images = Images(source, np.arange(source.n_samples))
    if reader is not None:
        require_paths(None if images is X else source, reader)
    if images.n_spatial != n_spatial:
        kinds = {N_SPATIAL: "images", N_SPATIAL_OF_VOLUMES: "volumes"}
        raise ValueError(f"X holds {kinds[images.n_spatial]}; expected {kinds[n_spatial]}.")
    if n_channels is not None and images.n_channels != n_channels:
        raise ValueError(
            f"X has {images.n_channels} channel(s) per image; expected {n_channels}, as fit saw."
            + _one_image(X, n_channels)
        )
    return images


def _one_image(X: Any, n_channels: int) -> str:
    """Say what to do if X seems to be one image with that number of channels."""
    shape = tuple(getattr(X, "shape", ()))
    if len(shape) == 3 and n_channels in (shape[0], shape[2]):
        return f" If X of shape {shape} is one image, pass X[None]."
    return ""
