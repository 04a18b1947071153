"""Does memory grow from fit to fit, and does anything use the network or other folders?

    python -m benchmarks.growth                            # 100 fits of each kind, then every flow
    python -m benchmarks.growth --kinds DINOPretrainer     # of some kinds alone
    python -m benchmarks.growth --fits 0                   # the flows alone

Growth is the increase of the resident memory of the process over 100 fits after 20 warm-up
fits, each with a prediction; at most 5 MB. Each kind has a separate process. The flows are fit,
predict, save, load, report, a search with memory and the demo. A Python audit hook counts
connections, started processes, and files that are opened for writing, created, moved or
removed outside the given folder. It does not see files that compiled code opens.
Temporary files of libraries belong in TMPDIR, which is in that folder: torch makes an empty
folder there, scikit-learn's progress bar a socket. The benchmark fails if any part fails.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("SEGCLF_NUM_THREADS", "1")

import argparse
import ctypes
import gc
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from sklearn import config_context
from sklearn.base import is_classifier
from sklearn.model_selection import GridSearchCV

import segclf
from benchmarks.shared.machine import describe_machine
from segclf import ImageClassifier, SegmentationClassifier, SupervisedSegmenter, demo
from segclf.base import ImageTransformer
from segclf.datasets import make_shapes
from segclf.testing.samples import answer
from segclf.testing.small import small_estimator

N_WARM, MOST_BYTES = 20, 5 * 10**6
SHAPES = make_shapes(8, image_size=16, n_objects=2, target_radius=4, random_state=0)
X, Y = SHAPES.images, SHAPES.target
MASKS = [None if index % 4 == 3 else mask for index, mask in enumerate(SHAPES.masks)]
# Estimators that train; a PretrainedEncoder does not.
KINDS = [each for each in segclf.__all__ if hasattr(getattr(segclf, each), "fit")]
KINDS.remove("PretrainedEncoder")
_CONNECTIONS = {"socket.bind", "socket.connect", "socket.sendto"}
_OTHERS = {"socket.getaddrinfo", "socket.gethostbyname"}
_OTHERS |= {"os.exec", "os.fork", "os.posix_spawn", "os.system", "subprocess.Popen"}
_CHANGES = {"os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink"}
_CHANGES |= {"os.chmod", "os.truncate"}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def fit(name: str, seed: int) -> Any:
    estimator = small_estimator(getattr(segclf, name), 1).set_params(random_state=seed)
    if name == "SliceWise":
        return estimator.fit(X[None], SHAPES.masks[None])
    if isinstance(estimator, ImageTransformer):
        return estimator.fit(X)
    if is_classifier(estimator):
        return estimator.fit(X, Y, masks=SHAPES.masks)
    return estimator.fit(X, MASKS)


def ask(estimator: Any) -> Any:
    """Predict the images, or the one volume that they form."""
    return answer(estimator, X[None] if isinstance(estimator, segclf.SliceWise) else X)


def growth(name: str, n_fits: int) -> int:
    """Return the growth of the process in bytes."""
    sizes = []
    for n in (N_WARM, n_fits):
        for seed in range(n):
            ask(fit(name, seed))
        gc.collect()
        sizes.append(resident())
    return sizes[1] - sizes[0]


def resident() -> int:
    """Return the resident memory, without free memory that the allocator has not yet returned."""
    with suppress(OSError, AttributeError):  # where the C library is another
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Watch:
    """Lists accesses outside a folder by an audit hook, which stays until the process ends."""

    def __init__(self, folder: Path) -> None:
        self.seen: list[str] = []
        self._folder = os.path.realpath(folder)
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _CONNECTIONS and isinstance(arguments[1], str | bytes):  # a file, too
            self._note(event, [arguments[1]])
        elif event in _CONNECTIONS | _OTHERS:
            self.seen.append(f"{event} {arguments!r:.200}")
        elif event in _CHANGES:
            self._note(event, [each for each in arguments if isinstance(each, str | bytes)])
        elif event == "open" and arguments[2] & _WRITES:
            self._note(event, [arguments[0]])

    def _note(self, event: str, paths: list[Any]) -> None:
        for path in paths:
            if isinstance(path, int):  # it was opened before, which was seen
                continue
            place = os.path.realpath(os.fsdecode(path))
            if os.path.commonpath([place, self._folder]) != self._folder and place != os.devnull:
                self.seen.append(f"{event} {place}")


def fit_and_predict(folder: Path) -> None:
    for name in KINDS:
        ask(fit(name, 0))


def save_and_load(folder: Path) -> None:
    for name in KINDS:
        segclf.save(fit(name, 0), folder / "saved")
        ask(segclf.load(folder / "saved"))


def report(folder: Path) -> None:
    fitted = fit("SegmentationClassifier", 0)
    segclf.report(fitted, X, Y, SHAPES.masks, folder / "report.html", n_resamples=5)


def search(folder: Path) -> None:
    segmenter = SupervisedSegmenter(encoder="tiny", max_epochs=1, memory=folder)
    classifier = SegmentationClassifier(segmenter=segmenter, memory=folder, random_state=0)
    with config_context(enable_metadata_routing=True):
        classifier.set_fit_request(masks=True)
        grid = {"summarizer": ["threshold", "peak"]}
        GridSearchCV(classifier, grid, cv=2).fit(X, Y, masks=SHAPES.masks)
    grid = {"learning_rate": [1e-3, 1e-2]}
    one = ImageClassifier(encoder="tiny", max_epochs=1, memory=folder, random_state=0)
    GridSearchCV(one, grid, cv=2).fit(X, Y)


def run_demo(folder: Path) -> None:
    demo.N_TRAIN, demo.N_TEST = 12, 10
    demo.SCENE |= {"image_size": 32, "n_objects": 3, "target_radius": 3}
    demo.run(folder / "demo.png", encoder="tiny", max_epochs=1)


FLOWS: list[Callable[[Path], None]] = [fit_and_predict, save_and_load, report, search, run_demo]


def watch_flows(folder: Path) -> bool:
    """Run every flow, print accesses outside the folder, and return whether there are any."""
    from matplotlib import font_manager  # noqa: F401 (it looks for fonts once on a machine)

    watch = Watch(folder)
    for flow in FLOWS:
        before = len(watch.seen)
        flow(folder)
        print(f"{flow.__name__}: {len(watch.seen) - before} outside", flush=True)
    print("\n".join(dict.fromkeys(watch.seen)))
    return bool(watch.seen)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--fits", type=int, default=100)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--flows", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.one:
        grown = growth(arguments.kinds[0], arguments.fits)
        print(f"{arguments.kinds[0]}: {grown / 1e6:+.1f} MB in {arguments.fits} fits")
        sys.exit(grown > MOST_BYTES)
    if arguments.flows:
        sys.exit(watch_flows(arguments.flows))
    print(describe_machine(), flush=True)
    fits = [["--one", "--fits", str(arguments.fits), "--kinds", name] for name in arguments.kinds]
    with tempfile.TemporaryDirectory() as folder:
        runs = [*(fits if arguments.fits else []), ["--flows", folder]]
        n_failed = sum(_fails(run, folder) for run in runs)
    sys.exit(n_failed > 0)


def _fails(arguments: list[str], folder: str) -> bool:
    """Run this in a separate process."""
    environment = os.environ | {"TMPDIR": folder, "MPLBACKEND": "Agg"}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    command = [sys.executable, "-m", "benchmarks.growth", *arguments]
    return subprocess.run(command, env=environment).returncode != 0


if __name__ == "__main__":
    main()
