"""The process that runs cases, monitors them, and reports one line for each."""

import contextlib
import gc
import importlib
import json
import os
import resource
import signal
import sys
import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from benchmarks.hostile.pool import SECONDS

# Beyond three times what the honest file takes.
_CONSTANT = 64 * 2**20
_ADDRESSES = 8 * 2**30
_STARTS = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "subprocess.Popen",
    "pty.spawn",
)
_CONNECTS = ("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo")
_CHANGES = (
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.symlink",
    "os.link",
    "os.truncate",
)


class Case(NamedTuple):
    """One case: its family, the name that an error must contain, and additional allowed memory."""

    family: str
    name: str
    more: Any = None
    memory: int = 0


class Part(Protocol):
    """The cases of one part: a module of this package."""

    def prepare(self, folder: Path) -> Any:
        """Create the valid files once; they are passed to the other methods."""

    def make(self, honest: Any, folder: Path, number: int, rng: np.random.Generator) -> Case:
        """Write the files of one case into a folder."""

    def run(self, honest: Any, folder: Path, case: Case) -> str:
        """Use the files; return "accepted", "documented" or "wrong", or raise."""


class Watch:
    """Monitors Python's audit events while a case runs."""

    def __init__(self) -> None:
        self.folder, self.seen = "", list[str]()
        self.on = False
        sys.addaudithook(self.hear)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event in _STARTS or event == "pickle.find_class":
            self.seen.append(f"code: {event} {arguments!r:.200}")
        elif event in _CONNECTS:
            self.seen.append(f"outside: {event} {arguments!r:.200}")
        elif event == "exec" and self._inside(getattr(arguments[0], "co_filename", "")):
            self.seen.append(f"code: {arguments[0].co_filename}")
        elif event in _CHANGES and not self._inside(arguments[0]):
            self.seen.append(f"outside: {event} {arguments!r:.200}")
        elif event == "open" and self._writes(arguments) and not self._inside(arguments[0]):
            self.seen.append(f"outside: open {arguments!r:.200}")

    def _inside(self, path: Any) -> bool:
        if isinstance(path, int):
            return True
        # Where a file really is: a link may lead out of the folder.
        real = (
            os.path.realpath(os.fsdecode(path))
            if isinstance(path, str | bytes | os.PathLike)
            else ""
        )
        return real == "/dev/null" or real.startswith(self.folder)

    def _writes(self, arguments: tuple[Any, ...]) -> bool:
        _, mode, flags = arguments
        if isinstance(mode, str):
            return bool(set(mode) & set("wax+"))
        return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


class Memory:
    """Measures the peak memory of a block, in addition to that before it."""

    def __enter__(self) -> "Memory":
        gc.collect()
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
        self.before = _status("VmRSS")
        return self

    def __exit__(self, *_: object) -> None:
        self.peak = max(0, _status("VmHWM") - self.before)


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


class Prepared(NamedTuple):
    """A part, its valid files, and the memory that a case may take."""

    part: Any
    honest: Any
    most: int


def main() -> None:
    seed, folder = int(sys.argv[1]), Path(sys.argv[2])
    warnings.simplefilter("ignore")
    sys.dont_write_bytecode = True
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever others print is no answer
    watch, parts = Watch(), dict[str, Prepared]()
    for line in sys.stdin:
        name, number = line.split()
        if name not in parts:
            parts[name] = prepared(name, folder / name)
        place = folder / name / "cases" / number
        place.mkdir(parents=True)
        os.environ["HOSTILE_MARKER"] = str(folder / f"marker-{name}-{number}")
        rng = np.random.default_rng([seed, int(number)])
        case = parts[name].part.make(parts[name].honest, place, int(number), rng)
        tell(answers, {"family": case.family})
        tell(answers, judged(parts[name], place, case, watch))


def prepared(name: str, folder: Path) -> Prepared:
    """Create and measure the valid files; existing objects are excluded from collection."""
    part: Any = importlib.import_module(f"benchmarks.hostile.{name}")
    folder.mkdir(exist_ok=True)
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    honest = part.prepare(folder / "honest")
    peak = honest_peak(part, honest, folder)
    gc.freeze()
    limit = _status("VmSize") + _ADDRESSES
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    return Prepared(part, honest, 3 * peak + _CONSTANT)


def honest_peak(part: Any, honest: Any, folder: Path) -> int:
    """Try the honest case twice: the first one imports and compiles."""
    place, peak = folder / "honest-case", 0
    for turn in range(2):
        inside = place / f"{os.getpid()}-{turn}"
        inside.mkdir(parents=True)
        case = part.make(honest, inside, -1, np.random.default_rng(0))
        with Memory() as memory:
            outcome = part.run(honest, inside, case)
        assert outcome == "accepted", f"The honest case is {outcome}."
        peak = memory.peak
    return peak


def judged(prepared: Prepared, place: Path, case: Case, watch: Watch) -> dict[str, Any]:
    part, honest, most = prepared
    most += case.memory
    faults, message = [], ""
    watch.folder, watch.seen = str(place.resolve()), []
    start = time.process_time()
    with Memory() as memory:
        watch.on = True
        try:
            outcome = part.run(honest, place, case)
        except (Exception, SystemExit) as error:
            outcome, message = "refused", f"{type(error).__name__}: {error}"
            if case.name not in message:
                faults.append("unnamed")
        finally:
            watch.on = False
    if time.process_time() - start > SECONDS:
        faults.append("hang")
    if outcome == "wrong":
        outcome, faults = "accepted", [*faults, "wrong"]
    if memory.peak > most:
        faults.append("memory")
        message += f" [{memory.peak / 2**20:.0f} MB of {most / 2**20:.0f}]"
    if Path(os.environ["HOSTILE_MARKER"]).exists():
        watch.seen.append("code: the payload's marker")
    events = {seen.partition(":")[0] for seen in watch.seen}
    faults += sorted(events.difference(getattr(part, "ALLOWED", ())))
    return {
        "outcome": outcome,
        "faults": faults,
        "message": " ".join([message, *watch.seen])[:2000],
    }


def tell(answers: Any, value: dict[str, Any]) -> None:
    answers.write("answer: " + json.dumps(value) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
