"""Position, order and spacing of the frames of DICOM files."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segclf_plugins.readers.dicom_file import DicomFile, number, numbers
from segclf_plugins.readers.discretion import Refused

__all__ = ["Plane", "affine_of", "groups_of", "in_order", "planes_of", "rescale_of"]

# Tolerances of directions, of the distance between slices, and of the pixel spacing.
_SAME_DIRECTION, _SAME_STEP, _SAME_PLACE = 1e-3, 0.05, 0.05
# DICOM's axes point to the left and the back, those of `ImageHeader` to the right and the front.
_TO_RIGHT_FRONT_HEAD = np.diag([-1.0, -1.0, 1.0, 1.0])


class Plane(NamedTuple):
    """A frame in space: position (3,), directions along columns and rows (6,), spacing (2,)."""

    position: NDArray[np.float64]
    directions: NDArray[np.float64]
    spacing: NDArray[np.float64]

    @property
    def normal(self) -> NDArray[np.float64]:
        """The normal, along which slices are stacked."""
        return np.cross(self.directions[:3], self.directions[3:])


def groups_of(file: DicomFile, name: str) -> list[Any]:
    """Return the item of a functional group for each frame; empty if there is none."""
    per_frame = file.data.get("PerFrameFunctionalGroupsSequence") or []
    shared = file.data.get("SharedFunctionalGroupsSequence") or []
    found = [frame[name][0] for frame in per_frame if frame.get(name)]
    if found and len(found) != file.n_frames:
        raise Refused(f"it has {len(found)} functional groups {name} for {file.n_frames} frames")
    if not found and shared and shared[0].get(name):
        found = [shared[0][name][0]] * file.n_frames
    return found


def planes_of(file: DicomFile) -> list[Plane]:
    """Return the plane of each frame; empty if the file has no positions."""
    positions = [
        one.get("ImagePositionPatient") for one in groups_of(file, "PlanePositionSequence")
    ]
    turns = [
        one.get("ImageOrientationPatient") for one in groups_of(file, "PlaneOrientationSequence")
    ]
    spacings = [one.get("PixelSpacing") for one in groups_of(file, "PixelMeasuresSequence")]
    if not positions and file.n_frames == 1:
        data = file.data
        positions, turns = [data.get("ImagePositionPatient")], [data.get("ImageOrientationPatient")]
        spacings = [data.get("PixelSpacing")]
    if not positions or not turns or not spacings:
        return []
    rows = zip(positions, turns, spacings, strict=True)
    planes = [(numbers(p, 3), numbers(t, 6), numbers(s, 2)) for p, t, s in rows]
    if any(value is None for plane in planes for value in plane):
        return []
    return [Plane(*plane) for plane in planes]  # type: ignore[arg-type]


def in_order(planes: list[Plane], names: list[str]) -> tuple[list[int], NDArray[np.float64]]:
    """Sort frames by their positions along the normal.

    Parameters
    ----------
    planes : list of Plane
        At least two.
    names : list of str
        Name of each frame, for error messages.

    Returns
    -------
    order : list of int
    step : array of shape (3,)
        Vector from one frame to the next.

    Raises
    ------
    Refused
        If they are not an evenly spaced stack.
    """
    first = planes[0]
    for plane, name in zip(planes, names, strict=True):
        if np.abs(plane.directions - first.directions).max() > _SAME_DIRECTION:
            raise Refused(f"{name} has another orientation than {names[0]}")
        if not np.allclose(plane.spacing, first.spacing, rtol=_SAME_DIRECTION):
            raise Refused(f"{name} has another pixel spacing than {names[0]}")
    positions = np.array([plane.position for plane in planes])
    along = positions @ first.normal
    order = np.argsort(along, kind="stable")
    steps = np.diff(along[order])
    step = (positions[order[-1]] - positions[order[0]]) / (len(order) - 1)
    length = float(step @ first.normal)
    if steps.min() <= _SAME_STEP * max(length, 1e-6):
        at = int(steps.argmin())
        raise Refused(
            f"{names[order[at]]} and {names[order[at + 1]]} have the same position; expected one "
            "frame at each: pass times, echoes or channels as separate volumes"
        )
    if np.abs(steps - length).max() > _SAME_STEP * length:
        at = int(np.abs(steps - length).argmax())
        raise Refused(
            f"its slices are not evenly spaced: {steps[at]:.4g} mm between {names[order[at]]} and "
            f"{names[order[at + 1]]}, {length:.4g} mm on average; is one missing?"
        )
    aside = np.linalg.norm(step - length * first.normal) * (len(order) - 1)
    if aside > _SAME_PLACE * first.spacing.min() * max(1, len(order) - 1):
        raise Refused("its slices are not stacked along their normal (a tilted gantry)")
    return order.tolist(), step


def affine_of(plane: Plane, step: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Return the affine of (d, h, w, 1), see `ImageHeader`; an unknown step is 1 millimetre."""
    affine = np.eye(4)
    affine[:3, 0] = plane.normal if step is None else step
    affine[:3, 1] = plane.directions[3:] * plane.spacing[0]
    affine[:3, 2] = plane.directions[:3] * plane.spacing[1]
    affine[:3, 3] = plane.position
    return _TO_RIGHT_FRONT_HEAD @ affine


def rescale_of(file: DicomFile) -> tuple[float, float]:
    """Return slope and intercept, which must be equal for all frames of a file."""
    items = groups_of(file, "PixelValueTransformationSequence") or [file.data]
    pairs = {
        (number(item.get("RescaleSlope"), 1.0), number(item.get("RescaleIntercept"), 0.0))
        for item in items
    }
    if len(pairs) > 1:
        raise Refused("its frames differ in rescale slope or intercept")
    slope, intercept = pairs.pop()
    if not np.isfinite([slope, intercept]).all() or slope == 0:
        raise Refused(f"its rescale slope and intercept are {slope} and {intercept}")
    return slope, intercept
