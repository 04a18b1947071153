"""NIfTI: volumes and images in the canonical orientation (right, front, head)."""

from __future__ import annotations

import gzip
import os
import zlib
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segclf.data import atomic_write, load_header
from segclf.hookspecs import ImageData, ImageHeader, ReadPath, WritePath
from segclf_plugins.readers.extras import require
from segclf_plugins.readers.nifti_file import NiftiFile

__all__ = ["NiftiReader", "write_nifti_mask"]

_WRITTEN = ("uint8", "int16", "int32", "uint16", "uint32", "int8", "float32", "float64")


class NiftiReader:
    """Reads NIfTI-1 and NIfTI-2, ``.nii`` and ``.nii.gz``.

    The axes of a volume are (d, h, w, c): d points to the head, h to the front and w to the
    patient's right, for any of the 48 orientations of a file. This is the orientation of
    `nibabel.as_closest_canonical` with axes reversed. A fourth axis is channels. An image of two
    axes is not reoriented: its rows are along the file's second axis. Values are scaled by slope
    and intercept, which gives float32; without them, they keep the file's type.
    """

    def sniff(self, start: bytes) -> bool:
        """Recognize the format by its magic number, also in compressed files."""
        if start[:2] == b"\x1f\x8b":
            try:
                start = zlib.decompressobj(31).decompress(start, 352)
            except zlib.error:
                return False
        return start[344:348] == b"n+1\0" or start[4:12] == b"n+2\0\r\n\x1a\n"

    def read_header(self, path: ReadPath) -> ImageHeader:
        """Read size, type, spacing and affine."""
        file = NiftiFile.open(path)  # type: ignore[arg-type]
        (depth, height, width), affine = _canonical(file)
        spacing = tuple(np.linalg.norm(affine[:3, :3], axis=0).tolist())
        return ImageHeader(
            height,
            width,
            file.shape[3],
            file.dtype,
            None if file.flat else depth,
            spacing[1:] if file.flat else spacing,
            affine,
        )

    def read(self, path: ReadPath) -> ImageData:
        """Read an image (h, w, c) or a volume (d, h, w, c)."""
        file = NiftiFile.open(path)  # type: ignore[arg-type]
        array = _turned(file.read(), _orientation(file))
        header = self.read_header(path)
        if file.flat:
            array = array[0]
        axes = "hwc" if file.flat else "dhwc"
        return ImageData(np.ascontiguousarray(array), axes, header.spacing, header.affine)

    def read_mask(self, path: ReadPath) -> ImageData:
        """Read ids (h, w) or (d, h, w)."""
        image = self.read(path)
        return image._replace(array=_ids(image.array), axes=image.axes[:-1])

    def read_slice(self, path: ReadPath, z: int, *, mask: bool) -> ImageData:
        """Read one slice; if the file is stored in such slices, nothing after it is read."""
        file = NiftiFile.open(path)  # type: ignore[arg-type]
        orientation = _orientation(file)
        (axis, flip) = orientation[2]
        if axis != 2:
            array = _turned(file.read(), orientation)[z]
        else:
            stored = file.shape[2] - 1 - z if flip < 0 else z
            array = _turned(file.read_plane(stored), orientation)[0]
        array = np.ascontiguousarray(array)
        return ImageData(_ids(array), "hw") if mask else ImageData(array, "hwc")

    def write(self, path: WritePath, image: ImageData) -> None:
        """Write an image or a volume, with its affine or otherwise its spacing."""
        _save(path, _made(image))

    def write_mask(self, path: WritePath, mask: ImageData, like: WritePath | None) -> None:
        """Write ids, or channels of 0 and 1, in the orientation of the image's file if NIfTI."""
        if like is not None and _is_nifti(like):
            write_nifti_mask(path, mask.array, like)
            return
        if mask.axes.startswith("k"):
            channels = np.moveaxis(mask.array, 0, -1)
            mask = mask._replace(array=channels, axes=f"{mask.axes[1:]}c")
        if like is not None:
            header = load_header(like)
            size = tuple(n for n in (header.depth, header.height, header.width) if n is not None)
            if mask.array.shape[: len(size)] != size:
                raise ValueError(
                    f"The mask has shape {mask.array.shape}, but its image has {size}."
                )
            mask = mask._replace(spacing=header.spacing, affine=header.affine)
        self.write(path, mask)


def write_nifti_mask(
    path: str | os.PathLike[str], mask: ArrayLike, image: str | os.PathLike[str]
) -> None:
    """Write a mask as a NIfTI file with the orientation and affine of its image.

    Parameters
    ----------
    path : str or path-like
        Path of the new file, ending in ``.nii`` or ``.nii.gz``.
    mask : array of shape (d, h, w), or (h, w) for an image
        Ids, -1 where unlabeled, on the axes of the image as it was read. Or (k, d, h, w) of 0 and 1
        for k classes that may overlap, which become the fourth axis.
    image : str or path-like
        The NIfTI file of the image. Only size, affine and units of its header are copied, no name
        and no description.

    Raises
    ------
    ValueError
        If the mask has another size than the image, or values that are not ids.

    Examples
    --------
    ``write_nifti_mask("0.mask.nii.gz", masks[0], "0.nii.gz")``
    """
    nibabel = require("nibabel", "medical")
    _require_suffix(path)
    file, source = NiftiFile.open(image), nibabel.load(image)
    stored = _stored_mask(np.asarray(mask), file)
    written = type(source)(stored, file.affine)
    written.header.set_xyzt_units(*source.header.get_xyzt_units())
    for kind in ("qform", "sform"):
        affine, code = getattr(source, f"get_{kind}")(coded=True)
        getattr(written, f"set_{kind}")(affine, int(code))
    _save(path, written)


def _save(path: WritePath, image: Any) -> None:
    _require_suffix(path)
    content = image.to_bytes()
    compressed = os.fspath(path).lower().endswith(".gz")
    atomic_write(path, gzip.compress(content, mtime=0) if compressed else content)


def _require_suffix(path: WritePath) -> None:
    name = os.fspath(path)
    if not name.lower().endswith((".nii", ".nii.gz")):
        raise ValueError(f"{name!r} ends in neither .nii nor .nii.gz.")


def _is_nifti(path: WritePath) -> bool:
    return os.fspath(path).lower().endswith((".nii", ".nii.gz"))


def _made(image: ImageData) -> Any:
    """Return a nibabel image whose axes (x, y, z) are (w, h, d)."""
    array = image.array if image.axes.endswith("c") else image.array[..., None]
    if array.dtype.name not in (*_WRITTEN, "bool"):
        raise ValueError(
            f"NIfTI files cannot store {array.dtype}; expected one of {', '.join(_WRITTEN)}."
        )
    flat = "d" not in image.axes
    if flat and array.shape[2] > 1:  # a fourth axis needs a third one
        raise ValueError(f"NIfTI images (h, w) have one channel; got {array.shape[2]}.")
    stored = (array[None] if flat else array).transpose(2, 1, 0, 3)
    if stored.shape[3] == 1:
        stored = stored[:, :, 0, 0] if flat else stored[..., 0]
    affine = image.affine
    if affine is None:
        spacing = image.spacing or (1.0,) * (2 if flat else 3)
        affine = np.zeros((4, 4))
        affine[[2, 1, 0, 3], range(4)] = [*(1.0,) * flat, *spacing, 1.0]
    values = stored.astype(np.uint8) if stored.dtype == bool else stored
    made = require("nibabel", "medical").Nifti1Image(values, affine[:, [2, 1, 0, 3]])
    made.header.set_xyzt_units("mm")
    return made


def _orientation(file: NiftiFile) -> NDArray[np.float64]:
    """Return the world axis and direction of each stored axis, (3, 2)."""
    if file.flat:
        return np.array([[0, 1], [1, 1], [2, 1]], dtype=np.float64)
    orientations = require("nibabel.orientations", "medical")
    orientation: NDArray[np.float64] = orientations.io_orientation(file.affine)
    if not np.isfinite(orientation).all():
        raise ValueError(f"its affine is singular: {file.affine.tolist()}")
    return orientation


def _canonical(file: NiftiFile) -> tuple[tuple[int, int, int], NDArray[np.float64]]:
    """Return (d, h, w) and its affine."""
    orientation = _orientation(file)
    orientations = require("nibabel.orientations", "medical")
    back = orientations.inv_ornt_aff(orientation, file.shape[:3])
    order = np.argsort(orientation[:, 0])
    width, height, depth = (int(file.shape[axis]) for axis in order)
    return (depth, height, width), (file.affine @ back)[:, [2, 1, 0, 3]]


def _turned(stored: NDArray[Any], orientation: NDArray[np.float64]) -> NDArray[Any]:
    """Reorient stored values (x, y, z, c) to (d, h, w, c)."""
    orientations = require("nibabel.orientations", "medical")
    return orientations.apply_orientation(stored, orientation).transpose(2, 1, 0, 3)


def _ids(array: NDArray[Any]) -> NDArray[Any]:
    if array.shape[-1] != 1:
        raise ValueError(f"it has {array.shape[-1]} channels; expected one channel of ids")
    return array[..., 0]


def _stored_mask(mask: NDArray[Any], file: NiftiFile) -> NDArray[Any]:
    """Reorient a mask like the file of its image: (x, y, z), (x, y, z, k) or (x, y)."""
    size, _ = _canonical(file)
    expected = size[1:] if file.flat else size
    if mask.shape[-len(expected) :] != expected or mask.ndim - len(expected) not in (0, 1):
        raise ValueError(f"The mask has shape {mask.shape}, but its image has {expected}.")
    ids = mask.astype(np.int16)
    if (ids != mask).any() or ids.min() < -1 or ids.max() > 254:
        raise ValueError("The mask has values other than -1 and ids from 0 to 254.")
    ids = ids.astype(np.uint8) if ids.min() >= 0 else ids
    overlapping = mask.ndim > len(expected)
    channels_last = np.moveaxis(ids, 0, -1) if overlapping else ids[..., None]
    volume = channels_last[None] if file.flat else channels_last
    orientations = require("nibabel.orientations", "medical")
    canonical = orientations.io_orientation(np.eye(4))
    back = orientations.ornt_transform(canonical, _orientation(file))
    stored = orientations.apply_orientation(volume.transpose(2, 1, 0, 3), back)
    stored = stored if overlapping else stored[..., 0]
    return stored[:, :, 0] if file.flat and not overlapping else stored
