"""Surface distances of a set of images, averaged to one number."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segclf.axes import N_SPATIAL
from segclf.metrics.overlap import Masks, mean_of_rows
from segclf.metrics.surfaces import SurfaceDistances, surface_distances

Empty = Literal["ignore"] | float


def hausdorff_distance(
    y_true: Masks,
    y_pred: Masks,
    *,
    percentile: float = 100.0,
    empty: Empty = 0.0,
    missing: float = np.inf,
    spacing: ArrayLike | None = None,
    n_classes: int | None = None,
    include_background: bool = False,
    n_spatial: int = N_SPATIAL,
) -> float:
    """Average the Hausdorff distance over the classes of each image, then over the images.

    Parameters
    ----------
    y_true, y_pred : array or list
        Masks, as in :func:`surface_distances`.
    percentile : float, default=100
        Percentile of the distances from each surface to the other; the larger of both counts. 95
        does not depend on a few stray pixels.
    empty : "ignore" or float, default=0
        Distance of a class that neither mask of an image shows; "ignore" leaves it out.
    missing : float, default=inf
        Distance of a class that only one mask shows. It has no distance, and a plausible number
        would hide a miss, so by default it is infinite, and so is the mean. The diagonal of the
        images is a common bound; NaN leaves such classes out.
    spacing : array-like of shape (n_spatial,) or (n, n_spatial), optional
        Size of a pixel along each spatial axis, for example in millimeters; by default 1, for
        distances in pixels.
    n_classes : int, optional
        As in :func:`surface_distances`.
    include_background : bool, default=False
        As in :func:`surface_distances`.
    n_spatial : int, default=2
        As in :func:`surface_distances`; 3 for masks of volumes.

    Returns
    -------
    float
        In pixels, or in the unit of ``spacing``; NaN if nothing is left.

    Raises
    ------
    ValueError
        If masks, or a parameter, do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.metrics import hausdorff_distance
    >>> y_true, y_pred = np.array([[[1, 1, 0, 0]]]), np.array([[[0, 1, 1, 1]]])
    >>> hausdorff_distance(y_true, y_pred), hausdorff_distance(y_true, y_pred, spacing=(3, 0.5))
    (2.0, 1.0)
    """
    distances = surface_distances(
        y_true,
        y_pred,
        spacing=spacing,
        n_classes=n_classes,
        include_background=include_background,
        n_spatial=n_spatial,
    )
    return _mean(distances, distances.hausdorff(percentile), empty, missing)


def average_surface_distance(
    y_true: Masks,
    y_pred: Masks,
    *,
    empty: Empty = 0.0,
    missing: float = np.inf,
    spacing: ArrayLike | None = None,
    n_classes: int | None = None,
    include_background: bool = False,
    n_spatial: int = N_SPATIAL,
) -> float:
    """Average the symmetric surface distance over the classes of each image, then over the images.

    The distance of a class is the mean over all pixels of both surfaces.

    Parameters
    ----------
    y_true, y_pred : array or list
        Masks, as in :func:`hausdorff_distance`.
    empty : "ignore" or float, default=0
        As in :func:`hausdorff_distance`.
    missing : float, default=inf
        As in :func:`hausdorff_distance`.
    spacing : array-like of shape (n_spatial,) or (n, n_spatial), optional
        As in :func:`hausdorff_distance`.
    n_classes : int, optional
        As in :func:`hausdorff_distance`.
    include_background : bool, default=False
        As in :func:`hausdorff_distance`.
    n_spatial : int, default=2
        As in :func:`hausdorff_distance`.

    Returns
    -------
    float
        In pixels, or in the unit of ``spacing``; NaN if nothing is left.

    Raises
    ------
    ValueError
        If masks, or a parameter, do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.metrics import average_surface_distance
    >>> average_surface_distance(np.array([[[1, 1, 0, 0]]]), np.array([[[0, 1, 1, 1]]]))
    0.8
    """
    distances = surface_distances(
        y_true,
        y_pred,
        spacing=spacing,
        n_classes=n_classes,
        include_background=include_background,
        n_spatial=n_spatial,
    )
    return _mean(distances, distances.average(), empty, missing)


def surface_dice(
    y_true: Masks,
    y_pred: Masks,
    tolerance: float,
    *,
    empty: Empty = 1.0,
    spacing: ArrayLike | None = None,
    n_classes: int | None = None,
    include_background: bool = False,
    n_spatial: int = N_SPATIAL,
) -> float:
    """Average the surface Dice coefficient over the classes of each image, then over the images.

    It is the share of the pixels of both surfaces that are within a tolerance of the other surface
    (Nikolov et al., "Deep learning to achieve clinically applicable segmentation of head and neck
    anatomy for radiotherapy", 2018). It counts pixels where the paper measures areas. A class that
    only one mask shows scores 0.

    Parameters
    ----------
    y_true, y_pred : array or list
        Masks, as in :func:`surface_distances`.
    tolerance : float
        Largest distance at which surfaces count as equal, in pixels or the unit of ``spacing``.
    empty : "ignore" or float, default=1
        Score of a class that neither mask of an image shows; "ignore" leaves it out.
    spacing : array-like of shape (n_spatial,) or (n, n_spatial), optional
        As in :func:`hausdorff_distance`.
    n_classes : int, optional
        As in :func:`hausdorff_distance`.
    include_background : bool, default=False
        As in :func:`hausdorff_distance`.
    n_spatial : int, default=2
        As in :func:`hausdorff_distance`.

    Returns
    -------
    float
        Between 0 and 1; NaN if nothing is left.

    Raises
    ------
    ValueError
        If masks, or a parameter, do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.metrics import surface_dice
    >>> surface_dice(np.array([[[1, 1, 0, 0]]]), np.array([[[0, 1, 1, 1]]]), tolerance=1)
    0.8
    """
    distances = surface_distances(
        y_true,
        y_pred,
        spacing=spacing,
        n_classes=n_classes,
        include_background=include_background,
        n_spatial=n_spatial,
    )
    return _mean(distances, distances.dice(tolerance), empty, 0.0)


def _mean(
    distances: SurfaceDistances, scores: NDArray[np.float64], empty: Empty, missing: float
) -> float:
    if isinstance(empty, str) and empty != "ignore":
        raise ValueError(f"empty must be 'ignore' or a number, got {empty!r}.")
    value = np.nan if empty == "ignore" else float(empty)
    scores = np.where(distances.true ^ distances.predicted, missing, scores)
    neither = ~(distances.true | distances.predicted) & distances.labeled
    return mean_of_rows(np.where(neither, value, scores))
