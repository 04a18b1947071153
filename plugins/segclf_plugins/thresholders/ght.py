"""Generalized histogram thresholding, which includes minimum error and Otsu's method.

Two normal distributions are fitted to the two sides of every possible threshold, with a prior on
their variances and shares; the threshold with the best fit is used. Barron, "A generalization of
Otsu's method and minimum error thresholding", ECCV 2020.
"""

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from segclf_plugins.thresholders.base import GlobalThresholder
from segclf_plugins.thresholders.gray import Levels

__all__ = ["GHTThresholder"]

_LEAST_VARIANCE = 1e-30


class GHTThresholder(GlobalThresholder):
    """Threshold where two normal distributions fit best, given a prior.

    Parameters
    ----------
    nu : float, default=100.0
        Weight of the expected standard deviation. The variance of a side is
        ``(nu * tau**2 + variance) / (nu + 1)``.
    tau : float, default=4.0
        The expected standard deviation of each side: in gray levels for 8-bit images, in 1/255 of
        the range between the smallest and largest values for other images.
    kappa : float, default=0.0
        Weight of the expected share.
    omega : float, default=0.5
        The expected share of the dark side, in [0, 1].
    relative : bool, default=True
        Whether `nu` and `kappa` are relative to the number of pixels of the image, so that they
        mean the same for small and large images: 1 has the weight of all its pixels. False counts
        pixels, as in the paper.

    Notes
    -----
    With `nu` 0 it is minimum error thresholding (Kittler and Illingworth); with `nu` large and
    `tau` small (1e60 and 1e-15) it is Otsu's method; with `kappa` large it is the percentile
    `omega`.

    MedSASS does not report its values. The paper's own, ``nu=2**29.5, tau=2**3.125,
    kappa=2**22.25, omega=2**-3.25, relative=False``, are for pages of handwriting: they depend on
    the number of pixels of these pages and expect a tenth of them to be dark ink. The defaults
    expect no share. They are the best of a coarse grid of `nu` and `tau` on training images of six
    data sets (skin, breast, brain, tiles, leaves, roads), where they are no better than Otsu's
    method.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf_plugins.thresholders import GHTThresholder
    >>> image = np.array([[10, 12, 11, 90], [11, 10, 95, 99]], dtype=np.uint8)
    >>> GHTThresholder()(image).astype(int)
    array([[0, 0, 0, 1],
           [0, 0, 1, 1]])
    >>> GHTThresholder().thresholds([image])  # the middle of the gap
    array([50.5])
    """

    nu: float = 100.0
    tau: float = 4.0
    kappa: float = 0.0
    omega: float = 0.5
    relative: bool = True

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "nu": [Interval(Real, 0, None, closed="left")],
        "tau": [Interval(Real, 0, None, closed="left")],
        "kappa": [Interval(Real, 0, None, closed="left")],
        "omega": [Interval(Real, 0, 1, closed="both")],
        "relative": ["boolean"],
    }

    def _splits(self, images: Sequence[Levels]) -> NDArray[np.float64]:
        n_levels = max(2, *(int(image.levels.max()) + 1 for image in images))
        counts = np.empty((len(images), n_levels))
        for row, image in zip(counts, images, strict=True):
            row[:] = cv2.calcHist([image.levels], [0], None, [n_levels], [0, n_levels]).ravel()
        return self._best(counts, np.array([image.gray_level for image in images]))

    def _best(self, counts: NDArray[Any], gray_level: NDArray[np.float64]) -> NDArray[np.float64]:
        """Find the best split (n,) of histograms (n, m) together; `gray_level` is (n,)."""
        level = np.arange(counts.shape[1])
        moments = np.cumsum([counts, counts * level, counts * level**2], axis=2)
        total, dark = moments[..., -1:], moments[..., :-1]
        n_pixels = total[0]
        nu = self.nu if self.relative else self.nu / n_pixels
        kappa = self.kappa * n_pixels if self.relative else self.kappa
        prior = nu * (self.tau * gray_level[:, None]) ** 2
        fit = _fit(dark, nu, prior, kappa * self.omega)
        fit += _fit(total - dark, nu, prior, kappa * (1 - self.omega))
        fit[(dark[0] == 0) | (dark[0] == n_pixels)] = -np.inf
        best = fit.max(axis=1, keepdims=True)
        tied = fit == best
        mean_tied = tied @ level[:-1] / tied.sum(axis=1)
        return np.where(np.isfinite(best[:, 0]), mean_tied, (total[1] / n_pixels)[:, 0])


def _fit(moments: NDArray[np.float64], nu: Any, prior: Any, kappa: Any) -> NDArray[np.float64]:
    """Score one side of every threshold by its moments (3, n, m): count, sum, sum of squares.

    Barron's prior weight, nu times the share of the side, is its count times nu per pixel, so the
    count cancels in the expected variance.
    """
    count = np.maximum(moments[0], 1)
    variance = np.maximum(moments[2] / count - (moments[1] / count) ** 2, 0)
    expected = np.maximum((prior + variance) / (nu + 1), _LEAST_VARIANCE)
    return 2 * (count + kappa) * np.log(count) - count * (variance / expected + np.log(expected))
