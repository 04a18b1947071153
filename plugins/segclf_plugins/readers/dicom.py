"""DICOM: images, series of slices, multi-frame volumes, and segmentations as masks."""

from __future__ import annotations

from dataclasses import dataclass

from segclf.hookspecs import ImageData, ImageHeader, ReadPath
from segclf_plugins.readers.dicom_file import DicomFile
from segclf_plugins.readers.dicom_values import Window
from segclf_plugins.readers.dicom_volume import DicomVolume
from segclf_plugins.readers.discretion import Refused, discreet

__all__ = ["DicomReader"]


@dataclass(frozen=True)
class DicomReader:
    """Reads DICOM files, and folders or lists of files of one series.

    A file of one frame is an image (h, w, c), of several a volume (d, h, w, c); a folder or a list
    of files is a volume of its slices in the order of their positions along the normal of their
    planes, whatever their names. Slope and intercept are applied, to float32; without them, values
    keep their stored type. Bright is high: MONOCHROME1 is turned over. RGB, YBR and palettes are
    three channels. A volume lies as it is stored: of axial slices, h leads to the back and w to the
    left.

    Nothing that a file says of a person is parsed or told to anybody.

    Parameters
    ----------
    window : (float, float) or "file", optional
        Center and width, in rescaled values, of what becomes 0 to 1; "file" for the first that the
        file has. By default none is applied.
    """

    window: Window = None
    folders = True

    def sniff(self, start: bytes) -> bool:
        """Tell such a file by "DICM" at byte 128."""
        return start[128:132] == b"DICM"

    @discreet
    def read_header(self, path: ReadPath) -> ImageHeader:
        """Read size, type, spacing and affine."""
        return DicomVolume.open(path).header(self.window)

    @discreet
    def read(self, path: ReadPath) -> ImageData:
        """Read an image or a volume."""
        volume = DicomVolume.open(path)
        _require_image(volume.frames[0][0])
        values = volume.values(self.window)
        data = ImageData(values, "dhwc", volume.spacing, volume.affine)
        return data._replace(array=values[0], axes="hwc") if volume.flat else data

    @discreet
    def read_mask(self, path: ReadPath) -> ImageData:
        """Read ids: of an image what is stored."""
        volume = DicomVolume.open(path)
        stored = volume.stored()
        data = ImageData(stored, "dhw", volume.spacing, volume.affine)
        return data._replace(array=stored[0], axes="hw") if volume.flat else data

    @discreet
    def read_slice(self, path: ReadPath, z: int, *, mask: bool) -> ImageData:
        """Decode one frame."""
        volume = DicomVolume.open(path)
        if mask:
            return ImageData(volume.stored(z)[0], "hw")
        _require_image(volume.frames[0][0])
        return ImageData(volume.values(self.window, z)[0], "hwc")


def _require_image(file: DicomFile) -> None:
    if file.is_segmentation:
        raise Refused("it is a segmentation: a mask, and no image")
