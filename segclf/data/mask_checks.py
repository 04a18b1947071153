"""What a mask may hold, and how a wrong one is told."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAX_ID", "require_ids", "require_shape"]

#: 255 is left out: it is nearly always "foreground" of an 8 bit picture, or "void".
MAX_ID = 254


def require_shape(shape: tuple[int, ...], where: str) -> None:
    """Refuse shapes that are neither ids nor multi-label channels.

    Parameters
    ----------
    shape : tuple of int
        Of one mask.
    where : str
        What has it, as the error's first words.

    Raises
    ------
    ValueError
        If it is not (h, w) or (k, h, w), has no pixels, or ends in one channel.
    """
    if len(shape) not in (2, 3) or min(shape) < 1:
        raise ValueError(
            f"{where}: the shape of one mask is {shape}; expected (h, w), or (k, h, w) for "
            "multi-label, with at least one pixel."
        )
    if len(shape) == 3 and shape[2] == 1 and min(shape[:2]) > 1:
        raise ValueError(
            f"{where}: the shape of one mask is {shape}, which looks like (h, w, 1); expected "
            "(h, w): drop the last axis."
        )


def require_ids(masks: NDArray[Any], start: int, path: str = "") -> NDArray[np.int64]:
    """Refuse values that are no ids.

    Parameters
    ----------
    masks : array of shape (n, h, w) or (n, k, h, w)
    start : int
        The number of the first one.
    path : str
        Where it comes from, for the error.

    Returns
    -------
    array of shape (n,)
        The highest id of each; -1 where nobody said anything.

    Raises
    ------
    ValueError
        Naming the first sample with a value that is no id.
    """
    if masks.dtype.kind not in "buif":
        raise ValueError(f"Mask {start}{path} has dtype {masks.dtype}; expected integer ids.")
    flat = masks.reshape(len(masks), -1)
    if masks.dtype.kind == "f":
        _require_whole(flat, start, path)
    low, high = flat.min(axis=1), flat.max(axis=1)
    top = 1 if masks.ndim == 4 else MAX_ID
    for row in np.flatnonzero((low < -1) | (high > top))[:1]:
        reason = _reason(flat[row], multilabel=masks.ndim == 4)
        raise ValueError(f"Mask {start + row}{path} {reason}")
    return high.astype(np.int64)


def _require_whole(flat: NDArray[Any], start: int, path: str) -> None:
    whole = np.isfinite(flat) & (flat == np.floor(flat))
    for row in np.flatnonzero(~whole.all(axis=1))[:1]:
        value = flat[row][~whole[row]][0]
        raise ValueError(
            f"Mask {start + row}{path} holds {value}; expected whole numbers, -1 where nobody said."
        )


def _reason(values: NDArray[Any], *, multilabel: bool) -> str:
    found = np.unique(values)
    if found[-1] == 255 and set(found.tolist()) <= {-1, 0, 255}:
        return (
            "holds only 0 and 255, as a picture of a mask does; expected ids 0 (background) to K: "
            "divide it by 255."
        )
    shown = ", ".join(str(value) for value in found[:8]) + (", ..." if len(found) > 8 else "")
    if multilabel:
        return f"is multi-label (k, h, w) and holds {shown}; expected 0, 1 and -1 (nobody said)."
    if found[0] < -1:
        return f"holds {shown}; expected ids from 0, and -1 only (nobody said)."
    hint = " Is 255 a void label? Then set it to -1." if found[-1] == 255 else ""
    return f"holds {shown}; expected ids 0 (background) to at most {MAX_ID}.{hint}"
