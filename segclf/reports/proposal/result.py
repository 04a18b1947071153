"""The result of a proposal, with reasons."""

from dataclasses import dataclass
from html import escape
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Reason(NamedTuple):
    """A parameter or a fact about the data, its value, and the reason for it.

    Attributes
    ----------
    parameter : str
        Name of the parameter.
    value : object
        Its value in the proposal.
    because : str
        Why it has this value.
    """

    parameter: str
    value: Any
    because: str


@dataclass(frozen=True, eq=False)
class EncoderTrial:
    """The cross-validated scores of a proposal with one encoder.

    Parameters
    ----------
    encoder : str
        Its name.
    encoder_weights : str, path or None
        Its weights.
    operations : float
        Floating-point operations of the encoder per pixel of an image.
    auroc : array of shape (n_folds,)
        AUROC of the labels, mean over the classes.
    iou : array of shape (n_folds,)
        IoU of the masks, mean over the foreground classes; NaN without masks.
    """

    encoder: str
    encoder_weights: str | PathLike[str] | None
    operations: float
    auroc: NDArray[np.float64]
    iou: NDArray[np.float64]


@dataclass(frozen=True)
class Proposal:
    """The result of `propose`; ``print`` it to read the reasons.

    Parameters
    ----------
    estimator : SegmentationClassifier or ImageClassifier
        Unfitted, without any "auto" parameter.
    reasons : list of Reason
        Facts about the data first, then the chosen parameters.
    trials : list of EncoderTrial
        The compared encoders, the cheapest first.
    """

    estimator: Any
    reasons: list[Reason]
    trials: list[EncoderTrial]

    def __str__(self) -> str:
        """Return both tables as lines of text."""
        return "\n\n".join(map(_as_text, self._tables()))

    def _repr_html_(self) -> str:
        """Return both tables for notebooks."""
        return "".join(map(_as_html, self._tables()))

    def _tables(self) -> list[list[list[str]]]:
        tables = [
            [["parameter", "value", "because"], *(_cells(reason) for reason in self.reasons)],
            [
                ["encoder", "weights", "operations", "AUROC", "IoU"],
                *(_cells_of_trial(trial) for trial in self.trials),
            ],
        ]
        return [table for table in tables if len(table) > 1]


def in_words(scores: NDArray[np.float64]) -> str:
    """Write the mean over folds, with its standard error if there are several."""
    scores = scores[~np.isnan(scores)]
    if not len(scores):
        return "–"
    if len(scores) == 1:
        return f"{scores[0]:.3f}"
    return f"{scores.mean():.3f} ± {scores.std(ddof=1) / np.sqrt(len(scores)):.3f}"


def _cells(reason: Reason) -> list[str]:
    return [reason.parameter, str(reason.value), reason.because]


def _cells_of_trial(trial: EncoderTrial) -> list[str]:
    scores = [in_words(trial.auroc), in_words(trial.iou)]
    return [trial.encoder, str(trial.encoder_weights), f"{trial.operations:.0f}", *scores]


def _as_text(table: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in table
    )
    return "\n".join(line.rstrip() for line in lines)


def _as_html(table: list[list[str]]) -> str:
    rows = [
        "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row) + "</tr>"
        for tag, row in zip(["th", *["td"] * len(table)], table, strict=False)
    ]
    return f"<table>{''.join(rows)}</table>"
