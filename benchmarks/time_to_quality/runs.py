"""The runs of ``benchmarks.time_to_quality``: one of the sides on one set with one seed."""

import argparse
import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from benchmarks.shared.models import DEFAULT, fit, make
from benchmarks.shared.real_sets import findings, load_rgb, sample_units
from benchmarks.shared.records import records
from benchmarks.time_to_quality.rivals import train_fastai, train_monai, train_smp
from benchmarks.time_to_quality.simple_net import train_simple_net
from benchmarks.time_to_quality.watch import Watch

__all__ = ["DEFAULT", "GOALS", "NEEDS", "SETTINGS", "SIDES", "run"]

Task = tuple[str, str, int]  # data set, side, seed
GOALS = ("AUROC", "IoU")
OF_LGG_MRI = {"AUROC": 0.90, "IoU": 0.45}
RIVALS = {
    "segmentation-models-pytorch": train_smp,
    "fastai": train_fastai,
    "MONAI": train_monai,
    "like SuperSimpleNet": train_simple_net,
}
# What to install, and what is imported before the watch starts.
NEEDS = {"fastai": ("fastai", "fastai.vision.all"), "MONAI": ("monai", "monai.networks.nets")}
SIDES = {
    "lgg_mri": (DEFAULT, "segmentation-models-pytorch", "fastai", "MONAI"),
    "magnetic_tile": (DEFAULT, "like SuperSimpleNet"),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "quick": {"seeds": [0], "n_train": 100, "test_cap": 150, "budget": 200, "parameters": {}},
    "full": {"seeds": [0, 1, 2], "n_train": 100, "test_cap": 200, "budget": 600, "parameters": {}},
    "smoke": {
        "seeds": [0],
        "n_train": 16,
        "test_cap": 16,
        "budget": 2,
        "parameters": {"encoder": "tiny", "encoder_weights": None, "max_steps": 2},
    },
}


def run(task: Task, options: argparse.Namespace) -> None:
    """Train on the images of a seed, which all sides share; record scores over time."""
    name, side, seed = task
    data = load_rgb(options.data / name)
    pool = np.flatnonzero(data["split"] == "train")
    by_group = options.units == "groups"
    rows = sample_units(data, pool, options.n_train, seed, whole_groups=by_group)
    test = np.random.default_rng(0).permutation(np.flatnonzero(data["split"] == "test"))
    test = test[: options.test_cap]
    goals = goals_of(name, seed, options)
    images, masks = [data["images"][row] for row in rows], findings(data, rows)
    torch.manual_seed(seed)
    if side in NEEDS:
        importlib.import_module(NEEDS[side][1])
    watch = Watch(data, test, goals, options.budget)
    if side == DEFAULT:
        model = make(DEFAULT, seed, options.parameters)
        seconds = fit(model, data, rows)
        watch.curve = [{"seconds": seconds, **watch.test(predict_with(model))}]
        goals = goals or {what: watch.curve[0][what] for what in GOALS}
    else:
        RIVALS[side](images, masks, data["labels"][rows], watch)
    row = {"curve": watch.curve, "goals": goals}
    records(options).write(task, row, watch.curve[-1]["seconds"])


def goals_of(name: str, seed: int, options: argparse.Namespace) -> dict[str, float]:
    """Return the goals: on magnetic_tile the scores of the default, once they are known."""
    if name == "lgg_mri":
        return OF_LGG_MRI
    done = {tuple(row["task"]): row for row in records(options).rows()}
    return done[name, DEFAULT, seed]["goals"] if (name, DEFAULT, seed) in done else {}


def predict_with(model: Any) -> Any:
    def predict(images: Sequence[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
        maps = model.predict_mask_proba(images)
        return model.predict_proba(images)[:, 1], [np.asarray(each)[1] for each in maps]

    return predict
