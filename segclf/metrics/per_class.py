"""Overlap of true and predicted masks, class by class."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from segclf.axes import N_SPATIAL
from segclf.metrics.overlap import Masks, dices, ious, selected
from segclf.metrics.pixel_counts import count_pixels


def iou_per_class(
    y_true: Masks,
    y_pred: Masks,
    *,
    n_classes: int | None = None,
    per_image: bool = False,
    empty: Literal["ignore"] | float = "ignore",
    include_background: bool = False,
    n_spatial: int = N_SPATIAL,
) -> NDArray[np.float64]:
    """Compute the intersection over union (Jaccard index) of each class.

    The public code of CheXseg (Gadgil et al., MIDL 2021) uses two definitions of the mean over the
    classes: it sums pixels over the data set to choose thresholds, and uses ``per_image=True`` in
    the test.

    Parameters
    ----------
    y_true : array of shape (n, h, w) or (n, k, h, w), or list of n arrays (h, w) or (k, h, w)
        True masks, as in :func:`mean_iou`.
    y_pred : array or list like `y_true`
        Predicted masks.
    n_classes : int, optional
        As in :func:`mean_iou`.
    per_image : bool, default=False
        False sums pixels over the data set. True scores every image by itself and averages the
        images for each class.
    empty : "ignore" or float, default="ignore"
        Score of a class that is neither true nor predicted (with `per_image`: in an image). By
        default it is left out. A class without labeled pixels is always left out.
    include_background : bool, default=False
        Whether id 0 counts as a class, the first of the result. All channels of multi-label masks
        do.
    n_spatial : int, default=2
        3 for masks of volumes, as in :func:`mean_iou`.

    Returns
    -------
    array of shape (n_classes - 1,) or (n_classes,)
        Without or with the background; NaN for a class that is left out everywhere.

    Raises
    ------
    ValueError
        If numbers, shapes or ids of masks do not fit; the message names the sample.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.metrics import iou_per_class
    >>> y_true, y_pred = np.array([[[1, 1, 2, 0]]]), np.array([[[1, 2, 2, 0]]])
    >>> iou_per_class(y_true, y_pred, n_classes=4)
    array([0.5, 0.5, nan])
    """
    counts = count_pixels(y_true, y_pred, n_classes=n_classes, n_spatial=n_spatial)
    counts = selected(counts, per_image=per_image, include_background=include_background)
    return _mean_of_columns(ious(counts, empty))


def dice_per_class(
    y_true: Masks,
    y_pred: Masks,
    *,
    n_classes: int | None = None,
    per_image: bool = False,
    empty: Literal["ignore"] | float = "ignore",
    include_background: bool = False,
    n_spatial: int = N_SPATIAL,
) -> NDArray[np.float64]:
    """Compute the Dice coefficient (F1 of pixels) of each class.

    Parameters
    ----------
    y_true : array of shape (n, h, w) or (n, k, h, w), or list of n arrays (h, w) or (k, h, w)
        True masks, as in :func:`iou_per_class`.
    y_pred : array or list like `y_true`
        Predicted masks.
    n_classes : int, optional
        As in :func:`iou_per_class`.
    per_image : bool, default=False
        As in :func:`iou_per_class`.
    empty : "ignore" or float, default="ignore"
        As in :func:`iou_per_class`.
    include_background : bool, default=False
        As in :func:`iou_per_class`.
    n_spatial : int, default=2
        As in :func:`iou_per_class`.

    Returns
    -------
    array of shape (n_classes - 1,) or (n_classes,)
        Without or with the background; NaN for a class that is left out everywhere.

    Raises
    ------
    ValueError
        If numbers, shapes or ids of masks do not fit; the message names the sample.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.metrics import dice_per_class
    >>> dice_per_class(np.array([[[1, 1, 2, 0]]]), np.array([[[1, 2, 2, 2]]])).round(2)
    array([0.67, 0.5 ])
    """
    counts = count_pixels(y_true, y_pred, n_classes=n_classes, n_spatial=n_spatial)
    counts = selected(counts, per_image=per_image, include_background=include_background)
    return _mean_of_columns(dices(counts, empty))


def _mean_of_columns(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average each column over its rows, ignoring NaN; NaN if nothing is left."""
    scored = ~np.isnan(scores)
    total, n_scored = scores.sum(axis=0, where=scored), scored.sum(axis=0)
    return np.divide(total, n_scored, out=np.full(scores.shape[1], np.nan), where=n_scored > 0)
