"""NIfTI: volumes and images in the orientation that is closest to right, front and head."""

from __future__ import annotations

import gzip
import os
import zlib
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segclf.data import atomic_write
from segclf.hookspecs import ImageData, ImageHeader, ReadPath
from segclf_plugins.readers.extras import require
from segclf_plugins.readers.nifti_file import NiftiFile

__all__ = ["NiftiReader", "write_nifti_mask"]


class NiftiReader:
    """Reads NIfTI-1 and NIfTI-2, ``.nii`` and ``.nii.gz``.

    The axes of a volume are (d, h, w, c): d leads to the head, h to the front, w to the patient's
    right, whichever of the 48 orientations the file has, as `nibabel.as_closest_canonical` has it
    but in this order. A fourth axis is channels. An image of two axes stays as it lies: its rows
    along the file's second axis. Values are scaled by slope and intercept, to float32; without
    them, they have the file's own type.
    """

    def sniff(self, start: bytes) -> bool:
        """Tell such a file by its magic, also where it is compressed."""
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
        """Read one slice; nothing behind it where the file's own slices are such."""
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


def write_nifti_mask(
    path: str | os.PathLike[str], mask: ArrayLike, image: str | os.PathLike[str]
) -> None:
    """Write a mask as a NIfTI file that lies where its image does.

    Parameters
    ----------
    path : str or path-like
        Of the new file, which ends in ``.nii`` or ``.nii.gz``.
    mask : array of shape (d, h, w), or (h, w) for an image
        Ids, -1 where nobody said; the axes are those of the image as it was read. Or
        (k, d, h, w), 0 and 1 for each of k classes that may overlap, which become the fourth axis.
    image : str or path-like
        The NIfTI file of which it is a mask. Of its header size, affine and units are taken, and
        nothing else: no name, no description.

    Raises
    ------
    ValueError
        If the mask has another size than the image, or holds what are no ids.

    Examples
    --------
    ``write_nifti_mask("0.mask.nii.gz", masks[0], "0.nii.gz")``
    """
    nibabel = require("nibabel", "medical")
    name = os.fspath(path)
    if not name.lower().endswith((".nii", ".nii.gz")):
        raise ValueError(f"{name!r} ends in neither .nii nor .nii.gz.")
    file, source = NiftiFile.open(image), nibabel.load(image)
    stored = _stored_mask(np.asarray(mask), file)
    written = type(source)(stored, file.affine)
    written.header.set_xyzt_units(*source.header.get_xyzt_units())
    for kind in ("qform", "sform"):
        affine, code = getattr(source, f"get_{kind}")(coded=True)
        getattr(written, f"set_{kind}")(affine, int(code))
    content = written.to_bytes()
    atomic_write(name, gzip.compress(content, mtime=0) if name.lower()[-3:] == ".gz" else content)


def _orientation(file: NiftiFile) -> NDArray[np.float64]:
    """Return which world axis each stored axis leads along, and in which direction: (3, 2)."""
    if file.flat:
        return np.array([[0, 1], [1, 1], [2, 1]], dtype=np.float64)
    orientations = require("nibabel.orientations", "medical")
    orientation: NDArray[np.float64] = orientations.io_orientation(file.affine)
    if not np.isfinite(orientation).all():
        raise ValueError(f"its affine leads nowhere along an axis: {file.affine.tolist()}")
    return orientation


def _canonical(file: NiftiFile) -> tuple[tuple[int, int, int], NDArray[np.float64]]:
    """Return (d, h, w), and the affine from there."""
    orientation = _orientation(file)
    orientations = require("nibabel.orientations", "medical")
    back = orientations.inv_ornt_aff(orientation, file.shape[:3])
    order = np.argsort(orientation[:, 0])
    width, height, depth = (int(file.shape[axis]) for axis in order)
    return (depth, height, width), (file.affine @ back)[:, [2, 1, 0, 3]]


def _turned(stored: NDArray[Any], orientation: NDArray[np.float64]) -> NDArray[Any]:
    """Return (x, y, z, c) as stored as (d, h, w, c)."""
    orientations = require("nibabel.orientations", "medical")
    return orientations.apply_orientation(stored, orientation).transpose(2, 1, 0, 3)


def _ids(array: NDArray[Any]) -> NDArray[Any]:
    if array.shape[-1] != 1:
        raise ValueError(f"it has {array.shape[-1]} channels; a mask is one of ids")
    return array[..., 0]


def _stored_mask(mask: NDArray[Any], file: NiftiFile) -> NDArray[Any]:
    """Return a mask as the file of its image lies: (x, y, z), (x, y, z, k) or (x, y)."""
    size, _ = _canonical(file)
    expected = size[1:] if file.flat else size
    if mask.shape[-len(expected) :] != expected or mask.ndim - len(expected) not in (0, 1):
        raise ValueError(
            f"The mask has shape {mask.shape}, its image {expected}; expected the same."
        )
    ids = mask.astype(np.int16)
    if (ids != mask).any() or ids.min() < -1 or ids.max() > 254:
        raise ValueError("The mask holds other values than -1 and ids from 0 to 254.")
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
