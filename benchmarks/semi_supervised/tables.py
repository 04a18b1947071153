"""The report of ``benchmarks.semi_supervised``, as Markdown."""

import json
from typing import Any

import numpy as np

from benchmarks.semi_supervised.runs import MASKS, SHARED
from benchmarks.shared.markdown import NONE, line, mean_and_spread, ordered, rule

Row = dict[str, Any]
PARAMETER = {"distilled": "temperature {}"}  # of others it is the probability of an expert's mask


def make_report(
    rows: list[Row], settings: dict[str, Any], machine: str, *, sweep: tuple[str, float]
) -> str:
    """Return all tables, and what they were made with."""
    seconds = sum(row["seconds"] for row in rows)
    trained = [row for row in rows if row["task"][2] not in SHARED]
    main = [row for row in trained if row["task"][2] != "irnet" or row["task"][4] == 0.9]
    sets = ordered(row["task"][0] for row in rows)
    parts = [
        f"{machine}. {len(rows)} runs, {seconds:,.0f} s of processor time.\n",
        notes(settings),
        "## Over all sets, fractions and seeds, against masks alone\n\n" + summary(main),
    ]
    for score, title in (
        ("iou", "foreground IoU of all pixels of the test split together"),
        ("iou_per_image", "foreground IoU, mean over the test images that show something"),
        ("iou_at_half", "foreground IoU of all pixels, at a probability of one half"),
        ("auroc", "AUROC of the labels read off the masks"),
        ("pseudo_iou", "IoU of the masks that a labeler drew, training images"),
    ):
        parts.append(f"## {title[0].upper()}{title[1:]}\n")
        parts += [table(only(rows, name=name), only(main, name=name), score, name) for name in sets]
    name, fraction = sweep
    swept = only(trained, name=name, method="irnet", fraction=fraction)
    if swept:
        parts.append(f"## Probability of an expert's mask: {name}, {fraction:.0%} of the masks\n")
        parts.append(sweep_table(swept))
    return "\n".join(parts)


def summary(rows: list[Row]) -> str:
    """Return wins and differences against masks alone, and what a run took."""
    lines = [
        line(["", "better IoU", "difference", "better AUROC", "difference", "seconds"]),
        rule(6),
    ]
    for method in ordered(map(method_of, rows)):
        same = [row for row in rows if method_of(row) == method]
        cells = [c for score in ("iou", "auroc") for c in compared(rows, same, score)]
        lines.append(line([method, *cells, f"{np.mean([row['seconds'] for row in same]):.0f}"]))
    return "\n".join(lines) + "\n"


def compared(rows: list[Row], same: list[Row], score: str) -> tuple[str, str]:
    """Return the number of wins, and the mean difference."""
    alone = {pair_of(row): row[score] for row in only(rows, method=MASKS)}
    gains = [row[score] - alone[pair_of(row)] for row in same]
    if same[0]["task"][2] == MASKS:
        return NONE, NONE
    return f"{sum(gain > 0 for gain in gains)} of {len(gains)}", mean_and_spread(gains, sign="+")


def table(rows: list[Row], main: list[Row], score: str, name: str) -> str:
    """Return the scores of one data set: methods by fractions of the masks."""
    n_masks = {row["task"][3]: row["n_masks"] for row in main}
    lines = [line([name, *[f"{f:.0%} ({n_masks[f]})" for f in sorted(n_masks)]])]
    lines.append(rule(len(n_masks) + 1))
    for method in ordered(map(method_of, main)):
        same = [row for row in main if method_of(row) == method and score in row]
        cells = [mean_and_spread(values(only(same, fraction=f), score)) for f in sorted(n_masks)]
        if same:
            lines.append(line([method, *cells]))
    below = [
        f"{method}: {mean_and_spread(values(found, score))}"
        for method in SHARED
        if (found := [row for row in only(rows, method=method) if score in row])
    ]
    return "\n".join(lines) + "\n" + ("\n" + "; ".join(below) + ".\n" if below else "")


def sweep_table(rows: list[Row]) -> str:
    heads = ["p", "IoU", "IoU per image", "AUROC"]
    lines = [line(heads), rule(len(heads))]
    for probability in sorted({row["task"][4] for row in rows}):
        same = [row for row in rows if row["task"][4] == probability]
        scores = [mean_and_spread(values(same, s)) for s in ("iou", "iou_per_image", "auroc")]
        lines.append(line([f"{probability:g}", *scores]))
    return "\n".join(lines) + "\n"


def notes(settings: dict[str, Any]) -> str:
    """Say what was trained how."""
    setting = settings["setting"]
    return "\n".join(
        [
            "Means ± standard deviations, over seeds; of differences, over all pairs.\n",
            f"- Images of {setting['size']} x {setting['size']}, at most {setting['cap']} for "
            "training, of all of which the label is known. The network is a U-Net with decoder "
            f"{json.dumps(setting['decoder'])} on {setting['encoder']}, {settings['weights']}.",
            f"- Every training: about {setting['steps']} steps of {setting['batch']} images, "
            f"{json.dumps(settings['training'])}.",
            f"- The classifier, of the same encoder, sees {setting['classifier_size']} x "
            f"{setting['classifier_size']} ({json.dumps(settings['classification'])}); maps are of "
            f"its layer {setting['layer']}. IRNet learns from labels alone: "
            f"{json.dumps(setting['boundaries'])}, {json.dumps(setting['walk'])}, the threshold of "
            f"{json.dumps(settings['walk_thresholds'])} that fits the given masks best.",
            f"- Cross teaching: {setting['transformer']}, from scratch, is the other network; the "
            "CNN predicts. Half of a batch has masks. What they teach each other weighs 1 (S4MI), "
            "or rises to .1 (Luo et al.).",
            "- Masks are cut at the probability that is best on the validation split (CheXseg).",
            f"- PiCIE: {setting['n_clusters']} clusters, named by all masks of training.",
            "- Seconds are of processor time, without a teacher's, a classifier's or IRNet's.\n",
        ]
    )


def method_of(row: Row) -> str:
    _, _, method, _, value = row["task"]
    if value is None:
        return method
    return f"{method}, " + PARAMETER.get(method, "p = {}").format(f"{value:g}")


def only(rows: list[Row], **fields: Any) -> list[Row]:
    """Choose rows by parts of their tasks."""
    places = {"name": 0, "seed": 1, "method": 2, "fraction": 3}
    return [r for r in rows if all(r["task"][places[k]] == v for k, v in fields.items())]


def pair_of(row: Row) -> tuple[Any, ...]:
    name, seed, _, fraction, _ = row["task"]
    return name, seed, fraction


def values(rows: list[Row], score: str) -> list[float]:
    return [row[score] for row in rows]
