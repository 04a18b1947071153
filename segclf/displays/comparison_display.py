"""Predictions of several models for the same images, one row for each model."""

from collections.abc import Mapping
from typing import Any, Self

from segclf.data import ImagesLike, LabelsLike, MasksLike
from segclf.displays.canvas import INCHES_PER_TILE, new_figure
from segclf.displays.mask_display import MaskDisplay
from segclf.displays.predictions import predicted_tiles

INCHES_OF_TEXT = 0.9
LEGEND = "filled: predicted mask, dashed: true mask, ✓ / ✗: label right or wrong"


class ComparisonDisplay:
    """Predictions of several models for the same images, one `MaskDisplay` below the other.

    Create it with `from_estimators`.

    Parameters
    ----------
    displays : dict of MaskDisplay
        The rows, by title.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure, once drawn.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.dummy import DummyClassifier
    >>> from segclf.displays import ComparisonDisplay
    >>> X, y = np.zeros((4, 16, 16)), [0, 0, 0, 1]
    >>> models = {name: DummyClassifier(strategy=name).fit(X, y) for name in ("prior", "uniform")}
    >>> display = ComparisonDisplay.from_estimators(models, X, y)
    >>> list(display.displays)
    ['prior', 'uniform']
    """

    def __init__(self, displays: Mapping[str, MaskDisplay]) -> None:
        self.displays = dict(displays)

    @classmethod
    def from_estimators(
        cls,
        estimators: Mapping[str, Any],
        X: ImagesLike,
        y: LabelsLike | None = None,
        *,
        masks: MasksLike | None = None,
        class_names: Any = None,
        n_images: int = 6,
        figure: Any = None,
    ) -> Self:
        """Predict the first images with each estimator and draw them.

        Parameters
        ----------
        estimators : dict of fitted classifiers or segmenters
            The models, by title.
        X : array, list, paths or tensor
            The images.
        y : array of shape (n,) or (n, k), optional
            True labels, -1 where unlabeled.
        masks : array or list, optional
            True masks, None for an image without one; shown for models that segment.
        class_names : sequence or dict, optional
            Names of the classes, in the order of ``classes_`` or by class.
        n_images : int
            Largest number of images to show; only these are predicted.
        figure : matplotlib Figure, optional
            Where to draw; a new one by default.

        Returns
        -------
        ComparisonDisplay
            Drawn.
        """
        displays = {
            title: MaskDisplay(
                predicted_tiles(
                    estimator, X, y, masks=masks, class_names=class_names, n_images=n_images
                )
            )
            for title, estimator in estimators.items()
        }
        return cls(displays).plot(figure=figure)

    def plot(self, *, figure: Any = None) -> Self:
        """Draw each display as a row.

        Parameters
        ----------
        figure : matplotlib Figure, optional
            Where to draw; a new one by default.

        Returns
        -------
        ComparisonDisplay
            Itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        n_columns = max(len(display.tiles) for display in self.displays.values())
        if figure is None:
            height = (INCHES_PER_TILE + INCHES_OF_TEXT) * len(self.displays)
            figure = new_figure(INCHES_PER_TILE * n_columns, height)
        parts = figure.subfigures(len(self.displays), 1, squeeze=False).ravel()
        for part, (title, display) in zip(parts, self.displays.items(), strict=True):
            part.suptitle(title, x=0.01, ha="left", fontsize="medium", fontweight="bold")
            display.plot(ax=part, n_columns=n_columns)
        parts[-1].supxlabel(LEGEND, fontsize="small")
        self.figure_ = figure
        return self
