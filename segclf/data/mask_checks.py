"""Checks of the values and shapes of masks, and their errors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.axes import N_SPATIAL

__all__ = ["MAX_ID", "require_ids", "require_shape", "stands_255_for_1"]

#: 255 is not an id: it means "foreground" in an 8 bit picture, or "void".
MAX_ID = 254


def require_shape(shape: tuple[int, ...], where: str, n_spatial: int = N_SPATIAL) -> None:
    """Refuse shapes that are neither ids nor multi-label channels.

    Parameters
    ----------
    shape : tuple of int
        Shape of one mask.
    where : str
        Name of the mask, as the error's first words.
    n_spatial : int
        2 for a mask of an image, 3 for one of a volume.

    Raises
    ------
    ValueError
        If it is not (h, w) or (k, h, w), or for volumes (d, h, w) or (k, d, h, w), or has no
        pixels.
    """
    if len(shape) not in (n_spatial, n_spatial + 1) or min(shape) < 1:
        size = "h, w" if n_spatial == N_SPATIAL else "d, h, w"
        raise ValueError(
            f"{where}: the shape of one mask is {shape}; expected ({size}), or (k, {size}) for "
            "multi-label, with at least one pixel."
        )


def require_ids(masks: NDArray[Any], start: int, path: str = "", *, multilabel: bool) -> None:
    """Refuse values that are not ids; whether 255 is valid depends on the whole set of masks.

    Parameters
    ----------
    masks : array of shape (n, h, w) or (n, k, h, w), of volumes with d before h
    start : int
        Number of the first mask.
    path : str
        Path of the mask, for the error.
    multilabel : bool
        Whether the second axis is the channels.

    Raises
    ------
    ValueError
        With the number of the first sample that holds a value which is not an id.
    """
    if masks.dtype.kind not in "buif":
        raise ValueError(f"Mask {start}{path} has dtype {masks.dtype}; expected integer ids.")
    flat = masks.reshape(len(masks), -1)
    if masks.dtype.kind == "f":
        _require_whole(flat, start, path)
    wrong = np.asarray((flat.min(axis=1) < -1) | (flat.max(axis=1) > 255))
    if multilabel:
        wrong |= ((flat > 1) & (flat < 255)).any(axis=1)
    for row in np.flatnonzero(wrong)[:1]:
        reason = _reason(np.unique(flat[row]), n_channels=masks.shape[1] if multilabel else None)
        raise ValueError(f"Mask {start + row}{path} {reason}")


def stands_255_for_1(seen: NDArray[np.bool_], paths: list[str]) -> bool:
    """Tell whether 255 means 1 in all masks, as in pictures of masks.

    Parameters
    ----------
    seen : array of shape (n, 1 or k, values)
        Whether each mask, or channel, shows -1, 0, 1, and so on.
    paths : list of n str
        Text that errors add to a mask's number.

    Raises
    ------
    ValueError
        If there are ids other than 0, 1 and 255; the message names the first mask that holds 255.
    """
    shown = np.asarray(seen.any(axis=1))
    if shown.shape[1] < 257:
        return False
    others = np.flatnonzero(shown[:, 2:256].any(axis=1))
    for row in np.flatnonzero(shown[:, 256])[: len(others)][:1]:
        reason = _reason(np.flatnonzero(shown[row]) - 1, n_channels=None)
        beside = "" if row in others else f" Mask {others[0]}{paths[others[0]]} holds other ids."
        raise ValueError(f"Mask {row}{paths[row]} {reason}{beside}")
    return True


def _require_whole(flat: NDArray[Any], start: int, path: str) -> None:
    whole = np.isfinite(flat) & (flat == np.floor(flat))
    for row in np.flatnonzero(~whole.all(axis=1))[:1]:
        value = flat[row][~whole[row]][0]
        raise ValueError(
            f"Mask {start + row}{path} holds {value}; expected whole numbers, or -1 if unlabeled."
        )


def _reason(found: NDArray[Any], *, n_channels: int | None) -> str:
    shown = ", ".join(str(value) for value in found[:8]) + (", ..." if len(found) > 8 else "")
    if n_channels is not None:
        one = " If these are ids, drop the channel axis: masks[:, 0]."
        return (
            f"is multi-label (k, h, w) and holds {shown}; expected 0, 1 and -1 (unlabeled)."
            + one * int(n_channels == 1 and found[0] >= -1)
        )
    if found[0] < -1:
        return f"holds {shown}; expected ids of 0 or more, or -1 (unlabeled)."
    void = " If 255 is a void label, set it to -1." if found[-1] == 255 else ""
    return (
        f"holds {shown}; expected ids 0 (background) to at most {MAX_ID}, or only 0 and 255.{void}"
        " Map other values to ids with segclf.data.map_masks."
    )
