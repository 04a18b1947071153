"""Embeddings in a plane, which show similar images and errors."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from sklearn.decomposition import PCA

from segclf.base.embedding import embed
from segclf.data import ImagesLike, LabelsLike
from segclf.displays.canvas import new_figure
from segclf.displays.predictions import as_names
from segclf.displays.tiles import REGION_COLORS, UNKNOWN_COLOR, WRONG_COLOR


class EmbeddingDisplay:
    """Images as points in a plane, colored by label; misclassified images are crossed out.

    Create it with `from_estimator` or `from_predictions`.

    Parameters
    ----------
    points : array of shape (n, 2)
        The position of each image.
    y_true, y_pred : array of shape (n,), optional
        True labels, -1 (gray) where unlabeled, and predicted labels.
    class_names : dict, optional
        Names of the classes.
    axis_labels : (str, str)
        Labels of the axes.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes, once drawn.
    figure_ : matplotlib Figure
        The figure, once drawn.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.displays import EmbeddingDisplay
    >>> embeddings = np.random.default_rng(0).normal(size=(8, 5))
    >>> display = EmbeddingDisplay.from_predictions(embeddings, [0, 0, 0, 0, 1, 1, 1, -1])
    >>> display.points.shape, [text.get_text() for text in display.ax_.get_legend().get_texts()]
    ((8, 2), ['0', '1', 'no label'])
    """

    def __init__(
        self,
        points: Any,
        y_true: Any = None,
        y_pred: Any = None,
        *,
        class_names: Mapping[Any, Any] | None = None,
        axis_labels: tuple[str, str] = ("", ""),
    ) -> None:
        self.points = np.asarray(points)
        self.y_true = np.full(len(self.points), -1) if y_true is None else np.asarray(y_true)
        self.y_pred = None if y_pred is None else np.asarray(y_pred)
        self.class_names, self.axis_labels = class_names or {}, axis_labels

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ImagesLike,
        y: LabelsLike | None = None,
        *,
        y_pred: LabelsLike | None = None,
        class_names: Any = None,
        ax: Any = None,
    ) -> Self:
        """Embed the images and draw them.

        Parameters
        ----------
        estimator : fitted estimator
            A transformer, such as a pretrainer; or a segmenter or classifier, whose encoder gives
            the embeddings.
        X : array, list, paths or tensor
            The n images.
        y, y_pred : array of shape (n,), optional
            True labels, -1 where unlabeled, and predicted labels.
        class_names : sequence or dict, optional
            Names of the classes, as a dict or in the order of classes 0, 1, ...
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        EmbeddingDisplay
            Drawn.

        Raises
        ------
        TypeError
            If the estimator does not embed images.
        """
        embeddings = embed(estimator, X)
        return cls.from_predictions(embeddings, y, y_pred, class_names=class_names, ax=ax)

    @classmethod
    def from_predictions(
        cls,
        embeddings: Any,
        y_true: LabelsLike | None = None,
        y_pred: LabelsLike | None = None,
        *,
        class_names: Any = None,
        ax: Any = None,
    ) -> Self:
        """Draw embeddings: two columns unchanged, more as their first two principal components.

        Parameters
        ----------
        embeddings : array of shape (n, d)
            One row for each image.
        y_true, y_pred : array of shape (n,), optional
            True labels, -1 where unlabeled, and predicted labels.
        class_names : sequence or dict, optional
            Names of the classes, as a dict or in the order of classes 0, 1, ...
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        EmbeddingDisplay
            Drawn.
        """
        points, axis_labels = np.asarray(embeddings), ("", "")
        if points.shape[1] > 2:
            pca = PCA(2, random_state=0)
            points = pca.fit_transform(points)
            shares = 100 * pca.explained_variance_ratio_
            axis_labels = (f"first component ({shares[0]:.0f} %)", f"second ({shares[1]:.0f} %)")
        names = as_names(class_names, None)
        return cls(points, y_true, y_pred, class_names=names, axis_labels=axis_labels).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        EmbeddingDisplay
            Itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.ax_ = new_figure(5, 4.4).add_subplot() if ax is None else ax
        self.figure_ = self.ax_.figure
        unknown = self.y_true == -1
        for number, label in enumerate(np.unique(self.y_true[~unknown]).tolist()):
            color = REGION_COLORS[number % len(REGION_COLORS)]
            self._scatter(self.y_true == label, color, str(self.class_names.get(label, label)))
        if unknown.any():
            self._scatter(unknown, UNKNOWN_COLOR, "no label")
        if self.y_pred is not None:
            x, y = self.points[(self.y_true != self.y_pred) & ~unknown].T
            self.ax_.scatter(x, y, marker="x", s=44, color=WRONG_COLOR, label="labeled wrongly")
        self.ax_.set(xlabel=self.axis_labels[0], ylabel=self.axis_labels[1], xticks=[], yticks=[])
        self.ax_.legend(fontsize="small")
        return self

    def _scatter(self, of: Any, color: str, label: str) -> None:
        x, y = self.points[of].T
        self.ax_.scatter(x, y, s=22, color=color, alpha=0.8, linewidth=0, label=label)
