"""Pixel spacings of the images of a report, if known."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segclf.axes import N_SPATIAL
from segclf.data import Images
from segclf.metrics.surfaces import spacings


def known_spacings(images: Images, spacing: ArrayLike | None) -> NDArray[np.float64] | None:
    """Return the given spacings, or those of the headers of volumes, as (n, n_spatial).

    Returns
    -------
    array of shape (n, n_spatial), or None
        None unless the spacing of every image is known.
    """
    if spacing is not None:
        return spacings(spacing, len(images), images.n_spatial)
    return None if images.n_spatial == N_SPATIAL else images.spacings()
