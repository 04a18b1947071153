"""NumPy files as images."""

import os

import numpy as np

from segclf.hookspecs import ImageData, ImageHeader, ReadPath

MAGIC = np.lib.format.MAGIC_PREFIX


class NpyReader:
    """Reads arrays (h, w) and (h, w, c) written by `numpy.save`."""

    def sniff(self, start: bytes) -> bool:
        """Recognize the format by its first bytes."""
        return start.startswith(MAGIC)

    def read_header(self, path: ReadPath) -> ImageHeader:
        """Read shape and type; mapping the file reads no pixels, but checks its length."""
        array = _mapped(path)
        return ImageHeader(*array.shape, array.dtype)

    def read(self, path: ReadPath) -> ImageData:
        """Read an image (h, w, c)."""
        return ImageData(np.array(_mapped(path)), "hwc")

    def read_mask(self, path: ReadPath) -> ImageData:
        """Read ids (h, w)."""
        array = _mapped(path)
        if array.shape[2] != 1:
            raise ValueError(f"its shape is {array.shape}; expected ids of shape (h, w)")
        return ImageData(np.array(array[..., 0]), "hw")


def _mapped(path: ReadPath) -> np.ndarray:
    array = np.load(os.fspath(path), mmap_mode="r", allow_pickle=False)
    if len(array.shape) not in (2, 3) or array.dtype.kind not in "biuf":
        raise ValueError(f"it holds {array.dtype} of shape {array.shape}; expected (h, w, c)")
    return array if len(array.shape) == 3 else array[..., None]
