"""Do existing files stay intact if the disk is full or the process ends?

    python -m benchmarks.disk                # 10 trials of each kind of file
    python -m benchmarks.disk --kills 20     # more ends at random moments
    python -m benchmarks.disk --kinds save   # of some kinds alone

A trial overwrites an existing file: a saved estimator, a report, results and kept maps under
`memory=`, a checkpoint. In eight of ten trials one of the calls that write a file fails (no space),
the file system is read-only, or there is no permission; in two the process is killed at a random
moment. Afterwards the previous file must still exist: in the first eight trials bit for bit, in the
last two unchanged or completely replaced, and results with it must have the same bits as without.
If an estimator or a report cannot be written, this must be an OSError that names the file; if a
cache folder cannot be written, there must be one warning, and the fit must continue. The benchmark
fails if a trial does.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("SEGCLF_NUM_THREADS", "1")

import argparse
import errno
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.shared.disk_trouble import CALLS, disk_trouble
from benchmarks.shared.machine import describe_machine
from segclf import SegmentationClassifier, SupervisedSegmenter, load, report, save
from segclf.datasets import make_shapes

SHAPES = make_shapes(8, image_size=16, n_objects=2, target_radius=4, random_state=0)
TROUBLE = [(errno.ENOSPC, call) for call in CALLS]
TROUBLE += [(errno.EROFS, "open"), (errno.EACCES, "open")]
LONGEST_WAIT = 0.5


class Kind(NamedTuple):
    """A kind of file: functions that write and check it, and whether it may be lost."""

    write: Callable[[Path, int], Any]
    check: Callable[[Path], None]
    kept: bool


def _segmenter(version: int = 0, **changes: Any) -> SupervisedSegmenter:
    settings = {"encoder": "tiny", "architecture": "unet", "max_epochs": 1, "batch_size": 4}
    return SupervisedSegmenter(**{**settings, "random_state": version, **changes})


def _classifier(version: int, memory: Path | None = None) -> SegmentationClassifier:
    made = SegmentationClassifier(
        segmenter=_segmenter(), summarizer="threshold", memory=memory, random_state=version
    )
    return made.fit(SHAPES.images, SHAPES.target, masks=SHAPES.masks)


def _save(folder: Path, version: int) -> None:
    save(_segmenter(version).fit(SHAPES.images, SHAPES.masks), folder / "saved")


def _report(folder: Path, version: int) -> None:
    given = SHAPES.images, SHAPES.target, SHAPES.masks, folder / "report.html"
    report(_classifier(0), *given, title=f"Version {version}", n_resamples=2)


def _check_report(folder: Path) -> None:
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert text.rstrip().endswith("</html>")


def _memory(folder: Path, version: int) -> Any:
    return _classifier(version, folder).predict_proba(SHAPES.images)


def _kept_maps(folder: Path, version: int) -> Any:
    """Fit on a frozen encoder, of weights that are its own."""
    frozen = {"encoder_rate": 0.0, "encoder_weights": None, "memory": folder}
    fitted = _segmenter(version, **frozen).fit(SHAPES.images, SHAPES.masks)
    return fitted.predict_proba(SHAPES.images)


def _checkpoint(folder: Path, version: int) -> Any:
    made = _segmenter(version, max_epochs=3, checkpoint=folder, checkpoint_every=1)
    return made.fit(SHAPES.images, SHAPES.masks).predict_proba(SHAPES.images)


def _same_bits(write: Callable[[Path, int], Any], folder: Path) -> None:
    """Check that results with the existing files equal results without them."""
    for version in (0, 1):
        with tempfile.TemporaryDirectory() as empty:
            np.testing.assert_array_equal(write(folder, version), write(Path(empty), version))


KINDS = {
    "save": Kind(_save, lambda folder: load(folder / "saved"), kept=False),
    "report": Kind(_report, _check_report, kept=False),
    "memory": Kind(_memory, partial(_same_bits, _memory), kept=True),
    "kept_maps": Kind(_kept_maps, partial(_same_bits, _kept_maps), kept=True),
}
if "checkpoint" in _segmenter().get_params():
    KINDS["checkpoint"] = Kind(_checkpoint, partial(_same_bits, _checkpoint), kept=True)


def in_trouble(kind: Kind, code: int, call: str) -> None:
    """Overwrite the existing files on a disk that fails at one call."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kind.write(folder, 0)
        before = _contents(folder)
        with disk_trouble(code, at=call), warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            error = _error_of(kind, folder)
        n_told = sum(str(folder) in str(each.message) for each in told)
        assert (error is None) == kind.kept, f"error: {error}"
        assert error is None or str(folder) in str(error), f"it names no file: {error}"
        # New files change no mode bits, and what has a checksum is not waited for.
        assert n_told == kind.kept or (n_told == 0 and call in ("chmod", "fsync")), n_told
        after = _contents(folder)
        assert {path: after.get(path) for path in before} == before, "a file is not what it was"
        assert kind.kept or after.keys() == before.keys(), "something is left"
        kind.check(folder)


def _error_of(kind: Kind, folder: Path) -> OSError | None:
    try:
        kind.write(folder, 1)
    except OSError as error:
        return error
    return None


def killed(name: str, wait: float) -> None:
    """Kill a process that writes again and again."""
    kind = KINDS[name]
    with tempfile.TemporaryDirectory() as folder:
        kind.write(Path(folder), 0)
        command = [sys.executable, "-m", "benchmarks.disk", "--write", name, folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            time.sleep(wait)
            assert child.poll() is None, "it ended by itself"
            child.send_signal(signal.SIGKILL)
        kind.check(Path(folder))
        kind.write(Path(folder), 0)
        left = [path for path in _contents(Path(folder)) if path.name.startswith(".segclf-")]
        assert kind.kept or not left, f"left behind: {left}"


def _write_for_ever(name: str, folder: Path) -> None:
    version = 0
    print("ready", flush=True)
    while True:
        version += 1
        KINDS[name].write(folder, version)


def _contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def trials(kinds: list[str], kills: int, seed: int) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield what each trial is, and the trial."""
    rng = np.random.default_rng(seed)
    for name in kinds:
        for code, call in TROUBLE:
            trouble = f"{errno.errorcode[code]} at {call}"
            yield f"{name}, {trouble}", partial(in_trouble, KINDS[name], code, call)
        for wait in rng.uniform(0, LONGEST_WAIT, kills):
            yield f"{name}, killed after {wait:.3f} s", partial(killed, name, wait)


def run(kinds: list[str], kills: int, seed: int) -> int:
    """Print how many trials leave the previous file intact, and return how many do not."""
    n_whole, failed = 0, []
    for what, trial in trials(kinds, kills, seed):
        try:
            trial()
            n_whole += 1
        except Exception as error:
            failed.append(f"{what}: {type(error).__name__}: {error}")
    n_trials = n_whole + len(failed)
    print("\n".join([*failed, f"{n_whole} of {n_trials} leave the previous file whole"]))
    return len(failed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--kills", type=int, default=2, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", nargs=2, metavar=("KIND", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.write:
        _write_for_ever(arguments.write[0], Path(arguments.write[1]))
    print(describe_machine())
    sys.exit(run(arguments.kinds, arguments.kills, arguments.seed) > 0)


if __name__ == "__main__":
    main()
