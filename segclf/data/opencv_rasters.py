"""PNG and TIFF by OpenCV: every bit of 16 bit colour, and the types of TIFF that Pillow lacks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import IO, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segclf.data.completeness import check_png
from segclf.data.headers import Header

__all__ = ["decode_by_opencv"]


def decode_by_opencv(file: IO[bytes], header: Header) -> NDArray[Any]:
    """Decode an open PNG or TIFF file.

    Parameters
    ----------
    file : binary file
    header : Header
        Of this file.

    Returns
    -------
    array of shape (h, w), (h, w, 1) or (h, w, 3)
        Gray or RGB; alpha is dropped.

    Raises
    ------
    ValueError
        If it is truncated or damaged.
    """
    file.seek(0)
    data = file.read()
    if header.format == "PNG":
        check_png(data)
    with _quiet_opencv():
        array = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None:
        raise ValueError("it is truncated or damaged")
    if array.ndim == 2:
        return array
    return np.ascontiguousarray(array[..., 2::-1] if header.n_channels == 3 else array[..., :1])


_quiet_lock = Lock()
_quiet_state = {"users": 0, "level": 0}


def _after_fork() -> None:
    """Renew the lock: a thread that did not come along may have held it."""
    global _quiet_lock
    _quiet_lock = Lock()


os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def _quiet_opencv() -> Iterator[None]:
    """Silence OpenCV's log while any thread decodes; what it says, our errors say with the path."""
    with _quiet_lock:
        if _quiet_state["users"] == 0:
            _quiet_state["level"] = cv2.utils.logging.setLogLevel(0)
        _quiet_state["users"] += 1
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_state["users"] -= 1
            if _quiet_state["users"] == 0:
                cv2.utils.logging.setLogLevel(_quiet_state["level"])
