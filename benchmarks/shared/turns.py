"""Time several sides interleaved, so that a busy machine slows all of them equally."""

import os
import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Seconds(NamedTuple):
    """Wall-clock and processor time of one run (including threads and ended children)."""

    wall: float
    cpu: float


Times = dict[str, list[Seconds]]


class Spread(NamedTuple):
    """Median and quartiles."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        digits = 2 if abs(self.median) < 100 else 0
        return f"{self.median:.{digits}f} ({self.low:.{digits}f} to {self.high:.{digits}f})"


def take_turns(sides: dict[str, Callable[[], object]], n_rounds: int) -> Times:
    """Run every side once per round, in an order that is reversed in every round."""
    times: Times = {name: [] for name in sides}
    for number in range(n_rounds):
        for name in list(sides)[:: -1 if number % 2 else 1]:
            times[name].append(timed(sides[name]))
    return times


def timed(function: Callable[[], object]) -> Seconds:
    wall, cpu = time.perf_counter(), processor_time()
    function()
    return Seconds(time.perf_counter() - wall, processor_time() - cpu)


def processor_time() -> float:
    """Of this process, finely; of its ended children, in ticks of the system."""
    return time.process_time() + sum(os.times()[2:4])


def spread(values: Sequence[float]) -> Spread:
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(median, low, high)


def quotients(above: list[Seconds], below: list[Seconds]) -> tuple[Spread, Spread]:
    """Spread over the rounds of one side's time divided by the other's: wall, cpu."""
    pairs = list(zip(above, below, strict=True))
    return spread([a.wall / b.wall for a, b in pairs]), spread([a.cpu / b.cpu for a, b in pairs])


def markdown(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
