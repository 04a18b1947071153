"""A worker process that runs cases one after another, replaced if it ended or hung."""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

PARTS = ("images", "volumes", "models", "weights", "folders", "plugins")
# Processor time, as reported by the worker; wall-clock time depends on other load.
SECONDS = 5.0
_BY_THE_CLOCK = 60.0
# A new process imports torch, trains what is honest, and so on.
_START = 600.0
_ANSWER = "answer: "


class Verdict(NamedTuple):
    """The outcome of one case.

    Parameters
    ----------
    part, family, number : str, str, int
        Which case.
    outcome : {"accepted", "refused", "documented", "none"}
        "none" if the process ended before its answer.
    faults : tuple of str
        Names of violations.
    message : str
        The error, or the observation.
    """

    part: str
    family: str
    number: int
    outcome: str
    faults: tuple[str, ...]
    message: str


class Pool:
    """Worker processes, one after another, and the cases that they run.

    Parameters
    ----------
    seed : int
        Of all cases.
    folder : Path
        For all files; the caller removes it.
    """

    def __init__(self, seed: int, folder: Path) -> None:
        self.command = [sys.executable, "-m", "benchmarks.hostile.worker", str(seed), str(folder)]
        self.log = folder / "worker.log"
        self.worker: Worker | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def tried(self, part: str, number: int) -> Iterator[Verdict]:
        """Run a number of cases of a part."""
        for case in range(number):
            self.worker = self.worker or Worker(self.command, self.log)
            family, found = self.worker.ask(f"{part} {case}")
            if isinstance(found, dict):
                yield Verdict(part, family, case, **{**found, "faults": tuple(found["faults"])})
            else:
                self.end()
                yield Verdict(part, family, case, "none", (found,), self.log.read_text()[-1000:])

    def end(self) -> None:
        if self.worker is not None:
            self.worker.process.kill()
            self.worker.process.wait()
        self.worker = None


class Worker:
    """One process."""

    def __init__(self, command: list[str], log: Path) -> None:
        self.lines: queue.Queue[str] = queue.Queue()
        pipe = subprocess.PIPE
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=errors, text=True
            )
        # A thread reads: what waits in a buffer, `select` would not tell.
        threading.Thread(target=self._read, daemon=True).start()

    def ask(self, case: str) -> tuple[str, dict | str]:
        """Return the case's family, and the answer, or "hang" or "crash"."""
        self.process.stdin.write(f"{case}\n")
        self.process.stdin.flush()
        family = self._answer(_START)
        if not isinstance(family, dict):
            return "unknown", family
        return family["family"], self._answer(_BY_THE_CLOCK)

    def _answer(self, seconds: float) -> dict | str:
        try:
            line = self.lines.get(timeout=seconds)
        except queue.Empty:
            return "hang"
        return json.loads(line.removeprefix(_ANSWER)) if line else "crash"

    def _read(self) -> None:
        for line in self.process.stdout:
            if line.startswith(_ANSWER):
                self.lines.put(line)
        self.lines.put("")
