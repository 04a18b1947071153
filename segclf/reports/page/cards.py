"""One image of the gallery: its picture, outlines over it, and what was said of it."""

from html import escape
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segclf.displays.tiles import REGION_COLORS, RIGHT_MARK, WRONG_MARK
from segclf.reports.page.mask_facts import MaskFacts
from segclf.reports.page.outlines import canvas

KINDS = {
    "fp": "False positive",
    "fn": "False negative",
    "confused": "Wrong class",
    "right": "Right",
    "unknown": "No label",
}


class Card(NamedTuple):
    """What a card shows.

    Attributes
    ----------
    name : str
    picture : str
        Data URI.
    size : (int, int)
        Height and width of the image that the outlines belong to.
    kind : str
        One of `KINDS`.
    sure : float
        Probability of what was said.
    said, truth, probabilities : array of shape (k,)
    masks : MaskFacts
    """

    name: str
    picture: str
    size: tuple[int, int]
    kind: str
    sure: float
    said: NDArray[Any]
    truth: NDArray[Any]
    probabilities: NDArray[Any]
    masks: MaskFacts


def card(shown: Card, labels: list[str]) -> str:
    """Return the card as HTML; all text that users gave is escaped."""
    said, truth = _names(shown.said, labels), _names(shown.truth, labels)
    mark = {"right": f"{RIGHT_MARK} ", "unknown": ""}.get(shown.kind, f"{WRONG_MARK} ")
    wrong = shown.kind not in ("right", "unknown")
    alternative = f"{shown.name}: {KINDS[shown.kind].lower()}, predicted {said}"
    alternative += f", truth {truth}" if truth else ""
    probabilities = " ".join(f"{value:.3f}" for value in shown.probabilities)
    return (
        f'<li class="card {shown.kind}" data-kind="{shown.kind}" data-sure="{shown.sure:.4f}" '
        f'data-said="{_numbers(shown.said)}" data-truth="{_numbers(shown.truth)}" '
        f'data-probabilities="{probabilities}" data-name="{escape(shown.name)}">'
        '<button type="button">'
        f'<span class="picture"><img alt="{escape(alternative)}" src="{shown.picture}">'
        f"{_overlay(shown)}</span>"
        f'<span class="caption"><b>{mark}{escape(said)}</b> <i>{100 * shown.sure:.0f}&thinsp;%</i>'
        + (f"<small>truth: {escape(truth)}</small>" if wrong else "")
        + "</span></button></li>\n"
    )


def _overlay(shown: Card) -> str:
    height, width, cell = canvas(*shown.size)
    said = "".join(
        f'<path class="r{(k - 1) % len(REGION_COLORS)}" d="{d}"/>'
        for k, d in shown.masks.said.items()
    )
    true = "".join(f'<path d="{d}"/><path d="{d}"/>' for d in shown.masks.true.values())
    if not said + true:
        return ""
    return (
        f'<svg viewBox="-.5 -.5 {width * cell} {height * cell}" aria-hidden="true">'
        f'<g class="said">{said}</g><g class="true">{true}</g></svg>'
    )


def _names(indicator: NDArray[Any], labels: list[str]) -> str:
    if (indicator == -1).all():
        return ""
    return ", ".join(labels[k] for k in np.flatnonzero(indicator == 1)) or "none"


def _numbers(indicator: NDArray[Any]) -> str:
    return " ".join(str(k) for k in np.flatnonzero(indicator == 1))
