"""The least area at which a finding counts, from the findings in the training masks."""

import math
import warnings
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._param_validation import InvalidParameterError

from segclf.axes import is_indicator
from segclf_plugins.summarizers.decision import MIN_AREA

# The share of findings that may be smaller than the least area.
FEW = 0.05


class LargeAreaWarning(UserWarning):
    """The area that makes an image positive is larger than many findings."""


def check_areas(areas: ArrayLike | None, n_channels: int) -> NDArray[np.float64]:
    """Check the areas of findings (m, k), as fractions of their images; NaN without a mask.

    Raises
    ------
    ValueError
        If the shape does not fit or a value is not a fraction.
    """
    if areas is None:
        return np.empty((0, n_channels))
    checked = np.asarray(areas, dtype=np.float64)
    if not is_indicator(checked) or checked.shape[1] != n_channels:
        raise ValueError(
            f"areas has shape {checked.shape}; expected (m, {n_channels}), with a row for each "
            "image and a column for each channel of the masks."
        )
    if ((checked < 0) | (checked > 1)).any():
        raise ValueError(
            f"areas range from {np.nanmin(checked):.4g} to {np.nanmax(checked):.4g}; expected "
            "fractions of the image in [0, 1], or NaN for an image without a mask."
        )
    return checked


def least_areas(areas: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the 5 % quantile of each channel's areas, at most the paper's area.

    Parameters
    ----------
    areas : ndarray of shape (m, k)
        Fractions of the image; 0 and NaN do not count as findings.

    Returns
    -------
    ndarray of shape (k,)
        100 / 224**2 for a channel without findings.

    Examples
    --------
    >>> least_areas(np.array([[0.001, 0.2], [0.001, np.nan], [0.0, 0.3]])).round(4)
    array([0.001, 0.002])
    """
    found = (channel[channel > 0] for channel in areas.T)
    return np.array([min(np.quantile(f, FEW), MIN_AREA) if len(f) else MIN_AREA for f in found])


def least_pixels(
    min_area: float | int, spacing: ArrayLike | None, n_spatial: int | None = None
) -> float | int:
    """Convert an area to a fraction of the image (a float in (0, 1)) or to pixels (an int).

    Parameters
    ----------
    min_area : float or int
        A fraction or pixels; with `spacing`, an area or volume in its unit.
    spacing : array-like of float or None
        Size of a pixel along each spatial axis.
    n_spatial : int, optional
        The required number of axes.

    Raises
    ------
    ValueError
        If the area or the spacing is not valid.

    Examples
    --------
    >>> least_pixels(100.0, (5.0, 0.5, 0.5))
    80
    """
    if spacing is not None:
        sizes = np.asarray(spacing, dtype=np.float64)
        expected = np.size(sizes) if n_spatial is None else n_spatial
        if sizes.shape != (expected,) or not (sizes > 0).all():
            raise ValueError(
                f"spacing={spacing!r}; expected {expected} numbers above 0, the size of a pixel "
                "along each spatial axis."
            )
        return max(1, math.ceil(round(float(min_area) / float(sizes.prod()), 6)))
    if not isinstance(min_area, Integral) and min_area >= 1:
        raise InvalidParameterError(
            f"min_area={min_area!r}; expected a fraction of the image as a float in (0, 1), pixels "
            "as an int, or spacing with the size of a pixel."
        )
    return min_area


def warn_if_large(min_area: float | int, areas: NDArray[np.float64], n_pixels: int) -> None:
    """Warn if more than 5 % of the findings are smaller than an area.

    Parameters
    ----------
    min_area : float or int
        A fraction of the image, or pixels.
    areas : ndarray of shape (m, k)
        Fractions of the image; 0 and NaN do not count as findings.
    n_pixels : int
        Number of pixels of an image, to convert `min_area` in pixels to a fraction.
    """
    found = areas[areas > 0]
    fraction = min_area / n_pixels if isinstance(min_area, Integral) else min_area
    # A finding of 100 pixels of 224 x 224 is not smaller than 100 / 224**2.
    share = np.mean(found < fraction * (1 - 1e-9)) if len(found) else 0
    if share > FEW:
        warnings.warn(
            f"min_area={min_area:.4g} is larger than {share:.0%} of the {len(found)} findings in "
            "the training masks. Such images will be predicted negative however well they are "
            'segmented. Use min_area="auto", which is chosen from the masks.',
            LargeAreaWarning,
            stacklevel=3,
        )
