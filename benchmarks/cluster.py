"""Does a search over a Dask cluster give the scores of one process, and how much faster is it?

    python -m benchmarks.cluster                 # 2 workers of one thread each; a few minutes
    python -m benchmarks.cluster --short         # the same with tiny settings: not timed, a test

The grid of a `SegmentationClassifier` is searched by scikit-learn's GridSearchCV, over files and
with `memory=` in one folder for all: in this process, over two workers, and over two workers of
which one is killed (SIGKILL) in the middle. Each search starts with an empty folder. It fails if
scores are not equal bit by bit, if no worker was killed, or if two workers are less than 1.5
times as fast. Needs `segclf[cluster]`.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("SEGCLF_NUM_THREADS", "1")
# Dask's nannies pass these on; their own value makes workers return memory continually.
os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(2**30))
os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(2**25))

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
from PIL import Image
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from benchmarks.shared.machine import describe_machine
from benchmarks.shared.turns import markdown
from segclf import SegmentationClassifier, SupervisedSegmenter
from segclf.datasets import make_shapes

GAIN = 1.5
GRID = {
    "segmenter__learning_rate": [1e-3, 3e-3, 1e-2, 3e-2],
    "summarizer": ["threshold", "pooled"],
}


class Data(NamedTuple):
    """Files of images and of masks, labels, and folds as lists, which Dask sends with each task."""

    paths: list[str]
    masks: list[str]
    labels: list[int]
    folds: list[tuple[list[int], list[int]]]


class Accuracy:
    """A scorer whose worker is killed at one of its calls, by one of all workers."""

    def __init__(self, folder: Path, killed_at: int | None) -> None:
        self.folder, self.killed_at = folder, killed_at

    def __call__(self, estimator: Any, X: Any, y: Any) -> float:
        score = float(estimator.score(X, y))
        if self.killed_at is not None:
            (self.folder / f"{time.time_ns()}-{os.getpid()}").touch()
            if len(list(self.folder.iterdir())) >= self.killed_at and first(self.folder):
                os.kill(os.getpid(), signal.SIGKILL)
        return score


def first(folder: Path) -> bool:
    try:
        (folder.parent / "killed").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def main() -> int:
    options = parse_arguments()
    with tempfile.TemporaryDirectory() as folder:
        data = written(Path(folder), options)
        fit_once()
        alone = searched(data, options, nullcontext)
        workers = searched(data, options, two_workers)
        killed = searched(data, options, two_workers, killed_at=3)
    gain = alone[0] / workers[0]
    same = [np.array_equal(scores, alone[1]) for _, scores in (workers, killed)]
    names = ["one process", "2 workers", "2 workers, one killed"]
    rows = [
        [name, f"{seconds:.1f}", f"{alone[0] / seconds:.2f}", "yes" if found else "no"]
        for name, (seconds, _), found in zip(
            names, (alone, workers, killed), [True, *same], strict=True
        )
    ]
    print(f"{describe_machine()}, load {os.getloadavg()[0]:.1f}\n")
    print(f"{len(alone[1])} candidates, {len(data.folds)} folds, {options.images} files\n")
    print(markdown(["search", "seconds", "times as fast", "same scores"], rows))
    return int(not all(same) or (not options.short and gain < GAIN))


def searched(
    data: Data,
    options: argparse.Namespace,
    where: Callable[[], AbstractContextManager[Any]],
    killed_at: int | None = None,
) -> tuple[float, np.ndarray]:
    """Search, and return its seconds and the score of each candidate in each fold."""
    with tempfile.TemporaryDirectory() as folder, where():
        calls = Path(folder, "calls")
        calls.mkdir()
        search = GridSearchCV(
            classifier(options, memory=Path(folder, "memory")),
            GRID,
            scoring=Accuracy(calls, killed_at),
            cv=data.folds,
            n_jobs=-1 if where is two_workers else 1,
            refit=False,
            error_score="raise",
        )
        start = time.perf_counter()
        search.fit(data.paths, data.labels, masks=data.masks)
        seconds = time.perf_counter() - start
        assert Path(folder, "killed").exists() == (killed_at is not None)
    of_folds = [f"split{i}_test_score" for i in range(len(data.folds))]
    return seconds, np.stack([search.cv_results_[name] for name in of_folds], axis=1)


@contextmanager
def two_workers() -> Iterator[None]:
    """Run searches on two workers of one thread each, which have fitted once before."""
    from dask.distributed import Client, LocalCluster

    workers = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**workers) as cluster, Client(cluster) as client:
        client.run(os.setsid)  # a busy Linux shares its processors among sessions
        client.run(fit_once)
        with joblib.parallel_config("dask"):
            yield


def fit_once() -> None:
    """Fit once, so that libraries are imported."""
    shapes = make_shapes(2, image_size=16, n_objects=2, target_radius=4, random_state=0)
    SupervisedSegmenter(encoder="tiny", max_epochs=1).fit(shapes.images, shapes.masks)


def classifier(options: argparse.Namespace, memory: Path) -> SegmentationClassifier:
    segmenter = SupervisedSegmenter(encoder="tiny", max_epochs=options.epochs, batch_size=8)
    return SegmentationClassifier(segmenter=segmenter, memory=str(memory), random_state=0)


def written(folder: Path, options: argparse.Namespace) -> Data:
    shapes = make_shapes(options.images, image_size=options.size, n_objects=4, random_state=0)
    paths, masks = (
        [str(folder / f"{kind}{i}.png") for i in range(options.images)]
        for kind in ("image", "mask")
    )
    for path, image in zip([*paths, *masks], [*shapes.images, *shapes.masks], strict=True):
        Image.fromarray(np.asarray(image, dtype=np.uint8)).save(path)
    split = StratifiedKFold(options.folds).split(paths, shapes.target)
    folds = [(train.tolist(), test.tolist()) for train, test in split]
    return Data(paths, masks, shapes.target.tolist(), folds)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--short", action="store_true", help="tiny settings, not timed")
    options = parser.parse_args()
    if options.short:
        options.images, options.size, options.epochs, options.folds = 12, 16, 1, 2
    return options


if __name__ == "__main__":
    sys.exit(main())
