"""A threshold for small objects: the pixels that stand out from the rest, bright or dark."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

__all__ = ["OutlierThresholder"]


class OutlierThresholder(BaseEstimator):
    """Mark what lies far from the mean gray value.

    Parameters
    ----------
    n_deviations : float, default=2.0
        How far, in standard deviations of the image.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf_example.outlier import OutlierThresholder
    >>> OutlierThresholder()(np.array([[10, 10, 11, 10], [10, 11, 10, 99]])).astype(int)
    array([[0, 0, 0, 0],
           [0, 0, 0, 1]])
    """

    def __init__(self, n_deviations: float = 2.0) -> None:
        self.n_deviations = n_deviations

    def __call__(self, image: NDArray[Any], /) -> NDArray[np.bool_]:
        """Separate one gray image into object and background.

        Parameters
        ----------
        image : ndarray of shape (h, w)
            Any real dtype.

        Returns
        -------
        ndarray of bool of shape (h, w)
            True where the object is; all False for a constant image.
        """
        gray = np.asarray(image, dtype=np.float64)
        return np.abs(gray - gray.mean()) > self.n_deviations * gray.std()
