"""The tables of ``benchmarks.semi_supervised``, in Markdown, of whatever rows are there."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy.stats import t

from benchmarks.semi_supervised.methods import (
    ALL_LABELS,
    ALL_MASKS,
    BALANCED,
    BOOSTED,
    CROSS,
    DISTILLED,
    EMPTY,
    JOINT_ALL,
    JOINT_FEW,
    MASKS,
    SELF_TRAINING,
    SWEEP_P,
    SWEEP_T,
    THOSE_LABELS,
    TOGETHER_ALL,
    TOGETHER_FEW,
)
from benchmarks.shared.markdown import NONE, line, mean_and_spread, ordered, rule

Row = dict[str, Any]
Values = dict[tuple[str, int], float]  # by data set and seed
SCORES = {
    "iou": "IoU of all pixels of the test images with a mask, cut where `val` says",
    "iou_at_half": "The same, cut at one half",
    "auroc": "AUROC of the labels, by the mean of the highest pixels",
    "auroc_joint": "AUROC of the labels, by the joint summarizer",
    "pseudo_iou": "IoU of the masks that a labeler predicted for training images with a finding",
}
SWEEPS = {SWEEP_P: "p", SWEEP_T: "temperature"}

# What is compared with what: score and method of both; at the same fraction, where there is one.
Contrast = tuple[str, str, str, str]
CONTRASTS: dict[str, Contrast] = {
    "boosted less self-training": ("iou", BOOSTED, "iou", SELF_TRAINING),
    "boosted less empty masks": ("iou", BOOSTED, "iou", EMPTY),
    "boosted less empty masks, half positive": ("iou", BOOSTED, "iou", BALANCED),
    **{f"{m} less its teacher": ("iou", m, "teacher_iou", m) for m in DISTILLED},
    f"{CROSS} less all masks": ("iou", CROSS, "iou", ALL_MASKS),
    "AUROC: masks alone less those labels": ("auroc", MASKS, "auroc", THOSE_LABELS),
    "AUROC: boosted less masks alone": ("auroc", BOOSTED, "auroc", MASKS),
    "AUROC: boosted less ImageClassifier, all labels": ("auroc", BOOSTED, "auroc", ALL_LABELS),
    **{
        f"AUROC: {m} less ImageClassifier, all labels": ("auroc_joint", m, "auroc", ALL_LABELS)
        for m in (JOINT_FEW, TOGETHER_FEW, JOINT_ALL, TOGETHER_ALL)
    },
}


def make_report(rows: list[Row], n_tasks: int) -> str:
    """Return all tables."""
    seconds = sum(row["seconds"] for row in rows)
    swept = [row for row in rows if method_of(row) in SWEEPS]
    main = [row for row in rows if method_of(row) not in SWEEPS]
    parts = [f"{len(rows)} of {n_tasks} tasks, {seconds:,.0f} s of processor time to fit.\n"]
    for fraction in sorted({fraction_of(row) for row in main} - {None}):
        shown = [row for row in main if fraction_of(row) in (fraction, None)]
        parts.append(f"## {fraction:.0%} of the masks\n\n{counts(shown, fraction)}")
        parts += [score_table(shown, score, title) for score, title in SCORES.items()]
        parts.append(difference_table(shown))
    parts += [sweep_table([r for r in swept if method_of(r) == method]) for method in SWEEPS]
    return "\n".join(parts)


def counts(rows: list[Row], fraction: float) -> str:
    of_sets = {row["task"][0]: row for row in rows if fraction_of(row) == fraction}
    each = (f"{name} {row['n_masks']} ({row['n_positive']})" for name, row in of_sets.items())
    return f"Masks (of findings): {', '.join(each)}.\n"


def score_table(rows: list[Row], score: str, title: str) -> str:
    """Return means over seeds, and the share of the gap between masks alone and all masks."""
    having = [row for row in rows if score in row]
    if not having:
        return ""
    sets, methods = sets_of(having), ordered(map(method_of, having))
    head = [title, *sets, "mean", "share of the gap"]
    lines = [line(head), rule(len(head))]
    alone, ceiling = (values(having, score, method) for method in (MASKS, ALL_MASKS))
    for method in methods:
        found = values(having, score, method)
        cells = [mean_and_spread([v for (s, _), v in found.items() if s == name]) for name in sets]
        means = mean_over_sets(found, sets)
        mean = f"{np.mean(list(means.values())):.3f}" if means else NONE
        lines.append(line([method, *cells, mean, share_of_gap(found, alone, ceiling)]))
    return "\n".join(lines) + "\n"


def share_of_gap(found: Values, alone: Values, ceiling: Values) -> str:
    """Return how much of the way is made, over the sets and seeds that all three have."""
    keys = found.keys() & alone.keys() & ceiling.keys()
    gap = sum(ceiling[key] - alone[key] for key in keys)
    return f"{sum(found[key] - alone[key] for key in keys) / gap:.0%}" if gap > 0 else NONE


def difference_table(rows: list[Row]) -> str:
    """Return paired differences with 95 % intervals over seeds (Student's t)."""
    sets = sets_of(rows)
    others = [method for method in ordered(map(method_of, rows)) if method != MASKS]
    against = {f"{method} less masks alone": ("iou", method, "iou", MASKS) for method in others}
    head = ["IoU (or AUROC) compared", *sets, "mean of the sets"]
    lines = [line(head), rule(len(head))]
    for name, (score, method, other_score, other) in (against | CONTRASTS).items():
        first, second = values(rows, score, method), values(rows, other_score, other)
        gains = {key: first[key] - second[key] for key in first if key in second}
        if gains:
            each = [[v for (s, _), v in gains.items() if s == one] for one in sets]
            mean = list(mean_over_sets(gains, sets).values())
            lines.append(line([name, *map(interval, [*each, mean])]))
    return "\n".join(lines) + "\n"


def sweep_table(rows: list[Row]) -> str:
    if not rows:
        return ""
    method = method_of(rows[0])
    sets = sets_of(rows)
    columns: list[tuple[str, str]] = [(s, score) for s in sets for score in ("iou", "auroc")]
    head = [SWEEPS[method], *(f"{s}, {score}" for s, score in columns)]
    lines = [f"## {method}: {fraction_of(rows[0]):.0%} of the masks\n", line(head), rule(len(head))]
    for value in sorted({row["task"][4] for row in rows}):
        same = [row for row in rows if row["task"][4] == value]
        cells = [[row[score] for row in same if row["task"][0] == s] for s, score in columns]
        lines.append(line([f"{value:g}", *map(mean_and_spread, cells)]))
    return "\n".join(lines) + "\n"


def values(rows: Iterable[Row], score: str, method: str) -> Values:
    same = (row for row in rows if method_of(row) == method and score in row)
    return {(row["task"][0], row["task"][1]): row[score] for row in same}


def mean_over_sets(found: Values, sets: list[str]) -> dict[int, float]:
    """Return the mean of each seed that all sets have."""
    seeds = ordered(seed for _, seed in found)
    whole = [seed for seed in seeds if all((name, seed) in found for name in sets)]
    return {seed: float(np.mean([found[name, seed] for name in sets])) for seed in whole}


def interval(numbers: list[float]) -> str:
    """Return the mean, and of several the 95 % interval of Student's t."""
    if not numbers:
        return NONE
    mean = float(np.mean(numbers))
    if len(numbers) < 2:
        return f"{mean:+.3f}"
    half = t.ppf(0.975, len(numbers) - 1) * np.std(numbers, ddof=1) / np.sqrt(len(numbers))
    return f"{mean:+.3f} ({mean - half:+.3f} to {mean + half:+.3f})"


def sets_of(rows: Iterable[Row]) -> list[str]:
    return ordered(row["task"][0] for row in rows)


def method_of(row: Row) -> str:
    return str(row["task"][3])


def fraction_of(row: Row) -> Any:
    return row["task"][2]
