"""How masks become labels: the area of each predicted mask against its score."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from segclf.base.negative_class import negative_class_of
from segclf.data import ImagesLike, LabelsLike
from segclf.data.label_codes import as_positions
from segclf.displays.canvas import new_figure
from segclf.displays.predictions import predict_once
from segclf.displays.tiles import RIGHT_COLOR, WRONG_COLOR

SMALLEST_PERCENT = 0.01


class SummarizerDisplay:
    """Predicted masks as points: their area against the score from the summarizer.

    Images above the line are predicted positive. Filled points are positive images, open points
    are negative ones, and errors are orange. A summarizer that uses only the area separates the
    points at one area.

    Create it with `from_estimator` or `from_predictions`.

    Parameters
    ----------
    areas, scores : array of shape (n,)
        Share of each image that its predicted mask covers, and the probability of a finding.
    y_true : array of shape (n,) of bool
        Whether the image shows a finding.
    decision : float
        The score at or above which an image is positive.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes, once drawn.
    figure_ : matplotlib Figure
        The figure, once drawn.

    Examples
    --------
    >>> from segclf.displays import SummarizerDisplay
    >>> display = SummarizerDisplay.from_predictions([0.0, 0.2], [0.1, 0.9], [0, 1])
    >>> [text.get_text() for text in display.ax_.get_legend().get_texts()]
    ['finding', 'no finding']
    """

    def __init__(self, areas: Any, scores: Any, y_true: Any, *, decision: float = 0.5) -> None:
        self.areas, self.scores = np.asarray(areas, float), np.asarray(scores, float)
        self.y_true = np.asarray(y_true).astype(bool)
        self.decision = decision

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: ImagesLike, y: LabelsLike, *, ax: Any = None
    ) -> Self:
        """Predict masks and scores and draw them.

        Parameters
        ----------
        estimator : fitted classifier
            With ``predict_masks`` and ``predict_proba``. The negative class is its
            ``negative_class_`` if any, otherwise its first class.
        X : array, list, paths or tensor
            The n images.
        y : array of shape (n,)
            True labels; images of -1 (unlabeled) are left out.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        SummarizerDisplay
            Drawn.
        """
        positions = as_positions(y, estimator.classes_, unseen=-2)
        negative = estimator.classes_.tolist().index(negative_class_of(estimator))
        labeled = np.flatnonzero(positions != -1)
        predicted = predict_once(estimator, X)
        areas = np.array([_area(mask) for mask in predicted.masks])
        scores = 1 - predicted.probabilities[:, negative]
        there = positions[labeled] != negative
        return cls.from_predictions(areas[labeled], scores[labeled], there, ax=ax)

    @classmethod
    def from_predictions(
        cls, areas: Any, scores: Any, y_true: LabelsLike, *, decision: float = 0.5, ax: Any = None
    ) -> Self:
        """Draw areas and scores.

        Parameters
        ----------
        areas, scores : array of shape (n,)
            Share of each image that its predicted mask covers, and the probability of a finding.
        y_true : array of shape (n,)
            1 for an image with a finding, 0 without.
        decision : float
            The score at or above which an image is positive.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        SummarizerDisplay
            Drawn.
        """
        return cls(areas, scores, y_true, decision=decision).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        SummarizerDisplay
            Itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.ax_ = new_figure(5, 4).add_subplot() if ax is None else ax
        self.figure_ = self.ax_.figure
        right = (self.scores >= self.decision) == self.y_true
        colors = np.where(right, RIGHT_COLOR, WRONG_COLOR)
        for there in (True, False):
            of = self.y_true == there
            self.ax_.scatter(
                100 * self.areas[of],
                self.scores[of],
                s=26,
                facecolors=colors[of] if there else "none",
                edgecolors=colors[of],
                alpha=0.8,
            )
        self._explain(has_errors=not right.all())
        self.ax_.axhline(self.decision, color="0.5", linewidth=1, linestyle="dashed")
        self.ax_.set_xscale("symlog", linthresh=SMALLEST_PERCENT)
        self.ax_.set(xlabel="area of the predicted mask (% of the image)", ylim=(-0.03, 1.03))
        self.ax_.set(ylabel="probability of a finding", xlim=(-SMALLEST_PERCENT / 5, None))
        return self

    def _explain(self, *, has_errors: bool) -> None:
        """Add a legend with separate marks, since the first point of a kind may be an error."""
        marks = [("finding", RIGHT_COLOR, RIGHT_COLOR), ("no finding", "none", RIGHT_COLOR)]
        marks += [("called wrongly", WRONG_COLOR, WRONG_COLOR)] * has_errors
        for label, face, edge in marks:
            self.ax_.scatter([], [], s=26, facecolors=face, edgecolors=edge, label=label)
        self.ax_.legend()


def _area(mask: NDArray[Any]) -> float:
    """Share of the pixels of a mask (h, w) or (k, h, w) that any class covers."""
    return float((mask.reshape(-1, *mask.shape[-2:]) > 0).any(axis=0).mean())
