"""Adaptive thresholds: each pixel is compared with the mean of its neighborhood.

MedSASS (section 5.1) compares both methods, AMT and AGT, with Otsu's method, without reporting the
size of the neighborhood or the offset.
"""

import math
from abc import abstractmethod
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from segclf_plugins.thresholders.base import BaseThresholder, Masks
from segclf_plugins.thresholders.gray import to_levels

__all__ = ["AdaptiveGaussianThresholder", "AdaptiveMeanThresholder"]

_N_LEVELS = 2**16
_GRAY_LEVEL = (_N_LEVELS - 1) / 255


class AdaptiveThresholder(BaseThresholder):
    """A thresholder that compares each pixel with a mean around it.

    A pixel is bright if it exceeds the mean, rounded to a level, by more than ``-ceil(offset)``.
    For 8-bit images this is exactly the mask of ``cv2.adaptiveThreshold``. Other images are first
    quantized to 65536 levels between their smallest and largest values.

    Parameters
    ----------
    block_size : float or int, default=0.5
        Width and height of the neighborhood: a float in (0, 1) is a fraction of the shorter side
        of the image, an odd int is pixels. It should be larger than the objects; otherwise only
        their edges are found.
    offset : float, default=0.0
        Value subtracted from the mean, OpenCV's C: in gray levels for 8-bit images, in 1/255 of the
        range between the smallest and largest values for other images.
    """

    block_size: float | int = 0.5
    offset: float = 0.0

    _opencv_method: ClassVar[int]

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "block_size": [
            Interval(Integral, 3, None, closed="left"),
            Interval(Real, 0, 1, closed="neither"),
        ],
        "offset": [Interval(Real, None, None, closed="neither")],
    }

    def _fill_bright(self, grays: Sequence[NDArray[Any]], masks: Masks) -> None:
        for gray, mask in zip(grays, masks, strict=True):
            size = self._size(gray.shape)
            if gray.min() == gray.max():
                mask[...] = False
            elif gray.dtype == np.uint8:
                mask[...] = cv2.adaptiveThreshold(
                    gray, 1, self._opencv_method, cv2.THRESH_BINARY, size, self.offset
                )
            else:
                levels = to_levels(gray.astype(np.float64), _N_LEVELS).levels.astype(np.float32)
                above = levels - np.rint(self._mean(levels, size))
                np.greater(above, -math.ceil(self.offset * _GRAY_LEVEL), out=mask)

    def _size(self, shape: tuple[int, ...]) -> int:
        """Convert `block_size` to an odd number of pixels for an image."""
        if isinstance(self.block_size, Integral):
            if self.block_size % 2 == 0:
                raise ValueError(
                    f"block_size={self.block_size} is not odd; expected an odd int, or a "
                    "fraction of the image's shorter side in (0, 1)."
                )
            return int(self.block_size)
        return max(3, 2 * round(self.block_size * min(shape) / 2) + 1)

    @abstractmethod
    def _mean(self, levels: NDArray[np.float32], size: int) -> NDArray[np.float32]:
        """Average around each pixel; pixels at the border are replicated beyond it."""


class AdaptiveMeanThresholder(AdaptiveThresholder):
    """Compare each pixel with the mean of a square around it (MedSASS's AMT).

    Examples
    --------
    >>> import numpy as np
    >>> from segclf_plugins.thresholders import AdaptiveMeanThresholder
    >>> image = np.array([[10, 60, 10, 110, 160, 110]], dtype=np.uint8)
    >>> AdaptiveMeanThresholder(block_size=3)(image).astype(int)
    array([[0, 1, 0, 1, 1, 0]])
    """

    _opencv_method = cv2.ADAPTIVE_THRESH_MEAN_C

    def _mean(self, levels: NDArray[np.float32], size: int) -> NDArray[np.float32]:
        return cv2.blur(levels, (size, size), borderType=cv2.BORDER_REPLICATE)


class AdaptiveGaussianThresholder(AdaptiveThresholder):
    """Compare each pixel with a Gaussian-weighted mean around it (MedSASS's AGT).

    The weights are Gaussian with a standard deviation of
    ``.3 * ((block_size - 1) / 2 - 1) + .8`` pixels, as in OpenCV.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf_plugins.thresholders import AdaptiveGaussianThresholder
    >>> image = np.array([[10, 60, 10, 110, 160, 110]], dtype=np.uint8)
    >>> AdaptiveGaussianThresholder(block_size=3)(image).astype(int)
    array([[0, 1, 0, 1, 1, 0]])
    """

    _opencv_method = cv2.ADAPTIVE_THRESH_GAUSSIAN_C

    def _mean(self, levels: NDArray[np.float32], size: int) -> NDArray[np.float32]:
        return cv2.GaussianBlur(levels, (size, size), 0, borderType=cv2.BORDER_REPLICATE)
