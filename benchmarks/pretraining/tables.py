"""The report of ``benchmarks.pretraining``, as Markdown."""

import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from benchmarks.pretraining.runs import LABEL_TASKS
from benchmarks.shared.markdown import NONE, line, mean_and_spread, ordered, rule

Row = dict[str, Any]


def make_report(rows: list[Row], settings: dict[str, Any], machine: str) -> str:
    """Return all tables, with their settings."""
    seconds = sum(row["seconds"] for row in rows)
    took = f"{len(rows)} runs, which took {seconds:,.0f} s one after the other."
    parts = [f"{machine}. {took}\n", notes(settings)]
    sets = ordered(row["task"][0] for row in rows)
    parts.append("## Masks: foreground IoU of all pixels of the test split together\n")
    parts += [mask_table(only(rows, name=name), "iou", name) for name in sets]
    parts.append("## Masks: over all sets, fractions and seeds\n\n" + summary_table(rows, settings))
    parts.append("## Masks: foreground IoU, mean over the images that show something\n")
    parts += [mask_table(only(rows, name=name), "iou_per_image", name) for name in sets]
    if labels := [row for row in rows if row["task"][3] in LABEL_TASKS]:
        parts.append("## Labels: macro F1\n\n" + label_table(labels))
    return "\n".join(parts)


def mask_table(rows: list[Row], score: str, name: str) -> str:
    """Return the scores of one data set: starts by fractions of the masks."""
    trained = only(rows, what="masks")
    sizes = {row["task"][4]: row["n_train"] for row in trained}
    heads = [f"{fraction:.0%} ({sizes[fraction]})" for fraction in sorted(sizes)]
    lines = [line([name, "no masks", *heads, "better than scratch"])]
    lines.append(rule(len(heads) + 3))
    for start in ordered(row["task"][2] for row in trained):
        alone = mean_and_spread(values(only(rows, start=start, what="no masks"), score))
        cells = [
            mean_and_spread(values(only(trained, start=start, detail=fraction), score))
            for fraction in sorted(sizes)
        ]
        lines.append(line([start, alone, *cells, wins(trained, start, score)]))
    for baseline in ("all foreground", "all background", "Otsu's threshold"):
        rows_of_baseline = [row[baseline] for row in only(rows, what="baselines")]
        cells = [mean_and_spread(values(rows_of_baseline, score)), *[NONE] * (len(heads) + 1)]
        lines.append(line([baseline, *cells]))
    polarities = sorted({row["polarity"] for row in only(rows, what="baselines")})
    return "\n".join(lines) + f"\n\nPolarity of Otsu's threshold: {', '.join(polarities)}.\n"


def summary_table(rows: list[Row], settings: dict[str, Any]) -> str:
    """Return wins against scratch, what pretraining took, and how often it collapsed."""
    trained = only(rows, what="masks")
    network = settings["setting"][settings["segmenter"]]
    pretrainings = [r for r in only(rows, what="pretraining") if r["task"][4] in (network, "both")]
    heads = ["start", "better than scratch", "mean difference", "pretraining, s", "collapsed"]
    lines = [line(heads), rule(len(heads))]
    for start in ordered(row["task"][2] for row in trained):
        runs = only(pretrainings, start=start.partition(",")[0])
        decided = [run["collapsed"] for run in runs if run["collapsed"] is not None]
        cells = [
            wins(trained, start, "iou"),
            NONE
            if start == "scratch"
            else mean_and_spread(differences(trained, start, "iou"), sign="+"),
            f"{np.mean([run['seconds'] for run in runs]):.0f}" if runs else NONE,
            f"{np.mean(decided):.0%}" if decided else NONE,
        ]
        lines.append(line([start, *cells]))
    lines.append(
        "\nCollapsed: share of epochs that warned that the embeddings of all images became one."
    )
    return "\n".join(lines) + "\n"


def label_table(rows: list[Row]) -> str:
    """Return macro F1: networks and starts by data sets and ways to use them."""
    columns = ordered((row["task"][0], row["task"][3]) for row in rows)
    sizes = {row["task"][0]: row["n_train"] for row in rows}
    heads = [f"{name} ({sizes[name]} labels), {what}" for name, what in columns]
    lines = [line(["network", "start", *heads]), rule(len(heads) + 2)]
    for network, start in ordered((row["task"][4], row["task"][2]) for row in rows):
        same = only(rows, start=start, detail=network)
        cells = [
            mean_and_spread(values(only(same, name=name, what=what), "f1"))
            for name, what in columns
        ]
        lines.append(line([network, start, *cells]))
    return "\n".join(lines) + "\n"


def notes(settings: dict[str, Any]) -> str:
    """Describe the trainings."""
    setting = settings["setting"]
    network = setting[settings["segmenter"]]
    left_out = "" if settings["segmenter"] == "vit" else " MAE is left out: it needs a transformer."
    methods = [f"{m} {json.dumps(p)}" for m, p in setting["methods"].items()]
    kept = "all" if settings["test_cap"] is None else f"the first {settings['test_cap']}"
    return "\n".join(
        [
            "Means ± standard deviations, over seeds, of differences over all pairs.\n",
            f"- Images of {setting['size']} x {setting['size']}; the segmenter is "
            f"{json.dumps(setting[settings['segmenter'] + '_decoder'])} channels of decoder on "
            f"{network}. Tested on {kept} of the test split.{left_out}",
            f"- Every pretraining: about {setting['images_seen']} images drawn (whole epochs) of "
            f"at most {setting['cap']} without masks and labels, in batches of "
            f"{setting['pretraining_batch']}, {json.dumps(settings['pretraining'])}, from scratch.",
            f"- Every fine-tuning: about {setting['steps']} steps (whole epochs) of "
            f"{setting['batch']} images, {json.dumps(settings['fine_tuning'])}, all layers; "
            f"{json.dumps(settings['segmentation'])} or {json.dumps(settings['classification'])}.",
            "- Both rows of OtsuPretrainer are one training: end to end hands on the decoder too. "
            "Its polarity was chosen on the fewest masks of the same seed.",
            f"- CASS trains {setting['cnn']} and {setting['vit']} together.",
            "- A linear probe (logistic regression) from scratch is on an untrained network.",
            f"- Smaller than the papers' or other than their defaults: {'; '.join(methods)}.\n",
        ]
    )


def only(rows: list[Row], **fields: Any) -> list[Row]:
    """Choose rows by parts of their tasks."""
    places = {"name": 0, "seed": 1, "start": 2, "what": 3, "detail": 4}
    return [r for r in rows if all(r["task"][places[k]] == v for k, v in fields.items())]


def differences(rows: list[Row], start: str, score: str) -> list[float]:
    """Subtract scratch's score, pair by pair of data set, fraction and seed."""
    scratch = {pair_of(row): row[score] for row in only(rows, start="scratch")}
    return [
        row[score] - scratch[pair_of(row)]
        for row in only(rows, start=start)
        if pair_of(row) in scratch
    ]


def pair_of(row: Row) -> tuple[Any, ...]:
    name, seed, _, _, fraction = row["task"]
    return name, seed, fraction


def wins(rows: list[Row], start: str, score: str) -> str:
    gains = differences(rows, start, score)
    return NONE if start == "scratch" else f"{sum(g > 0 for g in gains)} of {len(gains)}"


def values(rows: Iterable[Row], score: str) -> list[float]:
    return [row[score] for row in rows]
