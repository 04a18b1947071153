"""The table of ``benchmarks.learning``."""

from typing import Any

import numpy as np

from benchmarks.shared.markdown import NONE, line, mean_and_spread, ordered, rule

Row = dict[str, Any]
HEADS = ("method", "untrained", "plain loop", "ours", "above untrained", "loss, first to last")


def make_report(rows: list[Row]) -> str:
    """Return a row for each method: means ± standard deviations over the seeds."""
    lines = [line(HEADS), rule(len(HEADS))]
    for method in ordered(row["task"][0] for row in rows):
        sides = {
            side: [row for row in rows if row["task"][:2] in ((method, side), [method, side])]
            for side in ("untrained", "plain loop", "ours")
        }
        scores = {side: [row["score"] for row in found] for side, found in sides.items()}
        pairs = list(zip(scores["ours"], scores["untrained"], strict=True))
        lines.append(
            line(
                [
                    method,
                    *(mean_and_spread(scores[side]) for side in sides),
                    f"{sum(ours > untrained for ours, untrained in pairs)} of {len(pairs)}",
                    f"{losses(sides['ours'], 'first')} to {losses(sides['ours'], 'last')}",
                ]
            )
        )
    return "\n".join(lines) + "\n"


def losses(rows: list[Row], end: str) -> str:
    return f"{np.mean([row[f'{end}_loss'] for row in rows]):.3f}" if rows else NONE
