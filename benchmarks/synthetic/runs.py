"""The runs of ``benchmarks.synthetic``: settings, training and scores of one point of Figure 5.

This is a separate module so that worker processes find it by name.
"""

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from benchmarks.shared.records import Records
from segclf import ImageClassifier, SegmentationClassifier, SupervisedSegmenter
from segclf.datasets import SHAPES_EXPERIMENT_LEVELS, make_shapes_experiment

Point = tuple[str, float, int]  # experiment, level, seed

# The sweeps of the S4C paper's Table A3, in the order of the panels of its Figure 5.
PANELS = {
    "training_size": ("a", "number of training images"),
    "class_balance": ("b, c", "fraction of positive training images"),
    "size_bias": ("d", "fraction of small training targets"),
    "target_size": ("e", "radius of target and background objects"),
    "spurious_correlation": ("f", "correlation of a pink square with the target"),
    "location_bias": ("g", "part of the image where training targets are"),
    "n_objects": ("", "number of unique background objects"),
}
MODELS = ("SegmentationClassifier", "ImageClassifier")


@dataclass(frozen=True, kw_only=True)
class Settings:
    experiments: tuple[str, ...] = ("training_size", "target_size", "spurious_correlation")
    levels: dict[str, tuple[float, ...]]
    seeds: int
    image_size: int
    n_train: int | None
    n_test: int
    architecture: str
    encoder: str
    loss: str
    updates: int
    batch_size: int
    learning_rate: float
    schedule: str

    def points(self) -> list[Point]:
        """Return what is to be measured, seed by seed."""
        return [
            (experiment, level, seed)
            for seed in range(self.seeds)
            for experiment in self.experiments
            for level in self.levels[experiment]
        ]

    def of_a_point(self) -> dict[str, Any]:
        """Return all that a score depends on, but for its own point."""
        choice = ("experiments", "levels", "seeds")
        return {name: value for name, value in asdict(self).items() if name not in choice}


PRESETS = {
    "small": Settings(
        levels={
            "training_size": (50, 200, 800, 3200),
            "target_size": (8, 16, 24, 40),
            "spurious_correlation": (0.5, 0.75, 0.9, 1.0),
            "class_balance": (0.05, 0.5, 0.95),
            "size_bias": (0.02, 0.1, 1 / 3),
            "location_bias": (0.0, 0.3, 0.6, 1.0),
            "n_objects": (1, 4, 10),
        },
        seeds=3,
        image_size=64,
        n_train=1600,
        n_test=500,
        architecture="unet",
        encoder="tiny",
        loss="dice_cross_entropy",
        updates=500,
        batch_size=16,
        learning_rate=1e-3,
        schedule="one_cycle",
    ),
    "full": Settings(
        # A class balance of 1, the paper's last, holds one class: nothing to tell apart.
        levels={**SHAPES_EXPERIMENT_LEVELS, "class_balance": (0.01, 0.05, 0.1, 0.5, 0.9, 0.99)},
        seeds=3,
        image_size=224,
        n_train=None,
        n_test=10_000,
        architecture="fcn",
        encoder="resnet50",
        loss="cross_entropy",
        updates=20_000,
        batch_size=32,
        learning_rate=1e-4,
        schedule="constant",
    ),
}


def measure(settings: Settings, output: Path, n_jobs: int) -> list[dict[str, Any]]:
    """Train and test points without results; return the rows of all points."""
    records = Records(output / "synthetic.jsonl", settings.of_a_point())
    done = {tuple(row["task"]) for row in records.rows()}
    missing = {
        point: [model for model in MODELS if (*point, model) not in done]
        for point in settings.points()
    }
    # An estimator in a worker takes one thread, alone it takes all cores.
    joblib.Parallel(n_jobs=n_jobs)(
        joblib.delayed(compare)(settings, point, names, records)
        for point, names in missing.items()
        if names
    )
    asked = set(missing)
    return [row for row in records.rows() if tuple(row["task"][:3]) in asked]


def compare(settings: Settings, point: Point, names: list[str], records: Records) -> None:
    """Train models on the same images, and record their scores."""
    experiment, level, seed = point
    data = make_shapes_experiment(
        experiment,
        level,
        n_train=None if experiment == "training_size" else settings.n_train,
        n_validation=1,
        n_test=settings.n_test,
        image_size=settings.image_size,
        random_state=seed,
    )
    made = models(settings, len(data.train.images), seed)
    for name in names:
        started = time.process_time()
        found = scores(made[name], data)
        records.write((*point, name), found, time.process_time() - started)


def models(settings: Settings, n_train: int, seed: int) -> dict[str, Any]:
    """Return both models, with as many epochs as make the number of updates."""
    shared = {
        "encoder": settings.encoder,
        "max_epochs": math.ceil(settings.updates / math.ceil(n_train / settings.batch_size)),
        "batch_size": settings.batch_size,
        "learning_rate": settings.learning_rate,
        "schedule": settings.schedule,
        "random_state": seed,
    }
    segmenter = SupervisedSegmenter(
        architecture=settings.architecture, loss=settings.loss, **shared
    )
    return {
        "SegmentationClassifier": SegmentationClassifier(segmenter=segmenter),
        "ImageClassifier": ImageClassifier(**shared),
    }


def scores(model: Any, data: Any) -> dict[str, float]:
    """Train and test; training data of one class teach nothing and give chance."""
    train, test = data.train, data.test
    if len(np.unique(train.target)) < 2:
        return {"auroc": 0.5, "balanced_accuracy": 0.5}
    model.fit(train.images, train.target, masks=train.masks)
    probabilities = model.predict_proba(test.images)[:, 1]
    return {
        "auroc": float(roc_auc_score(test.target, probabilities)),
        "balanced_accuracy": float(balanced_accuracy_score(test.target, probabilities >= 0.5)),
    }
