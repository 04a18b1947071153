"""How far the surfaces of true and predicted regions are from each other."""

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
    """Distances between surfaces, of n images (rows) and k classes (columns).

    Scores are arrays of shape (n, k): NaN where nothing is labeled. Where neither mask shows the
    class, distances are 0, and Dice is 1. Where one of them does not, its surface is infinitely
    far away: distances are infinite, and Dice is 0.

    Parameters
    ----------
    from_true, from_predicted : object array of shape (n, k)
        The distance of each pixel of the one surface to the nearest pixel of the other, as an array
        of shape (n_pixels,); None where one of the masks does not show the class.
    true, predicted, labeled : bool array of shape (n, k)
        Whether the true and the predicted mask show the class, and whether anybody said.
    """

    from_true: NDArray[Any]
    from_predicted: NDArray[Any]
    true: NDArray[np.bool_]
    predicted: NDArray[np.bool_]
    labeled: NDArray[np.bool_]

    def hausdorff(self, percentile: float = 100.0) -> NDArray[np.float64]:
        """Return how far the farthest pixel of a surface is from the other surface.

        Parameters
        ----------
        percentile : float
            Of the distances from each of the surfaces, of which the larger one counts. 95 does
            not depend on a few stray pixels.
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
        """Return the share of the pixels of both surfaces that are near enough to the other one.

        Parameters
        ----------
        tolerance : float
            Up to which distance they are.
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

    The surface of a region is its pixels with a side (of voxels: a face) towards anything else,
    or towards the outside of the image. A distance is that of the middles of two pixels. Pixels
    that are -1 in `y_true` belong to no region of either mask.

    Parameters
    ----------
    y_true : array of shape (n, h, w) or (n, k, h, w), or list of n arrays (h, w) or (k, h, w)
        Ids, or (multi-label) 0 and 1 per channel; of volumes with d before h. -1 and None are not
        scored.
    y_pred : array or list like `y_true`
        No -1 where `y_true` is labeled.
    spacing : array-like of shape (n_spatial,) or (n, n_spatial), optional
        Size of a pixel along each spatial axis, such as millimeters of slices, rows and columns,
        of all images or of each. Distances are in this unit, and in pixels by default.
    n_classes : int, optional
        Number of classes, background included; by default one more than the greatest id of
        either, at least 2. Multi-label masks have as many as channels.
    include_background : bool, default=False
        Whether id 0 is a class. All channels of multi-label masks are.
    n_spatial : int, default=2
        3 for masks of volumes. Of `segclf.data.Masks` it is known.

    Returns
    -------
    SurfaceDistances
        From which all scores follow, by image and class.

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
    """Return the spacing of each image (n, n_spatial); 1 where none is given."""
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
