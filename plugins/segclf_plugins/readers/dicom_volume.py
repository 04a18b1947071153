"""A DICOM file, folder or list of files as a whole: an image, or sorted frames."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.data import files_in_folder
from segclf.hookspecs import ImageHeader, ReadPath
from segclf_plugins.readers.dicom_file import DicomFile, numbers
from segclf_plugins.readers.dicom_planes import (
    Plane,
    affine_of,
    in_order,
    planes_of,
    rescale_of,
)
from segclf_plugins.readers.dicom_values import Window, check_values, meant, meant_type
from segclf_plugins.readers.discretion import Refused, require_size

__all__ = ["DicomVolume"]


@dataclass(frozen=True)
class DicomVolume:
    """Frames of one or more files, in the order of their positions.

    Attributes
    ----------
    frames : tuple of (DicomFile, int)
        Files, and the number of the frame in each.
    flat : bool
        True for a file with a single frame, which is an image.
    spacing : tuple of float, or None
        Along (d, h, w), or (h, w) if flat.
    affine : array of shape (4, 4), or None
    """

    frames: tuple[tuple[DicomFile, int], ...]
    flat: bool
    spacing: tuple[float, ...] | None
    affine: NDArray[np.float64] | None

    @classmethod
    def open(cls, path: ReadPath) -> DicomVolume:
        """Read the attributes of a file, or of all files of a volume."""
        if not isinstance(path, list) and not os.path.isdir(path):
            return cls._of_file(DicomFile.open(path))
        paths = path if isinstance(path, list) else files_in_folder(os.fspath(path))
        if not paths:
            raise Refused("it has no files")
        states = [os.stat(each) for each in paths]
        return _remembered(
            tuple(os.fspath(each) for each in paths),
            tuple((state.st_mtime_ns, state.st_size, state.st_ino) for state in states),
        )

    @classmethod
    def of_files(cls, paths: tuple[str, ...]) -> DicomVolume:
        """Sort the files of one series."""
        files = [DicomFile.open(path) for path in paths]
        names = [repr(os.path.basename(path)) for path in paths]
        for file, name in zip(files, names, strict=True):
            _check_alike(file, files[0], name, names[0])
        if len(files) == 1 and files[0].n_frames > 1:
            return cls._of_file(files[0])
        planes = [plane for file in files for plane in planes_of(file)]
        if len(planes) != len(files):
            raise Refused("some of its files have no position; pass the files as images")
        order, step = in_order(planes, names) if len(files) > 1 else ([0], None)
        frames = tuple((files[at], 0) for at in order)
        return cls._stacked(frames, planes[order[0]], step)

    @classmethod
    def _of_file(cls, file: DicomFile) -> DicomVolume:
        planes = planes_of(file)
        if file.n_frames == 1:
            spacing = planes[0].spacing if planes else _flat_spacing(file)
            lengths = None if spacing is None else (float(spacing[0]), float(spacing[1]))
            return cls(((file, 0),), True, lengths, affine_of(planes[0], None) if planes else None)
        frames = tuple((file, frame) for frame in range(file.n_frames))
        if not planes:
            return cls(frames, False, None, None)
        order, step = in_order(planes, [f"frame {frame}" for frame in range(file.n_frames)])
        return cls._stacked(tuple((file, frame) for frame in order), planes[order[0]], step)

    @classmethod
    def _stacked(
        cls, frames: tuple[tuple[DicomFile, int], ...], plane: Plane, step: Any
    ) -> DicomVolume:
        apart = 1.0 if step is None else float(np.linalg.norm(step))
        spacing = (apart, float(plane.spacing[0]), float(plane.spacing[1]))
        return cls(frames, False, spacing, affine_of(plane, step))

    def header(self, window: Window) -> ImageHeader:
        """Return the header of `values`."""
        first = self.frames[0][0]
        types = set()
        for file in self._files():
            check_values(file, window)
            types.add(meant_type(file, window, rescale_of(file)))
        depth = None if self.flat else len(self.frames)
        require_size((depth or 1, first.rows, first.columns, first.n_channels))
        dtype = types.pop() if len(types) == 1 else np.dtype(np.float32)
        size = (first.rows, first.columns, first.n_channels)
        return ImageHeader(*size, dtype, depth, self.spacing, self.affine)

    def values(self, window: Window, z: int | None = None) -> NDArray[Any]:
        """Decode the frames, or one of them, as (n, h, w, c)."""
        header = self.header(window)
        chosen = self.frames if z is None else self.frames[z : z + 1]
        shape = (len(chosen), header.height, header.width, header.n_channels)
        values = np.empty(shape, dtype=header.dtype)
        for file, frames, places in _by_file(chosen):
            values[places] = meant(file.read(frames), file, window, rescale_of(file))
        return values

    def stored(self, z: int | None = None) -> NDArray[Any]:
        """Decode the frames as stored values (n, h, w)."""
        chosen = self.frames if z is None else self.frames[z : z + 1]
        first = chosen[0][0]
        if first.n_channels != 1:
            raise Refused("it has colours; expected ids for a mask")
        values = np.empty((len(chosen), first.rows, first.columns), dtype=first.stored)
        for file, frames, places in _by_file(chosen):
            values[places] = file.read(frames)
        return values

    def _files(self) -> list[DicomFile]:
        return list({file.path: file for file, _ in self.frames}.values())


@lru_cache(maxsize=4)
def _remembered(paths: tuple[str, ...], _: tuple[tuple[int, ...], ...]) -> DicomVolume:
    """Cache the order of the files, which is needed for each slice of a folder."""
    return DicomVolume.of_files(paths)


def _by_file(
    frames: tuple[tuple[DicomFile, int], ...],
) -> Iterator[tuple[DicomFile, list[int], list[int]]]:
    """Yield each file once, with its frames and their positions in the volume."""
    files = {file.path: file for file, _ in frames}
    places: dict[str, list[int]] = {path: [] for path in files}
    for place, (file, _) in enumerate(frames):
        places[file.path].append(place)
    for path, file in files.items():
        yield file, [frames[place][1] for place in places[path]], places[path]


def _check_alike(file: DicomFile, first: DicomFile, name: str, first_name: str) -> None:
    if file.is_segmentation:
        raise Refused(f"{name} is a segmentation; expected only images")
    if file.n_frames > 1 and file is not first:
        raise Refused(f"{name} has {file.n_frames} frames; expected one frame per file in a folder")
    if file.data.get("SeriesInstanceUID") != first.data.get("SeriesInstanceUID"):
        raise Refused(
            f"{name} is of another series than {first_name}; pass the files of one series"
        )
    for what in ("rows", "columns", "n_channels"):
        if getattr(file, what) != getattr(first, what):
            raise Refused(
                f"{name} has {getattr(file, what)} {what}, but {first_name} {getattr(first, what)}"
            )
    if file.data.PhotometricInterpretation != first.data.PhotometricInterpretation:
        raise Refused(f"{name} has another photometric interpretation than {first_name}")


def _flat_spacing(file: DicomFile) -> NDArray[np.float64] | None:
    """Return the spacing of a projection: calibrated if known, otherwise at the detector."""
    calibrated = numbers(file.data.get("PixelSpacing"), 2)
    return numbers(file.data.get("ImagerPixelSpacing"), 2) if calibrated is None else calibrated
