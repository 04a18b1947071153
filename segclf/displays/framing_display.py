"""The value of masks and of labels alone, by their cost."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from segclf.displays.canvas import new_figure


class FramingDisplay:
    """Learning curves of two framings over their cost; bands are the standard error of the folds.

    Create it with `from_report`.

    Parameters
    ----------
    curves : dict of (cost, auroc)
        Curves by title, as arrays of shape (n_sizes, n_folds).

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes, once drawn.
    figure_ : matplotlib Figure
        The figure, once drawn.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.displays import FramingDisplay
    >>> cost, auroc = np.array([[10.0, 10.0], [20.0, 21.0]]), np.array([[0.6, 0.7], [0.8, 0.9]])
    >>> display = FramingDisplay({"labels": (cost, auroc)}).plot()
    >>> display.ax_.lines[0].get_ydata().round(2).tolist()
    [0.65, 0.85]
    """

    def __init__(self, curves: Mapping[str, tuple[NDArray[Any], NDArray[Any]]]) -> None:
        self.curves = dict(curves)

    @classmethod
    def from_report(cls, report: Any, *, ax: Any = None) -> Self:
        """Draw the curves of a framing report.

        Parameters
        ----------
        report : FramingReport
            From `segclf.framing_report`.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        FramingDisplay
            Drawn.
        """
        masks = [c for c in (report.affordable, report.segmentation) if c is not None]
        curves = {
            "labels alone": (report.classification.cost, report.classification.auroc),
            "with masks": tuple(
                np.concatenate([getattr(c, name) for c in masks]) for name in ("cost", "auroc")
            ),
        }
        return cls(curves).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        FramingDisplay
            Itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.ax_ = new_figure(5, 3.5).add_subplot() if ax is None else ax
        self.figure_ = self.ax_.figure
        for title, (cost, auroc) in self.curves.items():
            order = np.argsort(cost.mean(axis=1))
            x, scores = cost.mean(axis=1)[order], auroc[order]
            middle = scores.mean(axis=1)
            error = scores.std(axis=1) / np.sqrt(scores.shape[1])
            (line,) = self.ax_.plot(x, middle, marker="o", label=title)
            band = {"color": line.get_color(), "alpha": 0.2, "linewidth": 0}
            self.ax_.fill_between(x, middle - error, middle + error, **band)
        self.ax_.set(xscale="log", xlabel="cost of labels and masks", ylabel="AUROC")
        self.ax_.xaxis.set_major_formatter("{x:g}")
        self.ax_.xaxis.get_minor_locator().set_params(subs=(2, 5))
        self.ax_.xaxis.set_minor_formatter("{x:g}")
        self.ax_.legend()
        return self
