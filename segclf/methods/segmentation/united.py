"""A finding in any of several channels, such as vertebrae: one yes or no an image.

Masks have a channel for each place, labels say whether anything is there. The summarizer reads one
map, the highest probability of all channels at each pixel.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.base.maps import stack_maps
from segclf.data import Masks
from segclf.methods.segmentation.reading import Reading, Readings


def united(readings: Readings) -> Readings:
    """Yield readings whose maps (n, k, h, w) are one channel, (n, 1, h, w)."""
    for rows, reading in readings:
        yield rows, united_reading(reading)


def united_reading(reading: Reading) -> Reading:
    """Return a reading whose maps are one channel: the highest of all at each pixel.

    Examples
    --------
    >>> maps = np.array([[[[0.1, 0.9]], [[0.4, 0.2]]]])
    >>> united_reading(Reading(maps)).maps.tolist()
    [[[[0.4, 0.9]]]]
    """
    highest = [np.asarray(each).max(axis=0, keepdims=True) for each in reading.maps]
    return reading._replace(maps=stack_maps(highest))


def united_shares(masks: Masks) -> NDArray[np.float64]:
    """Return which fraction of its labeled pixels the findings of all channels cover, (n, 1).

    A pixel is labeled where a channel shows a finding, or all say that there is none; NaN where
    none is.
    """
    return np.array([_share(masks[row]) for row in range(len(masks))]).reshape(-1, 1)


def _share(mask: NDArray[Any] | None) -> float:
    if mask is None:
        return np.nan
    positive, negative = (mask == 1).any(axis=0).sum(), (mask == 0).all(axis=0).sum()
    return float(positive / (positive + negative)) if positive + negative else np.nan
