"""How far a stream is: a line that is written anew, or now and then one more."""

from __future__ import annotations

import sys
import time
from typing import TextIO

_EVERY = {True: 0.2, False: 10.0}  # seconds, on a terminal and in a log


class Progress:
    """Counts images.

    Parameters
    ----------
    total : int
        How many there are.
    done : int
        How many were done before.
    stream : text file, optional
        Standard error by default.
    quiet : bool
        Whether to count alone.

    Attributes
    ----------
    n_failed : int
        How many of those counted could not be read or predicted.
    """

    def __init__(
        self, total: int, done: int = 0, stream: TextIO | None = None, *, quiet: bool = False
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._total, self._done, self._before, self.n_failed = total, done, done, 0
        self._quiet = quiet
        self._started = self._said = time.monotonic()

    def add(self, n_predicted: int, n_failed: int) -> None:
        """Count some more."""
        self._done += n_predicted + n_failed
        self.n_failed += n_failed
        if time.monotonic() - self._said >= _EVERY[self._stream.isatty()]:
            self._say(end="\r" if self._stream.isatty() else "\n")

    def close(self) -> None:
        """Say it a last time."""
        self._say(end="\n")

    def _say(self, end: str) -> None:
        if self._quiet:
            return
        self._said = time.monotonic()
        rate = (self._done - self._before) / max(self._said - self._started, 1e-9)
        share = self._done / max(1, self._total)
        bar = ("#" * round(20 * share)).ljust(20, ".")
        text = f"[{bar}] {self._done:,} of {self._total:,} images, {rate:,.0f} a second"
        if self.n_failed:
            text += f", {self.n_failed:,} damaged"
        if rate and self._done < self._total:
            text += f", {_clock((self._total - self._done) / rate)} left"
        print(text.ljust(79), end=end, file=self._stream, flush=True)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
