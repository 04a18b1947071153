"""Voxel spacing for volumes in memory, which files have themselves."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from segclf.hookspecs import ImageData

__all__ = ["with_spacing"]


def with_spacing(X: Any, spacing: Sequence[float] | Sequence[Sequence[float]]) -> list[ImageData]:
    """Return volumes with their voxel spacing, as `load_image` returns them.

    Parameters
    ----------
    X : array or list
        The n volumes, as estimators of volumes take them.
    spacing : (float, float, float), or n of them
        Distance between slices, rows and columns in mm.

    Returns
    -------
    list of ImageData
        Views: nothing is copied. Estimators take it in place of `X`.

    Raises
    ------
    ValueError
        If these are not three distances, or not as many of them as volumes.

    Examples
    --------
    >>> volumes = with_spacing(np.zeros((2, 5, 8, 8)), (3.0, 0.7, 0.7))
    >>> volumes[1].array.shape, volumes[1].spacing
    ((5, 8, 8), (3.0, 0.7, 0.7))
    """
    given = np.asarray(spacing, dtype=float)
    if given.shape not in ((3,), (len(X), 3)) or not (np.isfinite(given) & (given > 0)).all():
        raise ValueError(
            f"spacing={spacing!r:.80}; expected the distance of slices, rows and columns in mm, or "
            f"three such distances for each of the {len(X)} volumes."
        )
    distances = np.broadcast_to(given, (len(X), 3)).tolist()
    axes = {3: "dhw", 4: "dhwc"}
    return [
        ImageData(volume, axes.get(np.ndim(volume), ""), spacing=tuple(each))
        for volume, each in zip(X, distances, strict=True)
    ]
