"""Check the maps that summarizers read."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.axes import are_maps, are_volumetric, is_map

__all__ = ["check_maps"]

Stack = NDArray[Any] | list[NDArray[Any]]


def check_maps(P: Any, *, n_channels: int | None = None, volumes: bool = True) -> Stack:
    """Check maps: one array, or a list of maps of different sizes.

    Parameters
    ----------
    P : array (n, k, h, w), or list of n arrays (k, h, w)
        The maps.
    n_channels : int, optional
        The required k.
    volumes : bool
        Whether maps of volumes, (n, k, d, h, w), are allowed.

    Returns
    -------
    array or list of array
        The maps as given.

    Raises
    ------
    ValueError
        If a shape is not valid, channels differ, or a value is NaN or infinite; the message names
        the sample.
    """
    maps: Stack = [np.asarray(p) for p in P] if isinstance(P, list | tuple) else np.asarray(P)
    if isinstance(maps, np.ndarray) and not are_maps(maps):
        raise ValueError(
            f"P has shape {maps.shape}; expected (n, k, h, w), or a list of (k, h, w)."
        )
    if are_volumetric(maps) and not volumes:
        raise ValueError(
            f"P holds maps of volumes, {np.shape(maps[0])} at sample 0; expected maps of images, "
            "(k, h, w)."
        )
    if not len(maps):
        raise ValueError("P is empty; expected at least one map.")
    expected = n_channels or (maps[0].shape[0] if maps[0].shape else 0)
    for sample, p in enumerate(maps):
        of_kind = is_map(p) and are_volumetric([p]) == are_volumetric([maps[0]])
        if not of_kind or len(p) != expected or not p.size:
            raise ValueError(
                f"P has shape {p.shape} at sample {sample}; expected (k, h, w) with k = {expected}."
            )
        if not np.isfinite(p).all():
            raise ValueError(f"P holds NaN or infinity at sample {sample}; expected numbers.")
    return maps
