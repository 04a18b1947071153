"""Read MedMNIST files."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.datasets.annotated_images import AnnotatedImages

__all__ = ["load_medmnist"]

Path = str | os.PathLike[str]
_SUBSETS = ("train", "val", "test")
# Deflate expands one byte to at most this number of bytes.
_MOST_PER_BYTE = 1032
_MOST_BYTES = 2**36


def load_medmnist(
    path: Path, *, subset: str = "train", target_names: Sequence[str] = ()
) -> AnnotatedImages:
    """Read a MedMNIST file of images or volumes.

    Parameters
    ----------
    path : str or path-like
        Such as ``breastmnist_224.npz``, with ``train_images``, ``train_labels`` and so on.
    subset : {"train", "val", "test"}, default="train"
        The subset to read.
    target_names : sequence of str, optional
        Names of the labels, which the file does not contain.

    Returns
    -------
    AnnotatedImages
        `images` is one uint8 array, (n, h, w) or (n, h, w, 3) for images and (n, d, h, w) for
        volumes. `target` is (n,), or an indicator (n, k) for multi-label data. There are no masks.

    Raises
    ------
    OSError
        If the file does not exist.
    ValueError
        If it lacks these arrays, or its header and its unpacked size disagree, which is checked
        before memory is allocated.

    Examples
    --------
    ``found = load_medmnist("breastmnist.npz"); classifier.fit(found.images, found.target)``
    """
    if subset not in _SUBSETS:
        raise ValueError(f"subset={subset!r}; expected one of {', '.join(_SUBSETS)}.")
    name = os.fspath(path)
    try:
        with zipfile.ZipFile(path) as file:
            images = _array(file, f"{subset}_images", name)
            labels = _array(file, f"{subset}_labels", name)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(f"{name!r} is not a MedMNIST file (.npz): {error}.") from error
    if len(images.shape) not in (3, 4) or images.dtype != np.uint8:
        raise ValueError(
            f"{name!r}: {subset}_images is an array of {images.dtype} of shape {images.shape}; "
            "expected uint8, (n, h, w), (n, h, w, 3) or (n, d, h, w)."
        )
    if len(labels) != len(images) or len(labels.shape) != 2 or labels.dtype.kind not in "iu":
        raise ValueError(
            f"{name!r}: {subset}_labels is an array of {labels.dtype} of shape {labels.shape}; "
            f"expected whole numbers, ({len(images)}, k)."
        )
    target = labels[:, 0] if labels.shape[1] == 1 else labels
    names = [f"{subset}_{number}" for number in range(len(images))]
    return AnnotatedImages(
        images, None, [], names, target=target.astype(np.intp), target_names=list(target_names)
    )


def _array(file: zipfile.ZipFile, key: str, name: str) -> NDArray[Any]:
    """Read one array, if the size of the file agrees with its header."""
    try:
        entry = file.getinfo(f"{key}.npy")
    except KeyError:
        listed = ", ".join(each.removesuffix(".npy") for each in file.namelist()[:9])
        raise ValueError(f"{name!r} has no {key}; it has {listed}.") from None
    most = min(entry.compress_size * _MOST_PER_BYTE, _MOST_BYTES)
    if entry.compress_size > os.path.getsize(name) or entry.file_size > most:
        raise ValueError(f"{name!r}: {key} cannot inflate to {entry.file_size:,} bytes.")
    with file.open(entry) as stored:
        try:
            version = np.lib.format.read_magic(stored)
            read = np.lib.format.read_array_header_1_0
            shape, _, dtype = (read if version == (1, 0) else np.lib.format.read_array_header_2_0)(
                stored
            )
        except ValueError as error:
            raise ValueError(f"{name!r}: {key} is not a NumPy array: {error}.") from error
        n_bytes = dtype.itemsize
        for length in shape:
            n_bytes *= length
        if dtype.hasobject or n_bytes + stored.tell() != entry.file_size:
            raise ValueError(
                f"{name!r}: {key} is {dtype} of shape {shape} by its header, but has "
                f"{entry.file_size:,} bytes."
            )
    with file.open(entry) as stored:
        array: NDArray[Any] = np.lib.format.read_array(stored, allow_pickle=False)
    return array
