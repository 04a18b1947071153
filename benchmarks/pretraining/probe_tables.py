"""The tables of ``benchmarks.pretraining.probes``."""

from typing import Any

from benchmarks.shared.markdown import line, mean_and_spread, ordered, rule

Row = dict[str, Any]
SCORES = {"pixel probe": "iou", "linear probe": "auroc", "fine-tuned": "iou"}
HEADS = (
    *("set", "encoder", "start", "method", "pixel probe, IoU", "linear probe, AUROC"),
    *("fine-tuned, IoU", "its encoder at random, IoU"),
)


def make_report(rows: list[Row]) -> str:
    """Return means ± standard deviations over the seeds; then differences to "none", paired."""
    lines = [line(HEADS), rule(len(HEADS))]
    for key in ordered(group_of(row) for row in rows):
        cells = [mean_and_spread(scores(rows, key, judge, SCORES[judge])) for judge in SCORES]
        lines.append(
            line([*key, *cells, mean_and_spread(scores(rows, key, "fine-tuned", "iou_at_random"))])
        )
    return "\n".join(lines) + "\n\n" + differences(rows)


def differences(rows: list[Row]) -> str:
    """Return what each method adds to its start, over all sets and seeds, and how often."""
    heads = ("encoder", "start", "method", *SCORES)
    lines = [line(heads), rule(len(heads))]
    for encoder, start, method in ordered(group_of(row)[1:] for row in rows):
        if method != "none":
            gains = [gains_of(rows, (encoder, start, method), judge) for judge in SCORES]
            cells = [
                f"{mean_and_spread(each, sign='+')} ({sum(g > 0 for g in each)} of {len(each)})"
                for each in gains
            ]
            lines.append(line([encoder, start, method, *cells]))
    return "\n".join(lines) + "\n"


def gains_of(rows: list[Row], key: tuple[str, ...], judge: str) -> list[float]:
    encoder, start, method = key
    found = {tuple(row["task"]): row[SCORES[judge]] for row in rows if row["task"][5] == judge}
    return [
        score - found[(*task[:4], "none", judge)]
        for task, score in found.items()
        if task[2:5] == (encoder, start, method)
    ]


def group_of(row: Row) -> tuple[str, ...]:
    name, _, encoder, start, method, _ = row["task"]
    return name, encoder, start, method


def scores(rows: list[Row], key: tuple[str, ...], judge: str, score: str) -> list[float]:
    return [row[score] for row in rows if group_of(row) == key and row["task"][5] == judge]
