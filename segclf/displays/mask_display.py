"""Images with predictions: masks as overlays, labels, and whether they are right."""

from typing import Any, Self

from segclf.data import ImagesLike, LabelsLike, MasksLike
from segclf.displays.canvas import grid_of_axes
from segclf.displays.predictions import make_tiles, predicted_tiles
from segclf.displays.tiles import Tile, draw_tile


class MaskDisplay:
    r"""Images in a grid, with masks, labels, and a mark for right or wrong labels.

    Predicted masks are filled; true masks are dashed outlines. A green frame with a tick means
    that the label is right. An orange frame with a cross means that it is wrong, and the caption
    adds the true label. Unlabeled images have no mark.

    Create it with `from_estimator` or `from_predictions`.

    Parameters
    ----------
    tiles : list of Tile
        The images to draw.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure, once drawn.
    axes_ : array of matplotlib Axes, shape (n,)
        The axes of the images, once drawn.

    See Also
    --------
    ComparisonDisplay : Predictions of several models for the same images.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.displays import MaskDisplay
    >>> images = np.zeros((2, 16, 16, 3), dtype=np.uint8)
    >>> display = MaskDisplay.from_predictions(images, [1, 1], y_true=[1, 0])
    >>> [axes.get_title() for axes in display.axes_]
    ['✓ 1', '✗ 1\ntruth: 0']
    """

    def __init__(self, tiles: list[Tile]) -> None:
        self.tiles = tiles

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ImagesLike,
        y: LabelsLike | None = None,
        *,
        masks: MasksLike | None = None,
        class_names: Any = None,
        n_images: int = 12,
        n_slices: int = 1,
        n_columns: int = 6,
        ax: Any = None,
    ) -> Self:
        """Predict the first images and draw them.

        Parameters
        ----------
        estimator : fitted classifier or segmenter
            Masks come from ``predict_masks`` if it exists, otherwise from ``predict`` of a
            segmenter. Labels come from ``predict`` and ``predict_proba`` of a classifier.
        X : array, list, paths or tensor
            The images.
        y : array of shape (n,) or (n, k), optional
            True labels, -1 where unlabeled.
        masks : array or list, optional
            True masks, None for an image without one.
        class_names : sequence or dict, optional
            Names of the classes, in the order of ``classes_`` or by class.
        n_images : int
            Largest number of images to show; only these are predicted.
        n_slices : int
            Largest number of slices of each volume to show side by side: the one with the largest
            finding, others with a finding, and some between. Not used for images.
        n_columns : int
            Number of images in a row.
        ax : matplotlib Axes or Figure, or array of Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        MaskDisplay
            Drawn.
        """
        tiles = predicted_tiles(
            estimator,
            X,
            y,
            masks=masks,
            class_names=class_names,
            n_images=n_images,
            n_slices=n_slices,
        )
        return cls(tiles).plot(ax=ax, n_columns=n_columns)

    @classmethod
    def from_predictions(
        cls,
        X: ImagesLike,
        y_pred: LabelsLike | None = None,
        *,
        y_true: LabelsLike | None = None,
        probabilities: Any = None,
        masks: MasksLike | None = None,
        true_masks: MasksLike | None = None,
        class_names: Any = None,
        volumes: bool = False,
        n_slices: int = 1,
        n_columns: int = 6,
        ax: Any = None,
    ) -> Self:
        """Draw all images with given predictions.

        Parameters
        ----------
        X : array, list, paths or tensor
            The n images.
        y_pred, y_true : array of shape (n,) or (n, k), optional
            Predicted and true labels, or multi-label indicators; -1 where unlabeled.
        probabilities : array of shape (n,), optional
            Probability of each predicted label.
        masks, true_masks : array (n, h, w) or (n, k, h, w), or list, optional
            Predicted and true masks, at the size of the images.
        class_names : sequence or dict, optional
            Names of the classes, as a dict or in the order of classes 0, 1, ...
        volumes : bool
            Whether X holds volumes and masks are (n, d, h, w). For each volume the slice with the
            largest predicted finding is shown, as in `from_estimator`.
        n_slices : int
            Largest number of slices of each volume, as in `from_estimator`.
        n_columns : int
            Number of images in a row.
        ax : matplotlib Axes or Figure, or array of Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        MaskDisplay
            Drawn.
        """
        tiles = make_tiles(
            X,
            y_pred,
            y_true=y_true,
            probabilities=probabilities,
            masks=masks,
            true_masks=true_masks,
            class_names=class_names,
            slices={"n_slices": n_slices} if volumes else None,
        )
        return cls(tiles).plot(ax=ax, n_columns=n_columns)

    def plot(self, *, ax: Any = None, n_columns: int = 6) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or Figure, or array of Axes, optional
            Where to draw: an axes is divided into a grid, a figure is filled, and an array gives
            one axes to each image. A new figure by default.
        n_columns : int
            Number of images in a row.

        Returns
        -------
        MaskDisplay
            Itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        axes = grid_of_axes(ax, len(self.tiles), n_columns)
        for tile, tile_ax in zip(self.tiles, axes, strict=True):
            draw_tile(tile_ax, tile)
        self.figure_, self.axes_ = axes[0].figure, axes
        return self
