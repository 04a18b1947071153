"""The pixels that a classifier's score depends on, beside the true masks."""

from collections.abc import Callable
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from segclf.axes import is_gray
from segclf.base import NetworkClassifier
from segclf.base.maps import collect_maps
from segclf.base.spatial import refuse_volumes
from segclf.data import ImagesLike, LabelsLike, MasksLike, as_masks
from segclf.displays.canvas import grid_of_axes
from segclf.displays.pictures import as_picture
from segclf.displays.predictions import predict_once, predicted_tiles
from segclf.displays.tiles import Tile, draw_tile, draw_truth
from segclf.networks import grad_cam, input_gradient

TITLES = ("input gradient", "Grad-CAM")
PERCENTILE = 99.5  # this percentile of a map gets the brightest color, since few pixels are above


class SaliencyDisplay:
    """One row for each image: image, input gradient, Grad-CAM, and a predicted mask.

    The true mask is a dashed outline in each. Maps are of the predicted class: the score depends
    on bright places. The outline shows whether these belong to the finding.

    Create it with `from_estimator`.

    Parameters
    ----------
    tiles : list of Tile
        The images.
    gradients, cams : list of array, shape (h, w)
        Input gradient (Simonyan et al., 2014) and Grad-CAM (Selvaraju et al., 2017) of each image.
    beside : list of Tile, optional
        The same images with predicted masks of another model.

    Attributes
    ----------
    axes_ : array of matplotlib Axes, shape (n, 3) or (n, 4)
        The axes, once drawn.
    figure_ : matplotlib Figure
        The figure, once drawn.

    Examples
    --------
    >>> from segclf import ImageClassifier
    >>> from segclf.datasets import make_shapes
    >>> from segclf.displays import SaliencyDisplay
    >>> shapes = make_shapes(8, image_size=32, n_objects=3, random_state=0)
    >>> classifier = ImageClassifier(encoder="tiny", max_epochs=1, random_state=0)
    >>> classifier = classifier.fit(shapes.images, shapes.target)
    >>> display = SaliencyDisplay.from_estimator(classifier, shapes.images, n_images=2)
    >>> display.axes_.shape
    (2, 3)
    """

    def __init__(
        self,
        tiles: list[Tile],
        gradients: list[NDArray[Any]],
        cams: list[NDArray[Any]],
        beside: list[Tile] | None = None,
    ) -> None:
        self.tiles, self.gradients, self.cams, self.beside = tiles, gradients, cams, beside

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ImagesLike,
        y: LabelsLike | None = None,
        *,
        masks: MasksLike | None = None,
        beside: Any = None,
        layer: str | None = None,
        class_names: Any = None,
        n_images: int = 4,
        ax: Any = None,
    ) -> Self:
        """Differentiate the score of the predicted class and draw the maps.

        Parameters
        ----------
        estimator : ImageClassifier or another classifier of one network
            The fitted classifier.
        X : array, list, paths or tensor
            The images.
        y : array of shape (n,) or (n, k), optional
            True labels, -1 where unlabeled.
        masks : array or list, optional
            True masks, None where there is none.
        beside : fitted classifier or segmenter, optional
            An estimator that predicts masks, such as a `SegmentationClassifier`, for comparison.
        layer : str, optional
            The layer of Grad-CAM, as in `segclf.networks.grad_cam`; by default the last one with
            maps.
        class_names : sequence or dict, optional
            Names of the classes, in the order of ``classes_`` or by class.
        n_images : int
            Largest number of images to show.
        ax : matplotlib Axes or Figure, or array of Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        SaliencyDisplay
            Drawn.

        Raises
        ------
        ValueError
            If the estimator does not compute its scores by one network, or reads volumes.
        """
        _require_one_network(estimator, beside)
        chosen = {"class_names": class_names, "n_images": n_images}
        shown = X[:n_images]
        predicted = predict_once(estimator, shown)
        tiles = predicted_tiles(estimator, X, y, masks=masks, predicted=predicted, **chosen)
        given: Any = masks
        truths = as_masks(None if masks is None else given[:n_images], len(tiles))
        said_maps = partial(_said_maps, estimator, shown, predicted.probabilities.argmax(axis=1))
        others = beside
        if beside is not None:
            others = predicted_tiles(beside, X, y, masks=masks, **chosen)
        return cls(
            [tile._replace(true_mask=truths[i]) for i, tile in enumerate(tiles)],
            said_maps(input_gradient),
            said_maps(partial(grad_cam, layer=layer)),
            others,
        ).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or Figure, or array of Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        SaliencyDisplay
            Itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        n_columns = 3 if self.beside is None else 4
        axes = grid_of_axes(ax, n_columns * len(self.tiles), n_columns)
        self.axes_ = axes.reshape(len(self.tiles), n_columns)
        self.figure_ = axes[0].figure
        for row, (row_axes, tile) in enumerate(zip(self.axes_, self.tiles, strict=True)):
            draw_tile(row_axes[0], tile)
            for map_ax, title, maps in zip(
                row_axes[1:], TITLES, (self.gradients, self.cams), strict=False
            ):
                _draw_map(map_ax, tile, maps[row])
                map_ax.set_title(title, fontsize="small")
            if self.beside is not None:
                draw_tile(row_axes[3], self.beside[row])
        return self


def _require_one_network(estimator: Any, beside: Any) -> None:
    """Raise unless the estimator is a classifier with one network, and neither reads volumes."""
    for each in (estimator, beside):
        refuse_volumes(each, "SaliencyDisplay")
    if not isinstance(estimator, NetworkClassifier):
        raise ValueError(
            f"Saliency needs a classifier with one network, such as ImageClassifier; got "
            f"{estimator!r}. Pass an estimator that predicts masks as beside=."
        )


def _said_maps(
    estimator: Any,
    X: Any,
    said: NDArray[np.intp],
    function: Callable[[nn.Module, Tensor], Tensor],
) -> list[NDArray[Any]]:
    """Return the map of the predicted class."""
    maps = collect_maps(*estimator._outputs(X, forward=partial(function, estimator.network_)))
    return [of_classes[k] for of_classes, k in zip(maps, said, strict=True)]


def _draw_map(ax: Any, tile: Tile, values: NDArray[Any]) -> None:
    """Draw the map over the gray image, with opacity that grows with its values."""
    picture = as_picture(tile.image)
    height, width = picture.shape[:2]
    ax.imshow(picture if is_gray(picture) else picture.mean(axis=2), cmap="gray", vmin=0, vmax=1)
    heat = np.clip(values / max(float(np.percentile(values, PERCENTILE)), 1e-30), 0, 1)
    frame = (-0.5, width - 0.5, height - 0.5, -0.5)
    ax.imshow(heat, cmap="inferno", alpha=0.25 + 0.65 * heat, vmin=0, vmax=1, extent=frame)
    if tile.true_mask is not None:
        draw_truth(ax, tile.true_mask)
    ax.set(xticks=[], yticks=[], xlim=frame[:2], ylim=frame[2:])
