"""One DICOM file: only the attributes that describe its pixels."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf_plugins.readers.codestreams import codestream_size
from segclf_plugins.readers.discretion import Refused, known_name, require_size
from segclf_plugins.readers.extras import require

__all__ = ["DicomFile", "number", "numbers"]

SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
_DEFLATED = "1.2.840.10008.1.2.1.99"
_PALETTE = "PALETTE COLOR"
_GRAY = ("MONOCHROME1", "MONOCHROME2")
_COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT")
_UNSUPPORTED = ("HSV", "ARGB", "CMYK", "YBR_PARTIAL_422", "YBR_PARTIAL_420", "XYB")
# They include no name, number, birth date or visit of a person; other attributes are not parsed.
_TAGS = [
    *("SOPClassUID", "SeriesInstanceUID", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel"),
    *("PhotometricInterpretation", "PlanarConfiguration", "BitsAllocated", "BitsStored", "HighBit"),
    *("PixelRepresentation", "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence", "DoseGridScaling"),
    *("PixelSpacing", "ImagerPixelSpacing", "SpacingBetweenSlices", "SliceThickness"),
    *("ImageOrientationPatient", "ImagePositionPatient", "SharedFunctionalGroupsSequence"),
    *("PerFrameFunctionalGroupsSequence", "SegmentSequence", "SegmentationType", "SegmentsOverlap"),
    *("MaximumFractionalValue", "ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
    *(
        f"{c}PaletteColorLookupTable{part}"
        for c in ("Red", "Green", "Blue")
        for part in ("Data", "Descriptor")
    ),
    *(f"Segmented{c}PaletteColorLookupTableData" for c in ("Red", "Green", "Blue")),
]


@dataclass(frozen=True)
class DicomFile:
    """The checked attributes of a file.

    Attributes
    ----------
    path : str
    data : pydicom.Dataset
        The attributes that describe the pixels. It is used only within the readers.
    rows, columns, n_frames, n_channels : int
    """

    path: str
    data: Any
    rows: int
    columns: int
    n_frames: int
    n_channels: int

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, pixels: bool = False) -> DicomFile:
        """Read the attributes, with or without the stored pixels."""
        pydicom = require("pydicom", "medical")
        with open(path, "rb") as file:
            if file.read(132)[128:] != b"DICM":
                raise Refused("it is not a DICOM file: 'DICM' is missing at byte 128")
        meta = pydicom.filereader.read_file_meta_info(path)
        if meta.get("TransferSyntaxUID") == _DEFLATED:
            raise Refused(
                "its transfer syntax, Deflated Explicit VR, is not supported; decompress it"
            )
        tags = [*_TAGS, "PixelData"] if pixels else _TAGS
        data = pydicom.dcmread(path, stop_before_pixels=not pixels, specific_tags=tags)
        photometric = data.get("PhotometricInterpretation")
        if "Rows" not in data or photometric is None:
            raise Refused(f"it has no image; its kind is {known_name(data.get('SOPClassUID'))}")
        found = cls(
            os.fspath(path),
            data,
            int(data.Rows),
            int(data.Columns),
            int(data.get("NumberOfFrames") or 1),
            1 if photometric in _GRAY else 3,
        )
        found._check(photometric)
        return found

    @property
    def syntax(self) -> Any:
        """The transfer syntax, a `pydicom.uid.UID`."""
        return self.data.file_meta.TransferSyntaxUID

    @property
    def is_segmentation(self) -> bool:
        """Whether the file is a segmentation object, not an image."""
        return self.data.get("SOPClassUID") in SEGMENTATIONS

    @property
    def stored(self) -> np.dtype[Any]:
        """The type of the stored values."""
        bits = max(int(self.data.BitsAllocated), 8)
        return np.dtype(f"{'i' if self.data.PixelRepresentation else 'u'}{bits // 8}")

    def read(self, frames: list[int] | None = None) -> NDArray[Any]:
        """Decode frames, all of them by default.

        Returns
        -------
        array of shape (n, rows, columns) or (n, rows, columns, 3)
            As stored, but YBR is converted to RGB.
        """
        file = DicomFile.open(self.path, pixels=True)
        if "PixelData" not in file.data:
            raise Refused("it has no pixels")
        wanted = list(range(self.n_frames)) if frames is None else frames
        if self.data.BitsAllocated == 1:  # frames of bits may begin within a byte
            return file._decoded(None).reshape(-1, self.rows, self.columns)[wanted]
        file._check_codestreams(wanted)
        first = file._decoded(wanted[0])
        array = np.empty((len(wanted), *first.shape), dtype=first.dtype)
        array[0] = first
        for place, frame in enumerate(wanted[1:], start=1):
            array[place] = file._decoded(frame)
        return array

    def _decoded(self, frame: int | None) -> NDArray[Any]:
        pixels = require("pydicom.pixels", "medical")
        try:
            array: NDArray[Any] = pixels.pixel_array(self.data, index=frame)
        except BaseException as error:
            kind = type(error).__name__
            # A panic in a decoder written in Rust is not an Exception.
            if not isinstance(error, Exception) and kind != "PanicException":
                raise
        else:
            colours = () if self.n_channels == 1 or self._photometric == _PALETTE else (3,)
            n_frames = () if frame is not None or self.n_frames == 1 else (self.n_frames,)
            if array.shape != (*n_frames, self.rows, self.columns, *colours):
                raise Refused(f"its pixels decode to {array.shape}, which contradicts its header")
            return self._within_bits(array)
        raise Refused(
            f"its pixels ({known_name(self.syntax)}, {self.data.BitsStored} bits) are damaged, or "
            f"of a kind that no free decoder supports ({kind})"
        )

    def _within_bits(self, array: NDArray[Any]) -> NDArray[Any]:
        """Clear the bits above the stored ones, in which old files have overlays."""
        array = array.astype(self.stored, copy=False)
        unused = 8 * array.dtype.itemsize - int(self.data.BitsStored)
        return array if unused == 0 or self.data.BitsAllocated == 1 else (array << unused) >> unused

    @property
    def _photometric(self) -> str:
        return str(self.data.PhotometricInterpretation)

    def _check(self, photometric: Any) -> None:
        require_size((self.n_frames, self.rows, self.columns, self.n_channels))
        if photometric not in (*_GRAY, *_COLOURS, _PALETTE):
            name = photometric if photometric in _UNSUPPORTED else "unknown"
            raise Refused(f"its colours, {name}, are not supported")
        allocated, bits = int(self.data.BitsAllocated), int(self.data.BitsStored)
        one_bit = allocated == bits == 1 and self.is_segmentation
        if not one_bit and (allocated not in (8, 16) or not 1 <= bits <= allocated):
            raise Refused(
                f"it has {bits} of {allocated} bits per value; expected at most 16 of 8 or 16"
            )
        if int(self.data.get("HighBit", bits - 1)) != bits - 1:
            raise Refused(f"its high bit is {int(self.data.HighBit)} for {bits} bits")
        if "DoseGridScaling" in self.data:
            raise Refused("it has a dose, not an image")
        decoder = self._decoder()
        if decoder is not None and not decoder.is_available:
            raise Refused(
                f"its transfer syntax, {known_name(self.syntax)}, has no decoder here "
                "(segclf[medical] has the free ones); convert it, for example with gdcmconv --raw"
            )

    def _decoder(self) -> Any:
        """Return the decoder of the file; None for uncompressed values."""
        if not self.syntax.is_transfer_syntax or self.syntax.is_private:
            raise Refused("its transfer syntax is unknown")
        if not self.syntax.is_compressed:
            return None
        try:
            return require("pydicom.pixels", "medical").get_decoder(self.syntax)
        except NotImplementedError:
            pass
        raise Refused(f"its transfer syntax, {known_name(self.syntax)}, is not supported")

    def _check_codestreams(self, frames: list[int]) -> None:
        """Compare the sizes in compressed frames with the size in the header."""
        if not self.syntax.is_compressed:
            return
        encaps = require("pydicom.encaps", "medical")
        for frame in frames:
            stream = encaps.get_frame(self.data.PixelData, frame, number_of_frames=self.n_frames)
            size = codestream_size(stream)
            if size not in (None, (self.rows, self.columns)):
                raise Refused(
                    f"its compressed pixels are {size[0]} x {size[1]}, but its header says "
                    f"{self.rows} x {self.columns}"
                )


def numbers(values: Any, count: int) -> NDArray[np.float64] | None:
    """Return `count` finite numbers of an attribute, or None."""
    if values is None or isinstance(values, str) or not hasattr(values, "__len__"):
        return None
    array = np.array([float(value) for value in values], dtype=np.float64)
    return array if len(array) == count and np.isfinite(array).all() else None


def number(value: Any, default: float) -> float:
    """Return the number of an attribute, or the default if it is empty."""
    return default if value is None else float(value)
