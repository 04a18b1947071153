"""The maps that summarizers read, checked."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.axes import are_maps, is_map

__all__ = ["check_maps"]

Stack = NDArray[Any] | list[NDArray[Any]]


def check_maps(P: Any, *, n_channels: int | None = None) -> Stack:
    """Check maps: one array, or a list of maps of different sizes.

    Parameters
    ----------
    P : array (n, k, h, w), or list of n arrays (k, h, w)
        The maps.
    n_channels : int, optional
        The k to insist on.

    Returns
    -------
    array or list of array
        As given.

    Raises
    ------
    ValueError
        For another shape, for channels that differ, for NaN and infinity; with the sample.
    """
    maps: Stack = [np.asarray(p) for p in P] if isinstance(P, list | tuple) else np.asarray(P)
    if isinstance(maps, np.ndarray) and not are_maps(maps):
        raise ValueError(
            f"P has shape {maps.shape}; expected (n, k, h, w), or a list of (k, h, w)."
        )
    if not len(maps):
        raise ValueError("P is empty; expected one map at least.")
    expected = n_channels or (maps[0].shape[0] if maps[0].shape else 0)
    for sample, p in enumerate(maps):
        if not is_map(p) or len(p) != expected or not p.size:
            raise ValueError(
                f"P has shape {p.shape} at sample {sample}; expected (k, h, w) with k = {expected}."
            )
        if not np.isfinite(p).all():
            raise ValueError(f"P holds NaN or infinity at sample {sample}; expected numbers.")
    return maps
