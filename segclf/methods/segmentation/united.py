"""A finding in any of several channels, such as vertebrae: one binary label for each image.

Masks have a channel for each place, and labels tell whether any of them shows a finding. The
summarizer reads one map, the highest probability over all channels at each pixel.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.base.maps import stack_maps
from segclf.data import Masks
from segclf.methods.segmentation.reading import Reading, Readings


def united(readings: Readings) -> Readings:
    """Yield readings whose maps (n, k, h, w) are united into one channel, (n, 1, h, w)."""
    for rows, reading in readings:
        yield rows, united_reading(reading)


def united_reading(reading: Reading) -> Reading:
    """Return a reading whose maps have one channel: the highest value at each pixel.

    Examples
    --------
    >>> maps = np.array([[[[0.1, 0.9]], [[0.4, 0.2]]]])
    >>> united_reading(Reading(maps)).maps.tolist()
    [[[[0.4, 0.9]]]]
    """
    highest = [np.asarray(each).max(axis=0, keepdims=True) for each in reading.maps]
    return reading._replace(maps=stack_maps(highest))


def united_shares(masks: Masks) -> NDArray[np.float64]:
    """Return the fraction of each image's labeled pixels that findings cover, (n, 1).

    A pixel is labeled if any channel shows a finding there, or all channels are labeled as none.
    NaN if no pixel is labeled.
    """
    return np.array([_share(masks[row]) for row in range(len(masks))]).reshape(-1, 1)


def _share(mask: NDArray[Any] | None) -> float:
    if mask is None:
        return np.nan
    positive, negative = (mask == 1).any(axis=0).sum(), (mask == 0).all(axis=0).sum()
    return float(positive / (positive + negative)) if positive + negative else np.nan
