"""MedMNIST's files of arrays."""

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
# Deflate makes of one byte no more than these.
_MOST_PER_BYTE = 1032
_MOST_BYTES = 2**36


def load_medmnist(
    path: Path, *, subset: str = "train", target_names: Sequence[str] = ()
) -> AnnotatedImages:
    """Read a file of MedMNIST, of images or of volumes.

    Parameters
    ----------
    path : str or path-like
        Such as ``breastmnist_224.npz``, with ``train_images``, ``train_labels`` and so on.
    subset : {"train", "val", "test"}, default="train"
        Which images.
    target_names : sequence of str, optional
        What the labels are called, which the file does not say.

    Returns
    -------
    AnnotatedImages
        `images` is one array, (n, h, w) or (n, h, w, 3) of images, (n, d, h, w) of volumes, 8 bits
        each; `target` is (n,), or an indicator (n, k) where images may be of several classes. There
        are no masks.

    Raises
    ------
    OSError
        If there is no such file.
    ValueError
        If it has no such arrays, or if it inflates to another size than it says, which is checked
        before anything of that size is allocated.

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
        raise ValueError(f"{name!r} is no file of MedMNIST (.npz): {error}.") from error
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
    """Read one array, if the file may hold what its header says."""
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
            raise ValueError(f"{name!r}: {key} is no array of numpy's: {error}.") from error
        n_bytes = dtype.itemsize
        for length in shape:
            n_bytes *= length
        if dtype.hasobject or n_bytes + stored.tell() != entry.file_size:
            raise ValueError(
                f"{name!r}: {key} says that it is {dtype} of shape {shape}, and has "
                f"{entry.file_size:,} bytes."
            )
    with file.open(entry) as stored:
        array: NDArray[Any] = np.lib.format.read_array(stored, allow_pickle=False)
    return array
