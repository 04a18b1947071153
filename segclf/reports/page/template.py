"""The page around the cards: header, scores and filters, written to a file."""

import datetime
import math
import pathlib
import platform
import re
from collections.abc import Iterator
from html import escape
from importlib import resources
from importlib.metadata import version
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

import segclf
from segclf.axes import N_SPATIAL
from segclf.data import atomic_write
from segclf.displays.tiles import REGION_COLORS
from segclf.metrics.subgroups import Subgroup
from segclf.reports.page.answers import Answers
from segclf.reports.page.cards import KINDS
from segclf.reports.page.numbers import MEANINGS, Numbers

OF_IMAGES = {"thing": "image", "Thing": "Image", "slider": "", "walk": "", "keys": ""}
OF_VOLUMES = {
    "thing": "volume",
    "Thing": "Volume",
    "slider": '<label class="slider">Slice <input type="range" name="at" min="0" step="1"> '
    "<output></output></label>",
    "walk": "<kbd>↑</kbd> <kbd>↓</kbd> slices · <kbd>M</kbd> all · ",
    "keys": "<kbd>,</kbd> and <kbd>.</kbd> go through the slices, <kbd>M</kbd> shows all of them.",
}


class Header(NamedTuple):
    """The header: values from the user or from the estimator."""

    title: str
    description: str
    model: str
    date: datetime.date
    n_groups: int | None


def write_page(
    path: pathlib.Path,
    header: Header,
    answers: Answers,
    numbers: Numbers,
    labels: list[str],
    cards: Iterator[str],
    n_images: int,
) -> pathlib.Path:
    """Write the file card by card; inserted text is never searched for placeholders."""
    parts = {
        "title": escape(header.title),
        "head": _head(header, answers, numbers, n_images),
        "colors": _colors(),
        "style": _file("report.css"),
        "script": _file("report.js"),
        "numbers": _numbers(numbers, answers),
        "kinds": _kinds(answers, n_images),
        "classes": _classes(labels),
        "legend": _legend(answers, labels),
    }
    parts |= OF_IMAGES if answers.n_spatial == N_SPATIAL else OF_VOLUMES
    above, below = (
        re.sub(r"{{(\w+)}}", lambda found: parts[found[1]], half)
        for half in _file("report.html").split("{{cards}}")
    )
    atomic_write(path, (text.encode() for text in chain([above], cards, [below])))
    return path


def _file(name: str) -> str:
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


def _colors() -> str:
    return "".join(f"--r{k}:{color};" for k, color in enumerate(REGION_COLORS))


def _head(header: Header, answers: Answers, numbers: Numbers, n_images: int) -> str:
    n, n_masks = len(answers.masks), sum(bool(facts.true) for facts in answers.masks)
    facts = [f"{n:,} {_of_kind('images', answers)}"]
    facts += [f"{header.n_groups:,} groups"] if header.n_groups else []
    facts += [f"{n_masks:,} with an annotated target"] if n_masks else []
    facts += [f"{n_images:,} shown, the worst first"] if n_images < n else []
    packages = ", ".join(f"{name} {version(name)}" for name in ("scikit-learn", "torch", "numpy"))
    names = [score.name for score in (*numbers.scores, *numbers.distances)]
    names += ["found"] if numbers.sizes else []
    meanings = "".join(
        f"<dt>{name}</dt><dd>{_of_kind(MEANINGS[name], answers)}</dd>" for name in names
    )
    return (
        f"<h1>{escape(header.title)}</h1>"
        + (f"<p>{escape(header.description)}</p>" if header.description else "")
        + f'<p class="facts">{" · ".join(facts)} · <time>{header.date.isoformat()}</time></p>'
        f"<details><summary>Model, versions, meanings</summary><pre>{escape(header.model)}</pre>"
        f"<p>segclf {segclf.__version__}, {packages}, Python {platform.python_version()}</p>"
        f"<dl>{meanings}</dl></details>"
    )


def _of_kind(text: str, answers: Answers) -> str:
    """Replace "image" by "volume" in a text about volumes."""
    if answers.n_spatial == N_SPATIAL:
        return text
    return text.replace("image", "volume").replace("pixel", "voxel")


def _numbers(numbers: Numbers, answers: Answers) -> str:
    rows = [_row(score.name, score.estimate, score.low, score.high) for score in numbers.scores]
    panels = [_panel("Scores", "with 95 % intervals", _table(rows[::2]) + _table(rows[1::2]))]
    if numbers.distances:
        panels.append(_distances(numbers, answers))
    if numbers.sizes:
        rows = [
            _row(size.name, size.estimate, size.low, size.high, f"n = {size.n}")
            for size in numbers.sizes
        ]
        note = "" if answers.in_mm else _of_kind("in % of the image", answers)
        panels.append(_panel("Found, by size of the target", note, _table(rows)))
        places = f'<ol class="places">{"".join(map(_cell, numbers.regions))}</ol>'
        where = "in the image" if answers.n_spatial == N_SPATIAL else "in the slice"
        panels.append(_panel("Found, by place", where, places))
    return "".join(panels)


def _distances(numbers: Numbers, answers: Answers) -> str:
    """Show distances between surfaces on one scale; missed findings have none."""
    measured = sum(not np.isnan(facts.distances).all() for facts in answers.masks)
    top = max(np.nanmax([score.estimate, score.high]) for score in numbers.distances)
    rows = [
        _row(score.name, score.estimate, score.low, score.high, top=max(top, 1e-9))
        for score in numbers.distances
    ]
    note = f"in mm, where both masks show a finding, n = {measured}"
    return _panel("From outline to outline", note, _table(rows))


def _panel(title: str, note: str, content: str) -> str:
    return (
        f'<section class="panel"><h2>{title} <small>{note}</small></h2>'
        f'<div class="content">{content}</div></section>'
    )


def _table(rows: list[str]) -> str:
    return f"<table>{''.join(rows)}</table>"


def _row(
    name: str, estimate: float, low: float, high: float, note: str = "", top: float = 1.0
) -> str:
    if math.isnan(estimate):
        return ""
    low, high = (estimate if math.isnan(end) else end for end in (low, high))
    return (
        f'<tr><th scope="row">{escape(name)} <small>{note}</small></th>'
        f'<td class="bar"><i style="left:{100 * low / top:.1f}%;'
        f'right:{100 - 100 * high / top:.1f}%"></i>'
        f'<b style="left:{100 * estimate / top:.1f}%"></b></td>'
        f'<td>{estimate:.2f}</td><td class="interval">{low:.2f}–{high:.2f}</td></tr>'
    )


def _cell(place: Subgroup) -> str:
    if not place.n:
        return f'<li class="none"><span class="unseen">{place.name}: none</span></li>'
    return (
        f'<li style="--share:{place.estimate:.2f}" title="{place.name}: {place.estimate:.2f} '
        f'({place.low:.2f} to {place.high:.2f})"><span class="unseen">{place.name}: </span>'
        f"<b>{place.estimate:.2f}</b> <small>of {place.n}</small></li>"
    )


def _kinds(answers: Answers, n_images: int) -> str:
    kinds = answers.kinds[answers.order[:n_images]].tolist()
    counts: dict[str, tuple[str, int]] = {"all": ("All", len(kinds))}
    n_errors = sum(kind not in ("right", "unknown") for kind in kinds)
    counts["errors"] = "Errors", n_errors
    for kind, name in KINDS.items():
        counts[kind] = name, kinds.count(kind)
    return "".join(
        f'<label><input type="radio" name="show" value="{kind}"{" checked" * (kind == "all")}>'
        f"<span>{name} <b>{count}</b></span></label>"
        for kind, (name, count) in counts.items()
        if count or kind in ("all", "errors")
    )


def _classes(labels: list[str]) -> str:
    return "".join(f'<option value="{k}">{escape(name)}</option>' for k, name in enumerate(labels))


def _legend(answers: Answers, labels: list[str]) -> str:
    """Return the legend of the outlines, if any."""
    shown: dict[str, Any] = {"said": set(), "true": set()}
    for facts in answers.masks:
        shown["said"].update(facts.said)
        shown["true"].update(facts.true)
    first = len(labels) - answers.masks[0].counts.shape[1]
    swatches = "".join(
        f'<i class="swatch r{(k - 1) % len(REGION_COLORS)}"></i>{escape(labels[first + k - 1])} '
        for k in sorted(shown["said"])
    )
    toggles = []
    if shown["said"]:
        toggles.append(f"{_toggle('said', 'P', 'redicted mask')} <span>{swatches}</span>")
    if shown["true"]:
        toggles.append(f'{_toggle("true", "T", "rue mask")} <i class="swatch dashed"></i>')
    if answers.n_spatial != N_SPATIAL:
        toggles.append(_toggle("montage", "M", "ontage", checked=False))
    return "".join(f"<span>{toggle}</span>" for toggle in toggles)


def _toggle(name: str, key: str, rest: str, *, checked: bool = True) -> str:
    return (
        f'<label><input type="checkbox" name="{name}"{" checked" * checked}> '
        f"<span><u>{key}</u>{rest}</span>"
        "</label>"
    )
