"""Where in the image a model errs, and how recall depends on the size of targets."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segclf.axes import N_SPATIAL, N_SPATIAL_OF_VOLUMES
from segclf.base.maps import Maps
from segclf.base.spatial import n_spatial
from segclf.data import ImagesLike, LabelsLike, MasksLike, as_masks
from segclf.data.resize import resize_image
from segclf.displays.canvas import grid_of_axes, new_figure
from segclf.displays.predictions import predict_once
from segclf.displays.tiles import RIGHT_COLOR
from segclf.metrics import group_by_area, subgroup_scores
from segclf.metrics.subgroups import Subgroup

CELLS = 32
TITLES = ("marked wrongly", "missed")


class ErrorMapDisplay:
    """Three plots: false-positive pixels, false-negative pixels, and recall by target size.

    Maps show the relative position in images of any size; a dark cell has errors in many images.
    For volumes they show the position in the slice, with errors from all slices.

    Create it with `from_estimator` or `from_predictions`.

    Parameters
    ----------
    false_positives, false_negatives : array of shape (32, 32)
        Share of the images with a false-positive, or false-negative, pixel in each cell.
    recall : list of Subgroup
        Share of the targets of each size that were predicted rightly.

    Attributes
    ----------
    axes_ : array of matplotlib Axes, shape (3,)
        The axes, once drawn.
    figure_ : matplotlib Figure
        The figure, once drawn.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.displays import ErrorMapDisplay
    >>> true, predicted = np.zeros((2, 4, 32, 32), dtype=int)
    >>> true[:2, :16, :16] = predicted[0, 16:, 16:] = 1
    >>> display = ErrorMapDisplay.from_predictions([1, 1, 0, 0], [1, 0, 0, 0], true, predicted)
    >>> display.false_positives[-1, -1].item(), display.false_negatives[0, 0].item()
    (0.25, 0.5)
    >>> [(row.name, row.n, row.estimate) for row in display.recall]
    [('below 25%', 0, nan), ('from 25%', 2, 0.5)]
    """

    def __init__(
        self,
        false_positives: NDArray[Any],
        false_negatives: NDArray[Any],
        recall: Sequence[Subgroup],
    ) -> None:
        self.false_positives, self.false_negatives = false_positives, false_negatives
        self.recall = list(recall)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ImagesLike,
        y: LabelsLike,
        masks: MasksLike,
        *,
        groups: ArrayLike | None = None,
        ax: Any = None,
    ) -> Self:
        """Predict labels and masks and draw the errors.

        Parameters
        ----------
        estimator : fitted classifier
            With ``predict`` and ``predict_masks``.
        X : array, list, paths or tensor
            The n images.
        y : array of shape (n,) or (n, k)
            True labels.
        masks : array or list
            True masks, None for an image without one.
        groups : array of shape (n,), optional
            Group of each image, such as its patient, for the intervals.
        ax : matplotlib Axes or Figure, or array of three Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        ErrorMapDisplay
            Drawn.
        """
        predicted = predict_once(estimator, X)
        volumes = n_spatial(estimator) != N_SPATIAL
        given = y, predicted.labels, masks, predicted.masks
        return cls.from_predictions(*given, groups=groups, volumes=volumes, ax=ax)

    @classmethod
    def from_predictions(
        cls,
        y_true: LabelsLike,
        y_pred: LabelsLike,
        masks_true: MasksLike,
        masks_pred: Maps,
        *,
        groups: ArrayLike | None = None,
        bins: int | Sequence[float] = 4,
        volumes: bool = False,
        ax: Any = None,
    ) -> Self:
        """Draw the errors of predictions.

        Parameters
        ----------
        y_true, y_pred : array of shape (n,) or (n, k)
            True and predicted labels; -1 where unlabeled.
        masks_true, masks_pred : array (n, h, w) or (n, k, h, w), or list
            True and predicted masks; None, and pixels of -1, where unlabeled.
        groups : array of shape (n,), optional
            Group of each image, such as its patient, for the intervals.
        bins : int or sequence of float
            Number of size groups with about equal numbers of targets, or the shares of the image
            at which to cut.
        volumes : bool
            Whether the masks (n, d, h, w) or (n, k, d, h, w) are of volumes.
        ax : matplotlib Axes or Figure, or array of three Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        ErrorMapDisplay
            Drawn.
        """
        right = (np.asarray(y_true) == np.asarray(y_pred)).reshape(len(masks_pred), -1)
        n_spatial = N_SPATIAL_OF_VOLUMES if volumes else N_SPATIAL
        true = as_masks(masks_true, len(right), n_spatial=n_spatial)
        sizes: Any = group_by_area(true, bins=bins)  # type: ignore[arg-type]
        recall = subgroup_scores(
            lambda _, found: float(found.mean()),
            np.where(sizes.group >= 0, 1, -1)[:, None],
            right.all(axis=1)[:, None],
            sizes,
            groups=groups,
            random_state=0,
        )
        return cls(*_error_maps(true, masks_pred), recall).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or Figure, or array of three Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        ErrorMapDisplay
            Itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.axes_ = grid_of_axes(new_figure(9, 2.8) if ax is None else ax, 3, 3)
        self.figure_ = self.axes_[0].figure
        maps = (self.false_positives, self.false_negatives)
        top = max(np.max(maps), 1e-9)
        for map_ax, title, errors in zip(self.axes_, TITLES, maps, strict=False):
            drawn = map_ax.imshow(100 * errors, cmap="magma_r", vmin=0, vmax=100 * top)
            map_ax.set(title=title, xticks=[], yticks=[])
        self.figure_.colorbar(drawn, ax=list(self.axes_[:2]), label="% of the images")
        self._plot_recall(self.axes_[2])
        return self

    def _plot_recall(self, ax: Any) -> None:
        rows = [row for row in self.recall if row.n]
        for place, row in enumerate(rows):
            ends = [[row.estimate - row.low], [row.high - row.estimate]]
            ax.errorbar(row.estimate, place, xerr=ends, fmt="o", color=RIGHT_COLOR, capsize=3)
        labels = [f"{row.name} ({row.n})" for row in rows]
        ax.set_yticks(range(len(rows)), labels=labels)
        ax.set(
            title="right predictions, by size", xlim=(-0.03, 1.03), xlabel="share of the targets"
        )
        ax.set_ylim(max(len(rows), 1) - 0.5, -0.5)


def _error_maps(masks_true: Any, masks_pred: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Average the errors in each cell over the images with a mask, and over axes before h, w."""
    total, n_masks = np.zeros((2, CELLS, CELLS)), 0
    for true, predicted in zip(masks_true, masks_pred, strict=True):
        if true is None:
            continue
        wrong = (true != predicted) & (true != -1)
        both = np.stack([wrong & (predicted > 0), wrong & (true > 0)])
        errors: Any = both.reshape(2, -1, *true.shape[-2:]).any(axis=1)
        for number, error in enumerate(errors):
            total[number] += resize_image((error * 1.0)[..., None], (CELLS, CELLS))[..., 0]
        n_masks += 1
    return total[0] / max(n_masks, 1), total[1] / max(n_masks, 1)
