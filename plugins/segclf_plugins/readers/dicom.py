"""DICOM: images, series of slices, multi-frame volumes, and segmentations as masks."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from segclf.hookspecs import ImageData, ImageHeader, ReadPath
from segclf_plugins.readers.dicom_file import DicomFile
from segclf_plugins.readers.dicom_seg import Segmentation
from segclf_plugins.readers.dicom_values import Window
from segclf_plugins.readers.dicom_volume import DicomVolume
from segclf_plugins.readers.discretion import Refused, discreet

__all__ = ["DicomReader"]


@dataclass(frozen=True)
class DicomReader:
    """Reads DICOM files, and folders or lists of files of one series.

    A file with one frame is an image (h, w, c); a file with several is a volume (d, h, w, c). A
    folder or a list of files is a volume, with slices sorted by their positions along the normal of
    their planes, not by name. Slope and intercept are applied, which gives float32; without them,
    values keep their stored type. High values are bright: MONOCHROME1 is inverted. RGB, YBR and
    palettes become three channels. A volume keeps its stored orientation: in axial slices, h points
    to the back and w to the left.

    Personal data in a file are neither parsed nor output.

    Parameters
    ----------
    window : (float, float) or "file", optional
        Center and width, in rescaled values, of the range that is mapped to 0 to 1; "file" uses the
        first window of the file. By default no window is applied.
    """

    window: Window = None
    folders = True

    def sniff(self, start: bytes) -> bool:
        """Recognize the format by "DICM" at byte 128."""
        return start[128:132] == b"DICM"

    @discreet
    def read_header(self, path: ReadPath) -> ImageHeader:
        """Read size, type, spacing and affine."""
        segmentation = _segmentation(path)
        if segmentation is not None:
            return segmentation.header()
        return DicomVolume.open(path).header(self.window)

    @discreet
    def read(self, path: ReadPath) -> ImageData:
        """Read an image or a volume."""
        volume = _volume(path)
        values = volume.values(self.window)
        data = ImageData(values, "dhwc", volume.spacing, volume.affine)
        return data._replace(array=values[0], axes="hwc") if volume.flat else data

    @discreet
    def read_mask(self, path: ReadPath) -> ImageData:
        """Read a segmentation as ids, or (k, ...) if segments overlap; an image as stored values.

        A segmentation may omit slices; `read_dicom_seg` reads it on the grid of its image.
        """
        segmentation = _segmentation(path)
        if segmentation is not None:
            return segmentation.masks(segmentation.header())
        volume = DicomVolume.open(path)
        stored = volume.stored()
        data = ImageData(stored, "dhw", volume.spacing, volume.affine)
        return data._replace(array=stored[0], axes="hw") if volume.flat else data

    @discreet
    def read_slice(self, path: ReadPath, z: int, *, mask: bool) -> ImageData:
        """Decode one frame."""
        if not mask:
            return ImageData(_volume(path).values(self.window, z)[0], "hwc")
        if _segmentation(path) is None:
            return ImageData(DicomVolume.open(path).stored(z)[0], "hw")
        whole = self.read_mask(path)
        array = np.take(whole.array, z, axis=whole.axes.index("d"))
        return ImageData(array, whole.axes.replace("d", ""))


def _segmentation(path: ReadPath) -> Segmentation | None:
    """Return the segmentation object in a file; None if it is not one."""
    if isinstance(path, list) or os.path.isdir(path):
        return None
    file = DicomFile.open(path)
    return Segmentation.of(file) if file.is_segmentation else None


def _volume(path: ReadPath) -> DicomVolume:
    if _segmentation(path) is not None:
        raise Refused("it is a segmentation, not an image; read it as a mask")
    return DicomVolume.open(path)
