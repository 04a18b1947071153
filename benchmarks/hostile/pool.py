"""Worker processes that try one case after the other; a new one where one ended or hung."""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

PARTS = ("images", "models", "weights", "folders", "plugins")
# Of the processor, as the worker says itself; by the clock the machine may have others to serve.
SECONDS = 5.0
_BY_THE_CLOCK = 60.0
# A new process imports torch, trains what is honest, and so on.
_START = 600.0
_ANSWER = "answer: "


class Verdict(NamedTuple):
    """What became of one case.

    Parameters
    ----------
    part, family, number : str, str, int
        Which case.
    outcome : {"accepted", "refused", "documented", "none"}
        "none" where the process did not live to say.
    faults : tuple of str
        What must not be.
    message : str
        The error, or what was seen.
    """

    part: str
    family: str
    number: int
    outcome: str
    faults: tuple[str, ...]
    message: str


class Worker:
    """One process, for the cases of one part."""

    def __init__(self, part: str, seed: int, folder: Path) -> None:
        arguments = [part, str(seed), str(folder)]
        self.command = [sys.executable, "-m", "benchmarks.hostile.worker", *arguments]
        self.log = folder / "worker.log"
        self.lines: queue.Queue[str] = queue.Queue()

    def __enter__(self) -> Self:
        pipe = subprocess.PIPE
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=pipe, stdout=pipe, stderr=log, text=True
            )
        # A thread reads: what waits in a buffer, `select` would not tell.
        threading.Thread(target=self._read, daemon=True).start()
        if self.answer(_START) != {"ready": True}:
            raise RuntimeError(f"A worker does not start: {self.log.read_text()[-2000:]}")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def ask(self, number: int) -> None:
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()

    def answer(self, seconds: float) -> dict | str:
        """Return the answer, or "hang" or "crash"."""
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


def tried(part: str, seed: int, number: int, folder: Path) -> Iterator[Verdict]:
    """Try so many cases of a part."""
    case = 0
    while case < number:
        with Worker(part, seed, folder) as worker:
            alive = True
            while alive and case < number:
                worker.ask(case)
                family = worker.answer(_START)
                found = worker.answer(_BY_THE_CLOCK)
                alive = isinstance(family, dict) and isinstance(found, dict)
                name = family["family"] if isinstance(family, dict) else "unknown"
                if isinstance(found, dict):
                    yield Verdict(part, name, case, **{**found, "faults": tuple(found["faults"])})
                else:
                    yield Verdict(part, name, case, "none", (found,), "")
                case += 1
