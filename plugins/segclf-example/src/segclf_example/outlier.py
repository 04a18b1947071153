"""A threshold for small objects: the outlying pixels, bright or dark."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.base import Estimator

__all__ = ["OutlierThresholder"]


class OutlierThresholder(Estimator):
    """Mark pixels far from the mean gray value.

    Parameters
    ----------
    n_deviations : float
        The least distance, in standard deviations of the image.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf_example.outlier import OutlierThresholder
    >>> OutlierThresholder()(np.array([[10, 10, 11, 10], [10, 11, 10, 99]])).astype(int)
    array([[0, 0, 0, 0],
           [0, 0, 0, 1]])
    """

    n_deviations: float = 2.0

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
