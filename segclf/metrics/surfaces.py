"""Distances between the surfaces of true and predicted regions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from scipy.spatial import KDTree

from segclf.axes import N_SPATIAL
from segclf.metrics.overlap import Masks, selected
from segclf.metrics.pixel_counts import PixelCounts, count_pixels

Distances = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class SurfaceDistances:
    """Distances between surfaces, for n images (rows) and k classes (columns).

    Scores are arrays of shape (n, k), with NaN where nothing is labeled. Where neither mask shows
    the class, distances are 0 and Dice is 1. Where only one mask shows it, distances are infinite
    and Dice is 0.

    Parameters
    ----------
    from_true, from_predicted : object array of shape (n, k)
        The distance of each pixel of one surface to the nearest pixel of the other, as an array of
        shape (n_pixels,); None where one of the masks does not show the class.
    true, predicted, labeled : bool array of shape (n, k)
        Whether the true mask and the predicted mask show the class, and whether it is labeled.
    """

    from_true: NDArray[Any]
    from_predicted: NDArray[Any]
    true: NDArray[np.bool_]
    predicted: NDArray[np.bool_]
    labeled: NDArray[np.bool_]

    def hausdorff(self, percentile: float = 100.0) -> NDArray[np.float64]:
        """Return the greatest distance of a pixel of one surface from the other surface.

        Parameters
        ----------
        percentile : float
            Percentile of the distances from each surface; the larger of both counts. 95 does not
            depend on a few stray pixels.
        """
        if not 0 <= percentile <= 100:
            raise ValueError(f"percentile={percentile!r}; expected a number from 0 to 100.")
        return self._scored(
            lambda *both: max(np.percentile(each, percentile) for each in both), 0.0, np.inf
        )

    def average(self) -> NDArray[np.float64]:
        """Return the mean distance of the pixels of both surfaces."""
        return self._scored(lambda *both: np.concatenate(both).mean(), 0.0, np.inf)

    def dice(self, tolerance: float) -> NDArray[np.float64]:
        """Return the share of the pixels of both surfaces within a tolerance of the other surface.

        Parameters
        ----------
        tolerance : float
            Largest distance that counts as equal.
        """
        if not tolerance >= 0:
            raise ValueError(f"tolerance={tolerance!r}; expected a distance of at least 0.")
        return self._scored(lambda *both: (np.concatenate(both) <= tolerance).mean(), 1.0, 0.0)

    def _scored(
        self, score: Callable[[Distances, Distances], Any], neither: float, one: float
    ) -> NDArray[np.float64]:
        scores = np.where(self.true | self.predicted, one, neither)
        scores[~self.labeled] = np.nan
        for place in zip(*np.nonzero(self.true & self.predicted), strict=True):
            scores[place] = score(self.from_true[place], self.from_predicted[place])
        return scores


def surface_distances(
    y_true: Masks,
    y_pred: Masks,
    *,
    spacing: ArrayLike | None = None,
    n_classes: int | None = None,
    include_background: bool = False,
    n_spatial: int = N_SPATIAL,
) -> SurfaceDistances:
    """Measure the distances between the surfaces of true and predicted regions.

    The surface of a region is its pixels with a side (for voxels, a face) that borders on anything
    else or on the edge of the image. Distances are measured between the centers of pixels. Pixels
    of -1 in `y_true` belong to no region of either mask.

    Parameters
    ----------
    y_true : array of shape (n, h, w) or (n, k, h, w), or list of n arrays (h, w) or (k, h, w)
        Ids, or (multi-label) 0 and 1 per channel; for volumes with d before h. -1 and None are not
        scored.
    y_pred : array or list like `y_true`
        No -1 where `y_true` is labeled.
    spacing : array-like of shape (n_spatial,) or (n, n_spatial), optional
        Size of a pixel along each spatial axis (slices, rows, columns), for example in
        millimeters, for all images or for each. Distances are in this unit, by default in pixels.
    n_classes : int, optional
        Number of classes, background included. By default one more than the greatest id in either,
        at least 2. For multi-label masks it is the number of channels.
    include_background : bool, default=False
        Whether id 0 counts as a class. All channels of multi-label masks do.
    n_spatial : int, default=2
        3 for masks of volumes. `segclf.data.Masks` know it themselves.

    Returns
    -------
    SurfaceDistances
        Distances from which scores can be computed for each image and class.

    Raises
    ------
    ValueError
        If numbers, shapes or ids of masks, or the spacing, do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.metrics import surface_distances
    >>> y_true = np.array([[[1, 1, 1, 0, 0, 0]], [[0, 0, 0, 0, 0, 0]], [[0, 0, 0, 0, 0, 1]]])
    >>> y_pred = np.array([[[0, 1, 1, 1, 1, 0]], [[0, 0, 0, 0, 0, 0]], [[0, 0, 0, 0, 0, 0]]])
    >>> distances = surface_distances(y_true, y_pred, spacing=(1.0, 0.5))
    >>> distances.hausdorff().ravel(), distances.dice(tolerance=0.5).ravel().round(2)
    (array([ 1.,  0., inf]), array([0.86, 1.  , 0.  ]))
    """
    n_spatial = getattr(y_true, "n_spatial", n_spatial)
    counts = count_pixels(y_true, y_pred, n_classes=n_classes, n_spatial=n_spatial)
    counts = selected(counts, per_image=True, include_background=include_background)
    first = 0 if include_background or counts.multilabel else 1
    sizes = spacings(spacing, len(y_true), n_spatial)
    shape = counts.true.shape
    from_true, from_predicted = np.full(shape, None, object), np.full(shape, None, object)
    for image, columns in _with_both(counts):
        masks = np.asarray(y_true[image]), np.asarray(y_pred[image])
        for column in columns:
            regions = _regions(*masks, column + first, multilabel=counts.multilabel)
            place = image, column
            from_true[place], from_predicted[place] = _distances(*regions, sizes[image])
    return SurfaceDistances(
        from_true=from_true,
        from_predicted=from_predicted,
        true=counts.true > 0,
        predicted=counts.predicted > 0,
        labeled=counts.labeled > 0,
    )


def spacings(spacing: ArrayLike | None, n_samples: int, n_spatial: int) -> NDArray[np.float64]:
    """Return the spacing of each image (n, n_spatial); 1 if none is given."""
    sizes = np.asarray(1.0 if spacing is None else spacing, dtype=np.float64)
    fits = spacing is None or sizes.shape in ((n_spatial,), (n_samples, n_spatial))
    if not fits or not (np.isfinite(sizes) & (sizes > 0)).all():
        raise ValueError(
            f"spacing={spacing!r:.80}; expected {n_spatial} lengths above 0, or as many for each "
            f"of {n_samples} images."
        )
    return np.broadcast_to(sizes, (n_samples, n_spatial))


def _with_both(counts: PixelCounts) -> list[tuple[Any, list[int]]]:
    """List the images with the classes that both of their masks show."""
    both = (counts.true > 0) & (counts.predicted > 0)
    return [
        (image, np.flatnonzero(both[image]).tolist()) for image in np.flatnonzero(both.any(axis=1))
    ]


def _regions(
    truth: NDArray[Any], prediction: NDArray[Any], number: int, *, multilabel: bool
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return where each mask shows a class, without unlabeled pixels."""
    if multilabel:
        truth, prediction, number = truth[number], prediction[number], 1
    return truth == number, (prediction == number) & (truth >= 0)


def _distances(
    true: NDArray[np.bool_], predicted: NDArray[np.bool_], spacing: NDArray[np.float64]
) -> tuple[Distances, Distances]:
    """Return the distances from each surface to the other; neither region is empty."""
    points = [_surface(region) * spacing for region in (true, predicted)]
    there, back = (KDTree(end).query(start)[0] for start, end in (points, points[::-1]))
    return there, back


def _surface(region: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the pixels of a surface (n_pixels, n_spatial)."""
    [box] = ndimage.find_objects(region.view(np.uint8))
    part = region[box]
    start = [side.start for side in box]
    return np.argwhere(part & ~ndimage.binary_erosion(part)) + start
