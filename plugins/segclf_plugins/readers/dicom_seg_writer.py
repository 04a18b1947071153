"""Write predicted masks as DICOM segmentation objects, with references to their images."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import segclf
from segclf.data import atomic_write
from segclf_plugins.readers.dicom_volume import DicomVolume
from segclf_plugins.readers.discretion import Refused, discreet
from segclf_plugins.readers.extras import require

__all__ = ["write_dicom_seg"]

Path = str | os.PathLike[str]


def write_dicom_seg(
    path: Path,
    mask: ArrayLike,
    image: Path | Sequence[Path],
    *,
    names: Sequence[str],
    kind: tuple[str, str, str] = ("49755003", "SCT", "Morphologically Abnormal Structure"),
) -> None:
    """Write a mask as a binary DICOM segmentation object, with references to its images.

    As the standard requires, the file names the patient and the study of the images. Protect it
    like the images.

    Parameters
    ----------
    path : str or path-like
        Path of the new file.
    mask : array of shape (d, h, w), or (h, w) for one image
        Ids, 0 for background and 1 and above for findings, on the axes of the image as it was read.
        Or (k, d, h, w) or (k, h, w) of 0 and 1, for k findings that may overlap.
    image : str or path-like, or list of them
        The DICOM image, folder or files of the mask.
    names : sequence of str
        Names of ids 1, 2 and so on, or of the channels: the labels of the segments.
    kind : (str, str, str)
        Category and type of the segments: a code, its scheme and its meaning.

    Raises
    ------
    ValueError
        If the mask has another size than the image, has -1 or more ids than names, or if the images
        lack attributes that the object must repeat.

    Examples
    --------
    ``write_dicom_seg("seg.dcm", masks[0], "folder", names=["polyp"])``
    """
    try:
        content = _content(np.asarray(mask), image, tuple(names), kind)
    except Refused as error:
        reason = str(error)
    else:
        atomic_write(path, content)
        return
    raise ValueError(f"Cannot write {os.fspath(path)!r}: {reason}.")


@discreet
def _content(
    mask: NDArray[Any],
    image: Path | Sequence[Path],
    names: tuple[str, ...],
    kind: tuple[str, str, str],
) -> bytes:
    given = [os.fspath(each) for each in image] if isinstance(image, list | tuple) else image
    volume = DicomVolume.open(given)  # type: ignore[arg-type]
    sources, pixels = _in_stored_order(volume, _frames(mask, volume, len(names)))
    written = _segmentation(sources, pixels, names, kind)
    file = io.BytesIO()
    written.save_as(file)
    return file.getvalue()


def _frames(mask: NDArray[Any], volume: DicomVolume, n_names: int) -> NDArray[np.uint8]:
    """Return a mask as ids (d, h, w) or as 0 and 1 (d, h, w, k), in the order of the volume."""
    first = volume.frames[0][0]
    size = (
        (first.rows, first.columns)
        if volume.flat
        else (len(volume.frames), first.rows, first.columns)
    )
    if mask.shape[-len(size) :] != size or mask.ndim not in (len(size), len(size) + 1):
        raise Refused(f"the mask has shape {mask.shape}, but its image has {size}")
    overlapping = mask.ndim > len(size)
    highest = 1 if overlapping else n_names
    n_given = len(mask) if overlapping else int(mask.max(initial=0))
    if n_given > n_names or (overlapping and n_given != n_names) or n_names == 0:
        raise Refused(f"there are {n_given} findings in the mask and {n_names} names")
    ids = mask.astype(np.uint8)
    if (ids != mask).any() or ids.max(initial=0) > highest:
        raise Refused(f"the mask has values other than 0 to {highest}")
    ids = np.moveaxis(ids, 0, -1) if overlapping else ids
    return ids[None] if volume.flat else ids


def _in_stored_order(
    volume: DicomVolume, frames: NDArray[np.uint8]
) -> tuple[list[Any], NDArray[np.uint8]]:
    """Return the images without pixels, and the masks of their frames, both in stored order."""
    pydicom = require("pydicom", "medical")
    paths = list(dict.fromkeys(file.path for file, _ in volume.frames))
    sources = [pydicom.dcmread(path, stop_before_pixels=True) for path in paths]
    for source in sources:
        if volume.spacing is not None and source.get("SliceThickness") is None:
            # it may be empty in images, but not in segmentations
            source.SliceThickness = 1.0 if volume.flat else volume.spacing[0]
    if len(paths) == len(frames):
        return sources, frames
    return sources, frames[np.argsort([frame for _, frame in volume.frames])]


def _segmentation(
    sources: list[Any],
    pixels: NDArray[np.uint8],
    names: tuple[str, ...],
    kind: tuple[str, str, str],
) -> Any:
    highdicom = require("highdicom", "medical")
    family = require("pydicom.sr.codedict", "medical").codes.DCM.ArtificialIntelligence
    version = segclf.__version__
    algorithm = highdicom.AlgorithmIdentificationSequence("segclf", family, version)
    code = highdicom.sr.CodedConcept(*kind)
    segments = [
        highdicom.seg.SegmentDescription(at, name, code, code, "AUTOMATIC", algorithm)
        for at, name in enumerate(names, start=1)
    ]
    return highdicom.seg.Segmentation(
        source_images=sources,
        pixel_array=pixels,
        segmentation_type="BINARY",
        segment_descriptions=segments,
        series_instance_uid=highdicom.UID(),
        series_number=1,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer="segclf",
        manufacturer_model_name="segclf",
        software_versions=version,
        device_serial_number="0",
    )
