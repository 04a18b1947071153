"""Convert stored DICOM values: rescaled, optionally windowed, with high values bright."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from segclf_plugins.readers.dicom_file import DicomFile
from segclf_plugins.readers.discretion import Refused
from segclf_plugins.readers.extras import require

__all__ = ["Window", "check_values", "meant", "meant_type"]

Window: TypeAlias = tuple[float, float] | Literal["file"] | None


def meant_type(file: DicomFile, window: Window, rescale: tuple[float, float]) -> np.dtype[Any]:
    """Return the type of `meant`'s result: as stored, or float32 if values are changed."""
    if file.n_channels == 3:
        if file.data.PhotometricInterpretation != "PALETTE COLOR":
            return file.stored
        return np.dtype(f"u{int(file.data.RedPaletteColorLookupTableDescriptor[2]) // 8}")
    scaled = rescale != (1.0, 0.0) or "ModalityLUTSequence" in file.data or window is not None
    return np.dtype(np.float32) if scaled else file.stored


def meant(
    stored: NDArray[Any], file: DicomFile, window: Window, rescale: tuple[float, float]
) -> NDArray[Any]:
    """Convert stored values.

    Parameters
    ----------
    stored : array of shape (n, h, w) or (n, h, w, 3)
    file : DicomFile
    window : (float, float), "file" or None
    rescale : (float, float)
        Slope and intercept.

    Returns
    -------
    array of shape (n, h, w, c)
    """
    dtype = meant_type(file, window, rescale)
    if file.n_channels == 3:
        return _colours(stored, file).astype(dtype, copy=False)
    values = np.empty((*stored.shape, 1), dtype=dtype)
    for place, frame in enumerate(stored):
        values[place, ..., 0] = _gray(frame, file, window, rescale)
    return values


def check_values(file: DicomFile, window: Window) -> None:
    """Raise for values that would be read wrongly."""
    if window == "file" and "WindowCenter" not in file.data and "VOILUTSequence" not in file.data:
        raise Refused("it has no window; pass one as (center, width)")


def _colours(stored: NDArray[Any], file: DicomFile) -> NDArray[Any]:
    if file.data.PhotometricInterpretation != "PALETTE COLOR":
        return stored
    pixels = require("pydicom.pixels", "medical")
    return np.stack([pixels.apply_color_lut(frame, file.data)[..., :3] for frame in stored])


def _gray(
    stored: NDArray[Any], file: DicomFile, window: Window, rescale: tuple[float, float]
) -> NDArray[Any]:
    inverted = file.data.PhotometricInterpretation == "MONOCHROME1"
    if inverted and window is None:
        stored = _turned_over(stored, file)
    if "ModalityLUTSequence" in file.data:
        values = require("pydicom.pixels", "medical").apply_modality_lut(stored, file.data)
    elif window is None and rescale == (1.0, 0.0):
        return stored
    else:
        values = stored.astype(np.float64) * rescale[0] + rescale[1]
    if window is None:
        return values
    shown = _windowed(values, file, window)
    return 1 - shown if inverted else shown


def _turned_over(stored: NDArray[Any], file: DicomFile) -> NDArray[Any]:
    """Invert values over the range that can be stored."""
    lost = 8 * stored.dtype.itemsize - int(file.data.BitsStored)
    return ((~stored) << lost) >> lost


def _windowed(values: NDArray[Any], file: DicomFile, window: Window) -> NDArray[np.float64]:
    """Map the window to 0 to 1: PS3.3, C.11.2.1."""
    if window == "file" and "VOILUTSequence" in file.data and "WindowCenter" not in file.data:
        voi = require("pydicom.pixels", "medical").apply_voi(values.astype(np.int32), file.data)
        return voi / (2.0 ** int(file.data.VOILUTSequence[0].LUTDescriptor[2]) - 1)
    function = str(file.data.get("VOILUTFunction") or "LINEAR") if window == "file" else "LINEAR"
    center, width = _of_file(file) if window == "file" else window  # type: ignore[misc]
    if function == "SIGMOID":
        return 1 / (1 + np.exp(-4 * (values - center) / width))
    less = 0.0 if function == "LINEAR_EXACT" else 1.0
    if width <= less:
        return (values > center - less / 2).astype(np.float64)
    return np.clip((values - (center - less / 2)) / (width - less) + 0.5, 0, 1)


def _of_file(file: DicomFile) -> tuple[float, float]:
    """Return the first of the file's windows."""
    center, width = file.data.WindowCenter, file.data.WindowWidth
    several = isinstance(center, Sequence) and not isinstance(center, str)
    first = (center[0], width[0]) if several else (center, width)
    return float(first[0]), float(first[1])
