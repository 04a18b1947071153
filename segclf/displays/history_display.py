"""The loss over the epochs of training."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from segclf.displays.canvas import new_figure

NOT_TERMS = ("epoch", "learning_rate", "seconds")
PREFIX = "validation_"


class HistoryDisplay:
    """The terms of the loss over the epochs; dashed lines are of held-out images.

    Create it with `from_estimator`.

    Parameters
    ----------
    history : dict of array
        Columns by name, like an estimator's ``history_``.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes, once drawn.
    figure_ : matplotlib Figure
        The figure, once drawn.

    Examples
    --------
    >>> from segclf.displays import HistoryDisplay
    >>> history = {"epoch": [0, 1], "loss": [2.0, 1.0], "validation_loss": [2.0, 1.5]}
    >>> [line.get_label() for line in HistoryDisplay(history).plot().ax_.lines]
    ['loss', 'validation loss']
    """

    def __init__(self, history: Mapping[str, Any]) -> None:
        self.history: dict[str, NDArray[Any]] = {k: np.asarray(v) for k, v in history.items()}

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> Self:
        """Draw the history of a fitted estimator, or of the segmenter inside it.

        Parameters
        ----------
        estimator : fitted estimator
            With ``history_``, or with a ``segmenter_`` that has one.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        HistoryDisplay
            Drawn.

        Raises
        ------
        ValueError
            If the estimator has no history.
        """
        trained = getattr(estimator, "segmenter_", estimator)
        if not hasattr(trained, "history_"):
            raise ValueError(f"{estimator!r} has no history_; expected a fitted segclf estimator.")
        return cls(trained.history_).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        HistoryDisplay
            Itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.ax_ = new_figure(5, 3.5).add_subplot() if ax is None else ax
        self.figure_ = self.ax_.figure
        terms = [name for name in self._terms() if not name.startswith(PREFIX)]
        for number, term in enumerate(terms):
            self._line(term, f"C{number}", "solid")
            self._line(PREFIX + term, f"C{number}", "dashed")
        self.ax_.set(xlabel="epoch", ylabel="loss")
        self.ax_.legend()
        return self

    def _terms(self) -> list[str]:
        """List the columns to draw; without the total if there is only one term."""
        terms = [name for name in self.history if name not in NOT_TERMS]
        parts = [name for name in terms if not name.startswith(PREFIX) and name != "loss"]
        return [name for name in terms if not name.endswith("loss")] if len(parts) == 1 else terms

    def _line(self, name: str, color: str, style: str) -> None:
        if name in self.history:
            epochs = np.arange(1, len(self.history[name]) + 1)
            label = name.replace("_", " ")
            self.ax_.plot(epochs, self.history[name], color=color, linestyle=style, label=label)
