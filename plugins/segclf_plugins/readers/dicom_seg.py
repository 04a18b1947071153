"""Read DICOM segmentation objects as masks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segclf.data import load_header
from segclf.hookspecs import ImageData, ImageHeader
from segclf_plugins.readers.dicom_file import DicomFile, number
from segclf_plugins.readers.dicom_planes import Plane, affine_of, groups_of, planes_of
from segclf_plugins.readers.discretion import Refused, discreet, require_size

__all__ = ["Segmentation", "read_dicom_seg"]

# Tolerances of the distance between slices, and of the pixel spacing.
_SAME_PLACE = 0.1
Path = str | os.PathLike[str]


@dataclass(frozen=True)
class Segmentation:
    """The frames of a segmentation, with their positions and segments.

    Attributes
    ----------
    file : DicomFile
    planes : list of Plane
        The plane of each frame; empty if the file has no positions.
    segments : list of int
        Segment number of each frame; empty for a label map, whose values are segment numbers.
    """

    file: DicomFile
    planes: list[Plane]
    segments: list[int]

    @classmethod
    def of(cls, file: DicomFile) -> Segmentation:
        """Read the positions and segments of the frames."""
        kind = str(file.data.get("SegmentationType") or "")
        if kind not in ("BINARY", "FRACTIONAL", "LABELMAP"):
            raise Refused("it is a segmentation of an unknown type")
        segments = []
        if kind != "LABELMAP":
            items = groups_of(file, "SegmentIdentificationSequence")
            segments = [int(item.ReferencedSegmentNumber) for item in items]
            if len(segments) != file.n_frames:
                raise Refused("some of its frames have no segment number")
        return cls(file, planes_of(file), segments)

    def header(self) -> ImageHeader:
        """Return its own grid, from its first plane to its last."""
        size = (self.file.rows, self.file.columns, 1, np.dtype(np.uint8))
        if not self.planes:
            return ImageHeader(*size)
        first = self.planes[0]
        along = np.array([plane.position @ first.normal for plane in self.planes])
        lowest = self.planes[int(along.argmin())]
        step = self._step(np.unique(np.round(along, 4)))
        spacing = (float(first.spacing[0]), float(first.spacing[1]))
        affine = affine_of(lowest, first.normal * (step or 1.0))
        if step is None:
            return ImageHeader(*size, None, spacing, affine)
        depth = round(float(np.ptp(along)) / step) + 1
        return ImageHeader(*size, depth, (step, *spacing), affine)

    def masks(self, grid: ImageHeader) -> ImageData:
        """Place the frames on a grid.

        Parameters
        ----------
        grid : ImageHeader
            The grid of the image, or its own grid.

        Returns
        -------
        ImageData
            Ids, which are the segment numbers; or, if segments overlap, one channel for each
            segment, in the order of their numbers.
        """
        if (grid.height, grid.width) != (self.file.rows, self.file.columns):
            raise Refused(
                f"it has {self.file.rows} x {self.file.columns} pixels, but its image has "
                f"{grid.height} x {grid.width}"
            )
        places = self._places(grid)
        shown = self._shown()
        shape = (grid.depth or 1, grid.height, grid.width)
        require_size(shape)
        ids, overlap = np.zeros(shape, dtype=np.int16), False
        for place, frame, segment in zip(
            places, shown, self.segments or [0] * len(places), strict=True
        ):
            here, values = ids[place], frame if not self.segments else frame * segment
            overlap = overlap or bool(((here != 0) & (values != 0) & (here != values)).any())
            here[values != 0] = values[values != 0]
        array = self._channels(places, shown, shape) if overlap else ids
        axes = "kdhw" if overlap else "dhw"
        if grid.depth is None:
            array, axes = array[..., 0, :, :], axes.replace("d", "")
        return ImageData(array, axes, grid.spacing, grid.affine)

    def _channels(
        self, places: list[int], shown: NDArray[np.int16], shape: tuple[int, ...]
    ) -> NDArray[np.uint8]:
        numbers = sorted(int(each.SegmentNumber) for each in self.file.data.SegmentSequence)
        require_size((len(numbers), *shape))
        channels = np.zeros((len(numbers), *shape), dtype=np.uint8)
        for place, frame, segment in zip(places, shown, self.segments, strict=True):
            channels[numbers.index(segment), place] |= frame.astype(np.uint8)
        return channels

    def _shown(self) -> NDArray[np.int16]:
        """Return 0 and 1 for each frame; for a label map, its values."""
        stored = self.file.read()
        if not self.segments or self.file.data.SegmentationType == "BINARY":
            return stored.astype(np.int16)
        return (stored >= number(self.file.data.MaximumFractionalValue, 255) / 2).astype(np.int16)

    def _places(self, grid: ImageHeader) -> list[int]:
        """Find the slice of a grid for each frame."""
        if not self.planes or grid.affine is None:
            if grid.depth is None:
                return [0] * self.file.n_frames
            raise Refused("its frames, or those of its image, have no positions")
        back, places = np.linalg.inv(grid.affine), []
        for plane in self.planes:
            at = back @ affine_of(plane, None)
            apart = np.abs(at[:, 1:] - np.eye(4)[:, 1:])
            z = round(float(at[0, 3]))
            apart[0, 2] -= abs(z)
            corners = apart[:3] @ [self.file.rows, self.file.columns, 1]
            if np.abs(corners).max() > _SAME_PLACE or not 0 <= z < (grid.depth or 1):
                raise Refused("one of its frames is on no slice of its image, or on another grid")
            places.append(z)
        return places

    def _step(self, along: NDArray[np.float64]) -> float | None:
        """Return the distance between slices; None for a single slice."""
        if len(along) == 1:
            return None
        said = groups_of(self.file, "PixelMeasuresSequence")[0].get("SpacingBetweenSlices")
        step = number(said, float(np.diff(along).min()))
        numbers = (along - along[0]) / step if step > 0 else np.array([0.5])
        if np.abs(numbers - np.round(numbers)).max() > _SAME_PLACE:
            raise Refused("its frames are not evenly spaced")
        return step


def read_dicom_seg(path: Path, image: Path | Sequence[Path]) -> ImageData:
    """Read a segmentation on the grid of its image; slices that it omits are empty.

    Parameters
    ----------
    path : str or path-like
        Path of a segmentation object: binary, fractional (findings are at least 0.5) or a label
        map.
    image : str or path-like, or list of them
        The image, folder or files that it segments.

    Returns
    -------
    ImageData
        Ids (d, h, w), or (h, w) for one image, which are the segment numbers. If segments overlap,
        0 and 1 in (k, d, h, w) or (k, h, w), with one channel for each segment.

    Raises
    ------
    ValueError
        If it is on another grid than the image, or damaged.

    Examples
    --------
    ``read_dicom_seg("seg.dcm", "folder").array``
    """
    grid = load_header(image)
    try:
        return _read_on(path, grid)
    except Refused as error:
        reason = str(error)
    raise ValueError(f"Cannot read {os.fspath(path)!r}: {reason}.")


@discreet
def _read_on(path: Path, grid: ImageHeader) -> ImageData:
    file = DicomFile.open(path)
    if not file.is_segmentation:
        raise Refused("it is not a segmentation object")
    return Segmentation.of(file).masks(grid)
