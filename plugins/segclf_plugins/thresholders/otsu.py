"""Otsu's method: the threshold with the least variance within the two sides.

Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions on Systems, Man,
and Cybernetics 9 (1979). MedSASS (section 3.3.2) uses it to make its pseudo-labels.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segclf_plugins.thresholders.base import GlobalThresholder, Masks
from segclf_plugins.thresholders.gray import Levels

__all__ = ["OtsuThresholder"]


class OtsuThresholder(GlobalThresholder):
    """Threshold where the variance between the two sides is largest.

    Thresholds equal those of OpenCV and scikit-image for 8-bit and 16-bit images, and those of
    scikit-image for float images, which OpenCV does not support.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf_plugins.thresholders import OtsuThresholder
    >>> image = np.array([[10, 12, 11, 90], [11, 10, 95, 99]], dtype=np.uint8)
    >>> OtsuThresholder().thresholds([image])
    array([12.])
    >>> OtsuThresholder(polarity="dark")(image).astype(int)
    array([[1, 1, 1, 0],
           [1, 1, 0, 0]])
    """

    def _fill_bright(self, grays: Sequence[NDArray[Any]], masks: Masks) -> None:
        if any(gray.dtype != np.uint8 for gray in grays):
            super()._fill_bright(grays, masks)
            return
        for gray, mask in zip(grays, masks, strict=True):  # threshold and mask in one call
            level, _ = cv2.threshold(gray, 0, 1, cv2.THRESH_OTSU, dst=mask.view(np.uint8))
            if level == 0:
                np.greater(gray, gray.min(), out=mask)

    def _splits(self, images: Sequence[Levels]) -> list[float]:
        return [_split(image.levels) for image in images]


def _split(levels: NDArray[Any]) -> float:
    level, _ = cv2.threshold(levels, 0, 1, cv2.THRESH_OTSU)
    # OpenCV also returns 0 if there is nothing to separate
    return float(level or levels.min())
