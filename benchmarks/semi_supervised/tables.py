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
    BOXES,
    CROSS,
    DISTILLED,
    EMPTY,
    GUARDED,
    JOINT_ALL,
    JOINT_FEW,
    MASKS,
    SELF_TRAINING,
    SWEEP_IOU,
    SWEEP_P,
    SWEEP_T,
    THOSE_LABELS,
    TOGETHER_ALL,
    TOGETHER_FEW,
    TOGETHER_STRONG,
)
from benchmarks.shared.markdown import NONE, line, mean_and_spread, ordered, rule

Row = dict[str, Any]
Values = dict[tuple[str, int], float]  # by data set and seed
SCORES = {
    "iou": "IoU, cut where `val` says",
    "iou_at_half": "IoU, cut at one half",
    "auroc": "AUROC by the highest pixels",
    "auroc_joint": "AUROC by the joint summarizer",
    "pseudo_iou": "IoU of a labeler's masks of training images with a finding",
    "kept": "How often the guard keeps pseudo masks",
}
SWEEPS = {SWEEP_P: "p", SWEEP_T: "temperature", SWEEP_IOU: "IoU of pseudo masks"}

# Score and method, less score and method; at the same fraction, where there is one.
CONTRASTS: dict[str, tuple[str, str, str, str]] = {
    "boosted less self-training": ("iou", BOOSTED, "iou", SELF_TRAINING),
    "boosted less empty masks": ("iou", BOOSTED, "iou", EMPTY),
    "boosted less empty masks, half positive": ("iou", BOOSTED, "iou", BALANCED),
    "boosted, guarded, less empty masks": ("iou", GUARDED, "iou", EMPTY),
    **{f"{m} less its teacher": ("iou", m, "teacher_iou", m) for m in DISTILLED},
    f"{BOXES} less all masks": ("iou", BOXES, "iou", ALL_MASKS),
    f"AUROC: {BOXES} less all masks": ("auroc", BOXES, "auroc", ALL_MASKS),
    f"{CROSS} less all masks": ("iou", CROSS, "iou", ALL_MASKS),
    "AUROC: boosted less self-training": ("auroc", BOOSTED, "auroc", SELF_TRAINING),
    "AUROC: masks alone less ImageClassifier, those labels": (
        *("auroc", MASKS),
        *("auroc", THOSE_LABELS),
    ),
    "AUROC: boosted less ImageClassifier, all labels": ("auroc", BOOSTED, "auroc", ALL_LABELS),
    **{
        f"AUROC: {m} less ImageClassifier, all labels": ("auroc_joint", m, "auroc", ALL_LABELS)
        for m in (JOINT_FEW, TOGETHER_FEW, JOINT_ALL, TOGETHER_ALL, TOGETHER_STRONG)
    },
}


def make_report(rows: list[Row], n_tasks: int) -> str:
    """Return all tables."""
    seconds = sum(row["seconds"] for row in rows)
    main = [row for row in rows if method_of(row) not in SWEEPS]
    of_fraction = {
        fraction: [row for row in main if fraction_of(row) in (fraction, None)]
        for fraction in sorted({fraction_of(row) for row in main} - {None})
    }
    parts = [f"{len(rows)} of {n_tasks} tasks, {seconds:,.0f} s of processor time to fit.\n"]
    parts += [overview(of_fraction, score) for score in ("iou", "auroc")]
    for fraction, shown in of_fraction.items():
        parts.append(f"## {fraction:.0%} of the masks\n\n{counts(shown)}")
        parts += [score_table(shown, score) for score in SCORES]
        parts.append(difference_table(shown))
    for method, parameter in SWEEPS.items():
        swept = [row for row in rows if method_of(row) == method]
        parts += [sweep_table(swept, parameter)] if swept else []
    return "\n".join(parts)


def overview(of_fraction: dict[float, list[Row]], score: str) -> str:
    """Return gains over masks alone, mean of the sets, and which part of the gap they are."""
    kind = "AUROC" if score == "auroc" else "IoU"
    lines = [f"## {kind} less that of masks alone, mean of the sets (share of the gap)\n"]
    lines += [line(["", *(f"{fraction:.0%}" for fraction in of_fraction)])]
    lines += [rule(1 + len(of_fraction))]
    every = [row for rows in of_fraction.values() for row in rows if score in row]
    for method in ordered(method_of(row) for row in every if method_of(row) != MASKS):
        cells = [
            f"{mean_of_sets(differences(rows, score, method, score, MASKS), sets_of(rows))} "
            f"{share_of_gap(rows, score, method)}"
            for rows in of_fraction.values()
        ]
        lines.append(line([method, *cells]))
    return "\n".join(lines) + "\n"


def counts(rows: list[Row]) -> str:
    of_sets = {row["task"][0]: row for row in rows if fraction_of(row) is not None}
    each = (f"{name} {row['n_masks']} ({row['n_positive']})" for name, row in of_sets.items())
    return f"Masks (of findings): {', '.join(each)}.\n"


def score_table(rows: list[Row], score: str) -> str:
    """Return means over the seeds, and standard deviations."""
    rows = [row for row in rows if score in row]
    sets = sets_of(rows)
    head = [SCORES[score], *sets, "mean", "share of the gap"]
    lines = [line(head), rule(len(head))]
    for method in ordered(map(method_of, rows)):
        found = values(rows, score, method)
        means = [np.mean(numbers) for numbers in by_set(found, sets) if numbers]
        mean = f"{np.mean(means):.3f}" if len(means) == len(sets) else NONE
        cells = map(mean_and_spread, by_set(found, sets))
        lines.append(line([method, *cells, mean, share_of_gap(rows, score, method)]))
    return "\n".join(lines) + "\n" if rows else ""


def difference_table(rows: list[Row]) -> str:
    """Return paired differences with 95 % intervals over seeds, by Student's t."""
    sets = sets_of(rows)
    others = [method for method in ordered(map(method_of, rows)) if method != MASKS]
    against = {
        f"{prefix}{method} less masks alone": (score, method, score, MASKS)
        for prefix, score in (("", "iou"), ("AUROC: ", "auroc"))
        for method in others
    }
    head = ["Difference of IoU, or of AUROC", *sets, "mean of the sets"]
    lines = [line(head), rule(len(head))]
    for name, contrast in (against | CONTRASTS).items():
        gains = differences(rows, *contrast)
        if gains:
            cells = map(interval, by_set(gains, sets))
            lines.append(line([name, *cells, mean_of_sets(gains, sets)]))
    return "\n".join(lines) + "\n"


def sweep_table(rows: list[Row], parameter: str) -> str:
    columns = [(name, score) for name in sets_of(rows) for score in ("iou", "auroc")]
    head = [parameter, *(f"{name}, {score}" for name, score in columns)]
    title = f"## {method_of(rows[0])}: {fraction_of(rows[0]):.0%} of the masks\n"
    lines = [title, line(head), rule(len(head))]
    for value in sorted({row["task"][4] for row in rows}):
        same = [row for row in rows if row["task"][4] == value]
        cells = [[row[score] for row in same if row["task"][0] == name] for name, score in columns]
        lines.append(line([f"{value:g}", *map(mean_and_spread, cells)]))
    return "\n".join(lines) + "\n"


def share_of_gap(rows: list[Row], score: str, method: str) -> str:
    """Return how far a method comes from masks alone to all masks, on what all three have."""
    gap = differences(rows, score, ALL_MASKS, score, MASKS)
    gains = differences(rows, score, method, score, MASKS)
    both = gap.keys() & gains.keys()
    whole = sum(gap[key] for key in both)
    return f"({sum(gains[key] for key in both) / whole:.0%})" if whole > 0 else NONE


def differences(rows: list[Row], score: str, method: str, less: str, other: str) -> Values:
    first, second = values(rows, score, method), values(rows, less, other)
    return {key: first[key] - second[key] for key in first if key in second}


def values(rows: Iterable[Row], score: str, method: str) -> Values:
    same = (row for row in rows if method_of(row) == method and score in row)
    return {(row["task"][0], row["task"][1]): row[score] for row in same}


def by_set(found: Values, sets: list[str]) -> list[list[float]]:
    return [[value for (name, _), value in found.items() if name == one] for one in sets]


def mean_of_sets(found: Values, sets: list[str]) -> str:
    """Return the interval of the mean over the sets, of the seeds that all sets have."""
    seeds = ordered(seed for _, seed in found)
    whole = [[found[n, seed] for n in sets if (n, seed) in found] for seed in seeds]
    return interval([float(np.mean(each)) for each in whole if len(each) == len(sets)])


def interval(numbers: list[float]) -> str:
    """Return the mean, and of several the 95 % interval of Student's t."""
    if len(numbers) < 2:
        return f"{numbers[0]:+.3f}" if numbers else NONE
    mean = np.mean(numbers)
    half = t.ppf(0.975, len(numbers) - 1) * np.std(numbers, ddof=1) / np.sqrt(len(numbers))
    return f"{mean:+.3f} ({mean - half:+.3f} to {mean + half:+.3f})"


def sets_of(rows: Iterable[Row]) -> list[str]:
    return ordered(row["task"][0] for row in rows)


def method_of(row: Row) -> str:
    return str(row["task"][3])


def fraction_of(row: Row) -> Any:
    return row["task"][2]
