"""Calls of readers, and checks of their results: axes, slices, images only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.data.found_readers import FoundReader
from segclf.hookspecs import ImageData, ImageHeader

__all__ = ["load", "load_flat", "load_flat_ids", "load_ids", "look", "look_flat"]

_AXES = {"image": ("hwc", "dhwc"), "mask": ("hw", "dhw", "khw", "kdhw")}


def load_flat(found: FoundReader) -> NDArray[Any]:
    """Read an image (h, w, c); for a volume, the error says how to take its slices."""
    return _flat(load(found)).array


def load_flat_ids(found: FoundReader) -> NDArray[Any]:
    """Read a mask (h, w) or (k, h, w); for a volume see `load_flat`."""
    return _flat(load_ids(found)).array


def look_flat(found: FoundReader) -> ImageHeader:
    """Read the header of an image; for a volume see `load_flat`."""
    header = look(found)
    if header.depth is not None:
        raise ValueError(_slices_instead(header.depth, header.height, header.width))
    return header


def _flat(data: ImageData) -> ImageData:
    if "d" in data.axes:
        raise ValueError(_slices_instead(*data.array.shape[data.axes.index("d") :][:3]))
    return data


def _slices_instead(depth: int, height: int, width: int) -> str:
    return (
        f"it is a volume of {depth} slices of {height} x {width}, but images are expected; pass "
        f"its slices, 'path[z=0]' to 'path[z={depth - 1}]', all of which are "
        "segclf.data.slice_paths(path)"
    )


def load(found: FoundReader) -> ImageData:
    """Read an image, a volume, or a slice of one."""
    if found.z is None:
        return _checked(found.reader.read(found.path), "image")
    return _load_slice(found, found.reader.read, "image")


def load_ids(found: FoundReader) -> ImageData:
    """Read the mask of an image, a volume, or a slice of one."""
    if found.z is None:
        return _checked(found.reader.read_mask(found.path), "mask")
    return _load_slice(found, found.reader.read_mask, "mask")


def look(found: FoundReader) -> ImageHeader:
    """Read the header of an image, a volume, or a slice of one."""
    header = found.reader.read_header(found.path)
    return header if found.z is None else _header_of_slice(header, found.z)


def _load_slice(found: FoundReader, read: Callable[[Any], ImageData], kind: str) -> ImageData:
    z = int(found.z or 0)
    header = _header_of_slice(found.reader.read_header(found.path), z)
    read_slice = getattr(found.reader, "read_slice", None)
    if read_slice is not None:
        sliced = _checked(read_slice(found.path, z, mask=kind == "mask"), kind)
    else:
        data = _checked(read(found.path), kind)
        array = np.take(data.array, z, axis=data.axes.index("d"))
        sliced = ImageData(array, data.axes.replace("d", ""))
    return sliced._replace(spacing=header.spacing, affine=header.affine)


def _header_of_slice(header: ImageHeader, z: int) -> ImageHeader:
    if header.depth is None:
        raise ValueError(f"it is an image and has no slice z={z}")
    if z >= header.depth:
        raise ValueError(f"it has slices z=0 to z={header.depth - 1}, but no z={z}")
    affine = header.affine
    if affine is not None:
        affine = affine.copy()
        affine[:, 3] += z * affine[:, 0]
    spacing = None if header.spacing is None else header.spacing[1:]
    return header._replace(depth=None, spacing=spacing, affine=affine)


def _checked(data: ImageData, kind: str) -> ImageData:
    """Check that a reader returned valid axes."""
    if data.axes not in _AXES[kind] or data.array.ndim != len(data.axes):
        raise ValueError(
            f"its reader returned the axes {data.axes!r} for an array of shape {data.array.shape}; "
            f"expected one of {', '.join(_AXES[kind])} for {kind}s"
        )
    return data
