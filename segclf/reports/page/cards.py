"""One image of the gallery: its picture, outlines and predicted label."""

from html import escape
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segclf.displays.tiles import REGION_COLORS, RIGHT_MARK, WRONG_MARK
from segclf.reports.page.budget import Budget
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
    """The content of a card.

    Attributes
    ----------
    name : str
    picture : str
        Data URI.
    size : (int, int)
        Height and width of the image, or of the slices side by side, in the units of the outlines.
    kind : str
        One of `KINDS`.
    sure : float
        Probability of the prediction.
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


def card(shown: Card, labels: list[str], budget: Budget) -> str:
    """Return the card as HTML, with all text from users escaped."""
    said, truth = _names(shown.said, labels), _names(shown.truth, labels)
    mark = {"right": f"{RIGHT_MARK} ", "unknown": ""}.get(shown.kind, f"{WRONG_MARK} ")
    wrong = shown.kind not in ("right", "unknown")
    alternative = f"{shown.name}: {KINDS[shown.kind].lower()}, predicted {said}"
    alternative += f", truth {truth}" if truth else ""
    probabilities = " ".join(f"{value:.3f}" for value in shown.probabilities)
    return (
        f'<li class="card {shown.kind}" data-kind="{shown.kind}" data-sure="{shown.sure:.4f}" '
        f'data-said="{_numbers(shown.said)}" data-truth="{_numbers(shown.truth)}" '
        f'data-probabilities="{probabilities}" data-name="{escape(shown.name)}"{_places(shown)}>'
        '<button type="button">'
        f'<span class="picture">{_picture(shown, alternative, budget)}</span>'
        f'<span class="caption"><b>{mark}{escape(said)}</b> <i>{100 * shown.sure:.0f}&thinsp;%</i>'
        + (f"<small>truth: {escape(truth)}</small>" if wrong else "")
        + _facts(shown.masks)
        + "</span></button></li>\n"
    )


def _picture(shown: Card, alternative: str, budget: Budget) -> str:
    """Return the picture with its outlines; for a volume, one drawing that is shown in parts."""
    height, width, cell = canvas(*shown.size, budget.longest_side)
    height, width, outlines = height * cell, width * cell, _outlines(shown.masks)
    box = f'viewBox="-.5 -.5 {width} {height}"'
    if shown.masks.montage is None:
        overlay = f'<svg {box} aria-hidden="true">{outlines}</svg>' if outlines else ""
        return f'<img alt="{escape(alternative)}" src="{shown.picture}">{overlay}'
    return (
        f'<svg class="slices" role="img" aria-label="{escape(alternative)}" '
        f'viewBox="0 0 {width} {height}"><svg width="{width}" height="{height}" {box}>'
        f'<image x="-.5" y="-.5" width="{width}" height="{height}" preserveAspectRatio="none" '
        f'href="{shown.picture}"/>{outlines}</svg></svg>'
    )


def _outlines(masks: MaskFacts) -> str:
    said = "".join(
        f'<path class="r{(k - 1) % len(REGION_COLORS)}" d="{d}"/>' for k, d in masks.said.items()
    )
    true = "".join(f'<path d="{d}"/><path d="{d}"/>' for d in masks.true.values())
    return f'<g class="said">{said}</g><g class="true">{true}</g>' if said + true else ""


def _places(shown: Card) -> str:
    """Return attributes that locate the slices of a volume in its picture."""
    montage = shown.masks.montage
    if montage is None:
        return ""
    return (
        f' data-columns="{montage.n_columns}" data-rows="{montage.n_rows}" '
        f'data-slices="{" ".join(map(str, montage.numbers.tolist()))}" '
        f'data-depth="{montage.depth}" data-at="{montage.largest}"'
    )


def _facts(masks: MaskFacts) -> str:
    """Describe the slices, and sizes and distances in millimeters if known."""
    montage, facts = masks.montage, []
    if montage is not None:
        count = len(montage.numbers)
        facts.append(f'<small class="at">{count} of {montage.depth} slices</small>')
    sizes = [
        f"{name} {size:,.0f}"
        for name, size in zip(("predicted", "annotated"), masks.sizes, strict=True)
        if size
    ]
    distances = [
        f"outlines {average:.1f} mm apart, 95 % within {most:.1f} mm"
        for average, most in masks.distances.T
        if not np.isnan(average)
    ]
    unit = "mm²" if montage is None else "mm³"
    facts += [f"<small>{', '.join(sizes)} {unit}</small>"] if sizes else []
    facts += [f"<small>{text}</small>" for text in distances]
    return "".join(facts)


def _names(indicator: NDArray[Any], labels: list[str]) -> str:
    if (indicator == -1).all():
        return ""
    return ", ".join(labels[k] for k in np.flatnonzero(indicator == 1)) or "none"


def _numbers(indicator: NDArray[Any]) -> str:
    return " ".join(str(k) for k in np.flatnonzero(indicator == 1))
