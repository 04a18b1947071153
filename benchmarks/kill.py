"""Does a fit that is killed at random moments end with the bits of one that was never killed?

    python -m benchmarks.kill                       # 200 fits over all methods
    python -m benchmarks.kill --fits 20 --seed 1    # other ones
    python -m benchmarks.kill --cost                # what checkpoints cost, in per cent of a fit

Each fit is of a random method, alone or composed, with random options of the loop. It runs once to
its end, in a separate process. Then it runs again with `checkpoint=`, is killed (SIGKILL) at random
moments of its duration, three times by default, and runs once more to its end. Fitted attributes
and predictions are compared by sha256. The trained epochs are counted: a kill may cost one. The
benchmark fails if any of these is wrong.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("SEGCLF_NUM_THREADS", "1")

import argparse
import hashlib
import json
import multiprocessing
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier

import segclf
from benchmarks.shared.machine import describe_machine
from segclf.base import ImageTransformer, checkpoints
from segclf.cache import digest, learned
from segclf.datasets import make_shapes
from segclf.testing.samples import answer
from segclf.testing.small import small_estimator
from segclf.training import Checkpoint, loop

SHAPES = make_shapes(12, image_size=16, n_objects=2, target_radius=4, random_state=0)
MASKS = [None if index % 4 == 3 else mask for index, mask in enumerate(SHAPES.masks)]
N_EPOCHS = 6
OPTIONS: list[dict[str, Any]] = [
    {},
    {"schedule": "one_cycle", "optimizer": "adamw", "weight_decay": 0.1},
    {"optimizer": "sgd", "clip_gradients": 1.0},
    {"validation_fraction": 0.25, "n_iter_no_change": 2},
    {"validation_fraction": 0.25, "monitor": "loss", "average_weights": 0.5},
    {"precision": "bf16"},
    {"accumulate_batches": 2, "batch_size": 4},
    {"max_steps": 11, "batch_size": 5},
    {"encoder_rate": 0.0, "batch_size": 5, "augmentation": "flips"},
    {"encoder_start": 0.4, "encoder_rate": 0.5, "batch_size": 5},
]


def _methods() -> list[type[Any]]:
    public = [getattr(segclf, name) for name in segclf.__all__]
    kinds = [each for each in public if isinstance(each, type) and hasattr(each, "get_params")]
    return [kind for kind in kinds if "max_epochs" in kind().get_params()]


def _segmenter(**options: Any) -> Any:
    small = small_estimator(segclf.SupervisedSegmenter, 3)
    return small.set_params(**options)


COMPOSED: dict[str, Callable[[], Any]] = {
    "pretrainer inside": lambda: _segmenter(
        pretrainer=small_estimator(segclf.SimSiamPretrainer, 3)
    ),
    "folds": lambda: segclf.SegmentationClassifier(segmenter=_segmenter(), cv=2),
    "ensemble": lambda: segclf.SegmentationClassifier(
        segmenter=_segmenter(), cv=2, ensemble=True, summarizer="threshold"
    ),
    "rounds": lambda: segclf.PseudoLabelSemiSupervised(_segmenter(), max_iter=2),
    "teacher and student": lambda: segclf.DistilledSegmenter([_segmenter(), _segmenter()]),
}

REFUSED = {"PiCIESegmenter": {"augmentation"}}  # its views may not move apart


class Trial(NamedTuple):
    """A fit: its method or composition, options and seed."""

    name: str
    options: dict[str, Any]
    seed: int

    def fit(self, **checkpoint: Any) -> Any:
        estimator = self._estimator().set_params(random_state=self.seed, **checkpoint)
        if isinstance(estimator, ImageTransformer):
            return estimator.fit(SHAPES.images)
        if is_classifier(estimator):
            return estimator.fit(SHAPES.images, SHAPES.target, masks=MASKS)
        return estimator.fit(SHAPES.images, MASKS)

    def _estimator(self) -> Any:
        if self.name in COMPOSED:
            return COMPOSED[self.name]()
        estimator = small_estimator(getattr(segclf, self.name), N_EPOCHS)
        known = estimator.get_params().keys() - REFUSED.get(self.name, set())
        return estimator.set_params(**{k: v for k, v in self.options.items() if k in known})


def trials(n_fits: int, seed: int, names: list[str]) -> list[Trial]:
    """Make trials: each name in turn, the options at random."""
    random = np.random.default_rng(seed)
    options = random.integers(len(OPTIONS), size=n_fits)
    return [
        Trial(names[index % len(names)], OPTIONS[options[index]], seed + index)
        for index in range(n_fits)
    ]


def attempt(trial: Trial, folder: Path, kill_after: float | None, **checkpoint: Any) -> float:
    """Fit in a separate process; return the seconds until it ended or was killed."""
    process = multiprocessing.get_context("fork").Process(
        target=_child, args=(trial, folder, checkpoint)
    )
    started = time.perf_counter()
    process.start()
    process.join(kill_after)
    if process.is_alive():
        os.kill(process.pid, signal.SIGKILL)
    process.join()
    return time.perf_counter() - started


def _child(trial: Trial, folder: Path, checkpoint: dict[str, Any]) -> None:
    log = os.open(folder / "epochs", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    train_epoch = loop._train_epoch

    def counted(*args: Any) -> Any:
        os.write(log, b".")
        return train_epoch(*args)

    loop._train_epoch = counted
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = trial.fit(**checkpoint)
        result = {"learned": _bits(fitted), "predicted": _sha256(answer(fitted, SHAPES.images))}
    (folder / "result").write_text(json.dumps(result))


def _bits(estimator: Any) -> str:
    """Compute a digest of fitted attributes without seconds, including inner estimators."""
    state = learned(estimator)
    history = state.pop("history_", {})
    return digest(state, {name: history[name] for name in history if name != "seconds"})


def _sha256(values: Any) -> str:
    array = np.ascontiguousarray(values)
    return hashlib.sha256(f"{array.dtype} {array.shape}".encode() + array.tobytes()).hexdigest()


def judge(trial: Trial, n_kills: int, random: np.random.Generator, folder: Path) -> list[str]:
    """Return the errors after a fit that was killed several times; empty if there are none."""
    whole, killed = folder / "whole", folder / "killed"
    for each in (whole, killed):
        each.mkdir()
    seconds = attempt(trial, whole, None)
    options = {"checkpoint": killed / "checkpoint", "checkpoint_every": 1}
    for moment in random.uniform(0, seconds, size=n_kills):
        attempt(trial, killed, float(moment), **options)
        (killed / "result").unlink(missing_ok=True)
    attempt(trial, killed, None, **options)
    found = [_read(each) for each in (whole, killed)]
    n_epochs = [(each / "epochs").stat().st_size for each in (whole, killed)]
    wrong = [name for name in ("learned", "predicted") if found[0].get(name) != found[1].get(name)]
    wrong += ["no result"] * (not found[0] or not found[1])
    wrong += [f"{n_epochs[1]} epochs, not {n_epochs[0]}"] * (n_epochs[1] > n_epochs[0] + n_kills)
    return wrong


def _read(folder: Path) -> dict[str, str]:
    path = folder / "result"
    return json.loads(path.read_text()) if path.exists() else {}


COSTS: dict[str, Callable[[], Any]] = {
    "frozen encoder, 100 steps": lambda: segclf.SupervisedSegmenter(
        encoder="resnet18", encoder_rate=0.0
    ),
    "U-Net, ResNet-18, 30 epochs": lambda: segclf.SupervisedSegmenter(
        architecture="unet", encoder="resnet18", encoder_weights=None, max_epochs=30
    ),
    "classifier, tiny, 100 epochs": lambda: segclf.ImageClassifier(
        encoder="tiny", max_epochs=100, max_steps=None
    ),
}


class Clock:
    """Seconds, and those of the processor, that functions take while it runs."""

    def __init__(self) -> None:
        self.spent = np.zeros(2)

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            started = self.now()
            try:
                return function(*args, **options)
            finally:
                self.spent += self.now() - started

        return call

    @staticmethod
    def now() -> Any:
        return np.array([time.perf_counter(), time.process_time()])


def cost(make: Callable[[], Any], folder: Path) -> tuple[Any, Any]:
    """Return the cost of a fit and of its checkpoints: (seconds, processor seconds)."""
    shapes = make_shapes(48, image_size=64, n_objects=3, random_state=0)
    estimator = make().set_params(checkpoint=folder, random_state=0)
    labels = shapes.target if is_classifier(estimator) else shapes.masks
    clock = Clock()
    places = (checkpoints, "digest"), (Checkpoint, "load"), (Checkpoint, "save")
    before = [getattr(owner, name) for owner, name in places]
    for (owner, name), function in zip(places, before, strict=True):
        setattr(owner, name, clock.timed(function))
    started = clock.now()
    estimator.fit(shapes.images, labels)
    taken = clock.now() - started
    for (owner, name), function in zip(places, before, strict=True):
        setattr(owner, name, function)
    return taken, clock.spent


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fits", type=int, default=200)
    parser.add_argument("--kills", type=int, default=3, help="of each fit")
    parser.add_argument("--seed", type=int, default=0)
    names = [*(kind.__name__ for kind in _methods()), *COMPOSED]
    parser.add_argument("--names", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--cost", action="store_true")
    given = parser.parse_args(arguments)
    print(describe_machine())
    return _main_of_costs() if given.cost else _main_of_kills(given)


def _main_of_kills(given: argparse.Namespace) -> int:
    random, n_right = np.random.default_rng(given.seed), 0
    with warnings.catch_warnings():  # what processes import and look up once, these have by birth
        warnings.simplefilter("ignore")
        digest(_bits(_segmenter().fit(SHAPES.images, MASKS)))
    for number, trial in enumerate(trials(given.fits, given.seed, given.names), start=1):
        with tempfile.TemporaryDirectory() as folder:
            wrong = judge(trial, given.kills, random, Path(folder))
        n_right += not wrong
        if wrong:
            print(f"{trial}: {', '.join(wrong)}", flush=True)
        if number % 10 == 0 and number < given.fits:
            print(f"{n_right} of {number} so far", flush=True)
    print(f"{n_right} of {given.fits} fits end with the same bits, {given.kills} kills each.")
    return int(n_right < given.fits)


def _main_of_costs() -> int:
    print("| fit | seconds | of these checkpoints | per cent | of the processor's seconds |")
    print("|---|---|---|---|---|")
    highest = 0.0
    for index, (name, make) in enumerate([next(iter(COSTS.items())), *COSTS.items()]):
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            taken, spent = cost(make, Path(folder))
        if index == 0:  # imports, and a digest of the code, are once a process
            continue
        wall, processor = 100 * spent / taken
        highest = max(highest, processor)
        print(f"| {name} | {taken[0]:.1f} | {spent[0]:.3f} | {wall:.1f} | {processor:.1f} |")
    return int(highest > 3)


if __name__ == "__main__":
    sys.exit(main())
