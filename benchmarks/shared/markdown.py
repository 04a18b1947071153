"""Tables of means and spreads, in Markdown."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

NONE = "–"


def line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def rule(n_cells: int) -> str:
    return "|---" * n_cells + "|"


def mean_and_spread(numbers: list[float], sign: str = "") -> str:
    """Return the mean and, of several, the standard deviation."""
    if not numbers:
        return NONE
    mean = f"{np.mean(numbers):{sign}.3f}"
    return mean if len(numbers) < 2 else f"{mean} ± {np.std(numbers, ddof=1):.3f}"


def ordered(items: Iterable[Any]) -> list[Any]:
    """Return items once each, in the order of their first coming."""
    return list(dict.fromkeys(items))


def mean_over_seeds(score: Callable[..., float]) -> Callable[..., float]:
    """Return the mean of a score over the seeds, so that an interval draws groups for all."""
    return lambda y, s: float(np.mean([score(y, column) for column in s.T]))
