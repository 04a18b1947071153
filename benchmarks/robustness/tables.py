"""The tables of ``benchmarks.robustness`` on real images, in Markdown."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import joblib
import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.robustness.runs import (
    ALL_MASKS,
    ALONE_ALL,
    ALONE_FEW,
    CLASSIFICATION,
    FEW_MASKS,
)
from benchmarks.shared.markdown import NONE, line, ordered, rule
from segclf.metrics import auroc_by_attribute, confidence_interval

Row = dict[str, Any]
Cell = tuple[str, float]  # data set, share of the findings that are marked
N_RESAMPLES = 500
Score = Callable[[np.ndarray, np.ndarray], float]  # of labels (n,) and values (n, 2)


def make_report(rows: list[Row], settings: dict[str, Any], n_jobs: int) -> str:
    """Return all tables, with their settings."""
    seeds: dict[tuple[Cell, str], list[Row]] = {}
    for row in rows:
        name, share, _, framing = row["task"]
        seeds.setdefault(((name, share), framing), []).append(row)
    seconds = sum(row["seconds"] for row in rows)
    makers = (auroc_table, attribute_table, call_table, difference_table)
    tables = joblib.Parallel(n_jobs=n_jobs)(joblib.delayed(make)(seeds) for make in makers)
    return "\n".join(
        [f"{len(rows)} runs, {seconds:,.0f} s of processor time.\n", notes(settings), *tables]
    )


def notes(settings: dict[str, Any]) -> str:
    """Describe the trainings and the scores."""
    setting = settings["setting"]
    return "\n".join(
        [
            f"Means over seeds (95 % interval by {N_RESAMPLES} draws of whole groups, an image "
            "with both its versions).\n",
            "- Marked: share of the training images with a finding, and of those without, that "
            "show the mark. Each test image is scored with the mark and without.",
            f"- Images of {setting['size']} x {setting['size']}, {setting['images'] or 'all'} of "
            "the training split; each framing is its class with no argument but "
            f"{json.dumps(settings['parameters'] or 'random_state')}.",
            "- 10 % of masks: of the findings; the others have a label alone, images without a "
            "finding need none.",
            "- Called: a probability above .5. A strict hit is called, and in the right place: its "
            "mask overlaps the finding, or has its middle there. A classifier's place is the peak "
            f"of its Grad-CAM (layer {setting['layer']}).\n",
        ]
    )


def auroc_table(seeds: dict[tuple[Cell, str], list[Row]]) -> str:
    columns: dict[str, Callable[[float], Score]] = {
        "marked as in training": lambda share: partial(auroc_as_in_training, share=share),
        "none marked": lambda _: lambda y, scores: roc_auc_score(y, scores[:, 0]),
        "robust: the mark misleads": lambda _: robust,
    }
    lines = ["### AUROC\n", line(["", "marked", "framing", *columns]), rule(3 + len(columns))]
    for (cell, framing), rows in seeds.items():
        numbers = [interval(make(cell[1]), rows, "scores") for make in columns.values()]
        lines.append(line([*heads(cell), framing, *numbers]))
    return "\n".join(lines) + "\n"


def attribute_table(seeds: dict[tuple[Cell, str], list[Row]]) -> str:
    """Return the AUROC of all four pairs of marked and unmarked, and of the worst."""
    pairs = ["neither", "negatives only (robust)", "positives only", "both"]
    columns = ["", "marked", "framing", *pairs, "worst group"]
    lines = ["### AUROC by which side is marked in the test\n", line(columns), rule(len(columns))]
    for (cell, framing), rows in seeds.items():
        found = [auroc_by_attribute(*both(*arrays(row, "scores"))) for row in rows]
        worst = np.mean([matrix.min() for matrix in found])
        numbers = [*np.mean(found, axis=0).ravel(), worst]
        lines.append(line([*heads(cell), framing, *(f"{number:.3f}" for number in numbers)]))
    return "\n".join(lines) + "\n"


def call_table(seeds: dict[tuple[Cell, str], list[Row]]) -> str:
    """Return predicted findings and their places, without and with the mark."""
    columns = {
        "false alarms": ("called", 0, 0),
        "false alarms, marked": ("called", 0, 1),
        "recall": ("called", 1, 0),
        "recall, marked": ("called", 1, 1),
        "strict recall, overlap": ("overlap", 1, 0),
        "strict recall, middle": ("middle", 1, 0),
        "strict recall, middle, marked": ("middle", 1, 1),
        "called for the mark: middle there": ("on_mark", 1, 1),
    }
    lines = ["### Calls\n", line(["", "marked", "framing", *columns]), rule(3 + len(columns))]
    for (cell, framing), rows in seeds.items():
        numbers = [
            # The overlap of a peak alone says no more than its middle.
            NONE
            if what == "overlap" and framing == CLASSIFICATION
            else interval(partial(share_of, label=label, version=version), rows, what)
            for what, label, version in columns.values()
        ]
        lines.append(line([*heads(cell), framing, *numbers]))
    return "\n".join(lines) + "\n"


def difference_table(seeds: dict[tuple[Cell, str], list[Row]]) -> str:
    """Return differences of robust AUROC between framings, for the same images and seeds."""
    lines = ["### Robust AUROC compared\n", line(["", "marked", *COMPARED])]
    lines.append(rule(2 + len(COMPARED)))
    for cell in ordered(cell for cell, _ in seeds):
        cells = [compared(seeds, cell, *pair) for pair in COMPARED.values()]
        lines.append(line([*heads(cell), *cells]))
    return "\n".join(lines) + "\n"


# Less, or as a share of.
COMPARED: dict[str, tuple[str, str, bool]] = {
    "all masks less classification": (ALL_MASKS, CLASSIFICATION, False),
    "10 % of masks less classification": (FEW_MASKS, CLASSIFICATION, False),
    "10 % of masks / all masks": (FEW_MASKS, ALL_MASKS, True),
    "default / masks alone, all masks": (ALL_MASKS, ALONE_ALL, True),
    "default / masks alone, 10 % of masks": (FEW_MASKS, ALONE_FEW, True),
}


def compared(
    seeds: dict[tuple[Cell, str], list[Row]], cell: Cell, first: str, second: str, quotient: bool
) -> str:
    """Return the mean over the seeds that both have."""
    others = {row["task"][2]: row for row in seeds.get((cell, second), [])}
    matched = [row for row in seeds.get((cell, first), []) if row["task"][2] in others]
    if not matched:
        return NONE
    joined = [
        {**row, "scores": np.hstack([row["scores"], others[row["task"][2]]["scores"]])}
        for row in matched
    ]

    def score(y: np.ndarray, scores: np.ndarray) -> float:
        a, b = robust(y, scores[:, :2]), robust(y, scores[:, 2:])
        return a / b if quotient else a - b

    return interval(score, joined, "scores", sign="" if quotient else "+")


def interval(score: Score, seeds: list[Row], what: str, sign: str = "") -> str:
    """Return the mean of a score over the seeds, with its interval."""
    values = np.stack([arrays(row, what)[1] for row in seeds], axis=1)
    labels = np.array(seeds[0]["labels"])
    mean, low, high = confidence_interval(
        lambda y, v: float(np.mean([score(y, v[:, seed]) for seed in range(v.shape[1])])),
        labels,
        values,
        groups=seeds[0]["groups"],
        n_resamples=N_RESAMPLES,
        random_state=0,
    )
    return f"{mean:{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})"


def arrays(row: Row, what: str) -> tuple[np.ndarray, np.ndarray]:
    return np.array(row["labels"]), np.array(row[what], dtype=float)


def both(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels, scores and marks of all images without the mark, then of all with it."""
    return np.tile(labels, 2), scores.T.ravel(), np.repeat([0, 1], len(labels))


def robust(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return `robust_auroc` of both versions of each image together."""
    return float(roc_auc_score(labels, np.where(labels == 1, scores[:, 0], scores[:, 1])))


def auroc_as_in_training(labels: np.ndarray, scores: np.ndarray, *, share: float) -> float:
    """Weight each version of an image by its frequency in training, given the label."""
    truth, values, marks = both(labels, scores)
    weights = np.where(truth == marks, share, 1 - share)
    return float(roc_auc_score(truth, values, sample_weight=weights))


def share_of(labels: np.ndarray, hits: np.ndarray, *, label: int, version: int) -> float:
    scored = hits[labels == label, version]
    scored = scored[~np.isnan(scored)]
    return float(scored.mean()) if len(scored) else float("nan")


def heads(cell: Cell) -> list[str]:
    name, share = cell
    return [name, f"{share:.0%}, {1 - share:.0%}"]
