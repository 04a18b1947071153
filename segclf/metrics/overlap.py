"""Overlap of true and predicted masks: intersection over union and Dice."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segclf.axes import N_SPATIAL
from segclf.metrics.pixel_counts import PixelCounts, count_pixels

Masks = NDArray[Any] | Sequence[NDArray[Any] | None]


def mean_iou(
    y_true: Masks,
    y_pred: Masks,
    *,
    n_classes: int | None = None,
    per_image: bool = False,
    empty: Literal["ignore"] | float = "ignore",
    include_background: bool = False,
    sample_weight: ArrayLike | None = None,
    n_spatial: int = N_SPATIAL,
) -> float:
    """Average the intersection over union (Jaccard index) over the classes.

    Parameters
    ----------
    y_true : array of shape (n, h, w) or (n, k, h, w), or list of n arrays (h, w) or (k, h, w)
        Ids, or (multi-label) 0 and 1 per channel. Pixels that are -1, and masks that are None, are
        not scored. Masks of a list may differ in size.
    y_pred : array or list like `y_true`
        No -1 where `y_true` is labeled.
    n_classes : int, optional
        Number of classes, background included. By default one more than the greatest id in either,
        at least 2. For multi-label masks it is the number of channels.
    per_image : bool, default=False
        False sums the pixels of each class over the data set. True scores every image by itself,
        and averages first its classes, then the images. (CheXseg's test averages first the images
        of each class, then the classes: the mean of :func:`iou_per_class`.)
    empty : "ignore" or float, default="ignore"
        Score of a class that is neither true nor predicted (with `per_image`: in an image). By
        default the mean leaves it out. A class without labeled pixels is always left out.
    include_background : bool, default=False
        Whether id 0 counts as a class. All channels of multi-label masks do.
    sample_weight : array of shape (n,), optional
        Weight of each image: of its pixels in the sums or, with `per_image`, of its score in the
        mean.
    n_spatial : int, default=2
        3 for masks of volumes, which have d before h. With 2, volume masks of ids (n, d, h, w)
        are read as multi-label masks of images. `segclf.data.Masks` know it themselves.

    Returns
    -------
    float
        Between 0 and 1; NaN if every class is left out.

    Raises
    ------
    ValueError
        If numbers, shapes or ids of masks do not fit; the message names the sample.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.metrics import mean_iou
    >>> y_true = np.array([[[1, 1, 0, -1]], [[0, 0, 0, 0]]])
    >>> y_pred = np.array([[[1, 0, 0, 1]], [[0, 0, 0, 1]]])
    >>> round(mean_iou(y_true, y_pred), 4)
    0.3333
    >>> mean_iou(y_true, y_pred, per_image=True)
    0.25
    """
    counts = count_pixels(y_true, y_pred, n_classes=n_classes, n_spatial=n_spatial).weighted(
        sample_weight
    )
    counts = selected(counts, per_image=per_image, include_background=include_background)
    return mean_of_rows(ious(counts, empty), sample_weight if per_image else None)


def dice_score(
    y_true: Masks,
    y_pred: Masks,
    *,
    n_classes: int | None = None,
    per_image: bool = False,
    empty: Literal["ignore"] | float = "ignore",
    include_background: bool = False,
    sample_weight: ArrayLike | None = None,
    n_spatial: int = N_SPATIAL,
) -> float:
    """Average the Dice coefficient (F1 of pixels) over the classes.

    Parameters
    ----------
    y_true : array of shape (n, h, w) or (n, k, h, w), or list of n arrays (h, w) or (k, h, w)
        True masks, as in :func:`mean_iou`.
    y_pred : array or list like `y_true`
        Predicted masks.
    n_classes : int, optional
        As in :func:`mean_iou`.
    per_image : bool, default=False
        As in :func:`mean_iou`.
    empty : "ignore" or float, default="ignore"
        As in :func:`mean_iou`.
    include_background : bool, default=False
        As in :func:`mean_iou`.
    sample_weight : array of shape (n,), optional
        As in :func:`mean_iou`.
    n_spatial : int, default=2
        As in :func:`mean_iou`.

    Returns
    -------
    float
        Between 0 and 1; NaN if every class is left out.

    Raises
    ------
    ValueError
        If numbers, shapes or ids of masks do not fit; the message names the sample.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.metrics import dice_score
    >>> dice_score(np.array([[[1, 1, 0, -1]]]), np.array([[[1, 0, 1, 1]]]))
    0.5
    """
    counts = count_pixels(y_true, y_pred, n_classes=n_classes, n_spatial=n_spatial).weighted(
        sample_weight
    )
    counts = selected(counts, per_image=per_image, include_background=include_background)
    return mean_of_rows(dices(counts, empty), sample_weight if per_image else None)


def selected(counts: PixelCounts, *, per_image: bool, include_background: bool) -> PixelCounts:
    """Keep the classes to score, as one row per image or one for all."""
    if not (include_background or counts.multilabel):
        counts = counts.foreground()
    return counts if per_image else counts.total()


def ious(counts: PixelCounts, empty: Literal["ignore"] | float) -> NDArray[np.float64]:
    """Compute the IoU of each row and class; NaN where it is left out."""
    union = counts.true + counts.predicted - counts.both
    return _ratios(counts.both, union, counts.labeled, empty)


def dices(counts: PixelCounts, empty: Literal["ignore"] | float) -> NDArray[np.float64]:
    """Compute the Dice coefficient of each row and class; NaN where it is left out."""
    return _ratios(2 * counts.both, counts.true + counts.predicted, counts.labeled, empty)


def mean_of_rows(scores: NDArray[np.float64], weights: ArrayLike | None = None) -> float:
    """Average the classes of each row, then the rows by their weights; ignore NaN."""
    scored = ~np.isnan(scores).all(axis=1)
    rows = [row[~np.isnan(row)].mean() for row in scores[scored]]
    if weights is not None:
        return float(np.average(rows, weights=np.asarray(weights)[scored])) if rows else np.nan
    return float(np.mean(rows)) if rows else float("nan")


def _ratios(
    part: NDArray[Any], whole: NDArray[Any], labeled: NDArray[Any], empty: str | float
) -> NDArray[np.float64]:
    if isinstance(empty, str) and empty != "ignore":
        raise ValueError(f"empty must be 'ignore' or a number, got {empty!r}.")
    scores = np.full(part.shape, np.nan if empty == "ignore" else float(empty))
    np.divide(part, whole, out=scores, where=whole > 0)
    scores[labeled == 0] = np.nan
    return scores
