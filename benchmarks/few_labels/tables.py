"""The tables of ``benchmarks.few_labels``, in Markdown."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.metrics import balanced_accuracy_score

from benchmarks.shared.intervals import aurocs, contrast_of_aurocs, mean_of, shown
from benchmarks.shared.markdown import NONE, line, mean_and_spread, ordered, rule
from benchmarks.shared.models import ALONE, BOXES, CLASSIFIER, DEFAULT, PROBE
from segclf.metrics import expected_calibration_error

Row = dict[str, Any]
Cell = tuple[str, float]  # data set, share of the labels
Rows = dict[Cell, dict[str, list[Row]]]  # by method, one row for each seed
FIRST_FOUR = ("busi", "lgg_mri", "road_pothole", "magnetic_tile")

CONTRASTS: dict[str, tuple[tuple[str, ...], Any]] = {
    "default less ImageClassifier": ((DEFAULT, CLASSIFIER), lambda m: m[0] - m[1]),
    "default less linear probe": ((DEFAULT, PROBE), lambda m: m[0] - m[1]),
    "masks alone less ImageClassifier": ((ALONE, CLASSIFIER), lambda m: m[0] - m[1]),
    "boxes less masks": ((BOXES, DEFAULT), lambda m: m[0] - m[1]),
    "default less the better of both": ((DEFAULT, ALONE, CLASSIFIER), lambda m: m[0] - max(m[1:])),
}


def make_report(rows: list[Row]) -> str:
    """Return the tables of the sets' own split, and of other splits if any."""
    stored = arrange(row for row in rows if row["task"][2] == 0)
    parts = [scores_table(stored), contrast_table(stored), resolved_table(stored)] if stored else []
    n_splits = max(row["task"][2] for row in rows)
    splits = [arrange(r for r in rows if r["task"][2] == k) for k in range(1, n_splits + 1)]
    return "\n".join([*parts, *([splits_table(splits)] if splits else [])])


def arrange(rows: Iterable[Row]) -> Rows:
    arranged: Rows = {}
    for row in rows:
        name, share, _, _, method = row["task"]
        arranged.setdefault((name, share), {}).setdefault(method, []).append(row)
    return arranged


def scores_table(rows: Rows) -> str:
    columns = ["AUROC", "balanced accuracy", "IoU", "calibration error", "seconds to fit"]
    head = ["set", "images (positive, masks)", "method", *columns]
    lines = ["### Scores\n", line(head), rule(len(head))]
    for (name, _), methods in rows.items():
        for method, seeds in methods.items():
            numbers = [round(np.mean([row[k] for row in seeds])) for k in COUNTS]
            images = "{} ({}, {})".format(*numbers)
            lines.append(line([name, images, method, *cells(seeds)]))
    return "\n".join(lines) + "\n"


COUNTS = ("n_train", "n_positive", "n_masks")


def cells(seeds: list[Row]) -> list[str]:
    """Return the cells of one method: AUROC with intervals by group, others over the seeds."""
    labels = np.array(seeds[0]["labels"])
    scores = [np.array(row["scores"]) for row in seeds]
    auroc = contrast_of_aurocs([seeds], lambda means: float(means[0]))
    return [
        shown(auroc),
        mean_and_spread([float(balanced_accuracy_score(labels, s > 0.5)) for s in scores]),
        mean_and_spread([iou(row) for row in seeds if "unions" in row]),
        mean_and_spread([expected_calibration_error(labels, s) for s in scores]),
        mean_and_spread([row["seconds"] for row in seeds if not row["kept"]]),
    ]


def iou(row: Row) -> float:
    """Return the IoU of all pixels of the test images that have a mask."""
    return float(np.sum(row["intersections"]) / max(1, np.sum(row["unions"])))


def contrast_table(rows: Rows) -> str:
    """Return differences between methods on the same images, and on the mean of four sets."""
    head = ["set", "images", *CONTRASTS, "seeds in which the default is above"]
    lines = ["### Differences of AUROC\n", line(head), rule(len(head))]
    found = {
        cell: [contrast(methods, name) for name in CONTRASTS] for cell, methods in rows.items()
    }
    for cell, intervals in found.items():
        n_train = next(iter(rows[cell].values()))[0]["n_train"]
        numbers = [NONE if each is None else shown(each, "+") for each in intervals]
        lines.append(line([cell[0], str(n_train), *numbers, above(rows[cell])]))
    for share in ordered(share for _, share in found):
        four = [found[name, share] for name in FIRST_FOUR if (name, share) in found]
        columns = [
            [each for each in column if each is not None] for column in zip(*four, strict=True)
        ]
        numbers = [shown(mean_of(column), "+") if column else NONE for column in columns]
        what = f"**mean of {len(four)} of the first four**"
        lines.append(line([what, f"{share:.0%}", *numbers, NONE]))
    return "\n".join(lines) + "\n"


def contrasts(methods: dict[str, list[Row]]) -> list[Any]:
    return [contrast(methods, name) for name in CONTRASTS]


def contrast(methods: dict[str, list[Row]], name: str) -> Any:
    """Return an interval, paired over common seeds; None if a method is missing."""
    compared, difference = CONTRASTS[name]
    if not all(method in methods for method in compared):
        return None
    return contrast_of_aurocs(matched([methods[method] for method in compared]), difference)


def matched(methods: list[list[Row]]) -> list[list[Row]]:
    """Keep the seeds that all have, in one order."""
    by_seed = [{row["task"][3]: row for row in rows} for rows in methods]
    common = sorted(set.intersection(*(set(rows) for rows in by_seed)))
    return [[rows[seed] for seed in common] for rows in by_seed]


def above(methods: dict[str, list[Row]]) -> str:
    if not {DEFAULT, CLASSIFIER} <= set(methods):
        return NONE
    pairs = zip(*matched([methods[DEFAULT], methods[CLASSIFIER]]), strict=True)
    gains = [auroc_of(a) - auroc_of(b) for a, b in pairs]
    return f"{sum(gain > 0 for gain in gains)} of {len(gains)}"


def auroc_of(row: Row) -> float:
    return float(aurocs(np.array(row["labels"]), np.array(row["scores"])))


def splits_table(splits: list[Rows]) -> str:
    """Return the differences over random splits by groups; each is a mean over the seeds."""
    head = ["set", "share", *CONTRASTS]
    lines = ["### Differences of AUROC over splits by groups\n", line(head), rule(len(head))]
    for cell in ordered(cell for rows in splits for cell in rows):
        by_split = zip(*(contrasts(rows[cell]) for rows in splits if cell in rows), strict=True)
        numbers = [over_splits(intervals) for intervals in by_split]
        lines.append(line([cell[0], f"{cell[1]:.0%}", *numbers]))
    return "\n".join(lines) + "\n"


def over_splits(intervals: Iterable[Any]) -> str:
    means = [each.estimate for each in intervals if each is not None]
    if not means:
        return NONE
    above = sum(mean > 0 for mean in means)
    return f"{mean_and_spread(means, '+')}, above 0 in {above} of {len(means)}"


def resolved_table(rows: Rows) -> str:
    """Return what the defaults chose in the fit of the first seed."""
    lines = ["### What was chosen\n"]
    for (name, share), methods in rows.items():
        for method, seeds in methods.items():
            chosen = ", ".join(f"{k} {v}" for k, v in seeds[0]["resolved"].items())
            lines += [f"- {name}, {share:.0%}, {method}: {chosen}"] if chosen else []
    return "\n".join(lines) + "\n"
