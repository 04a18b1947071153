"""The runs of ``benchmarks.ablations``: the default, and each change on the same images.

A module of its own, so that worker processes keep the data that they read.
"""

import argparse
from dataclasses import replace
from typing import Any

import numpy as np
from segclf_plugins.summarizers import ThresholdSummarizer

from benchmarks.ablations.changes import CHANGES, DEFAULT, FLIPS, SCORES, Change
from benchmarks.shared.intervals import aurocs
from benchmarks.shared.models import fit, predictions, resolved
from benchmarks.shared.real_sets import load_rgb, sample_units, without_masks
from benchmarks.shared.records import records
from segclf import SegmentationClassifier

SETTINGS: dict[str, dict[str, Any]] = {
    "quick": {"seeds": [0], "share": 0.1, "at_least": 100, "test_cap": 150, "parameters": {}},
    "full": {
        "seeds": [0, 1, 2, 3, 4],
        "share": 0.1,
        "at_least": 100,
        "test_cap": None,
        "parameters": {},
    },
    "smoke": {
        "seeds": [0, 1],
        "share": 0.01,
        "at_least": 24,
        "test_cap": 24,
        "parameters": {
            "encoder": "tiny",
            "encoder_weights": None,
            "max_steps": 2,
            "image_size": [32, 32],
        },
    },
}
SHARE_OF_MASKS = 0.1  # of the positives, where masks are few
OF_A_FIT = ("memory", "random_state", "verbose")


def run_cell(name: str, seed: int, options: argparse.Namespace) -> None:
    """Fit the default and all changes, one after the other."""
    data = load_rgb(options.data / name)
    pool = np.flatnonzero(data["split"] == "train")
    n = min(len(pool), max(options.at_least, round(options.share * len(pool))))
    rows = sample_units(data, pool, n, seed, whole_groups=options.units == "groups")
    test = np.flatnonzero(data["split"] == options.test_on)[: options.test_cap]
    done = {tuple(row["task"]): row for row in records(options).rows()}
    for change in (DEFAULT, *options.changes):
        if (name, seed, change) not in done:
            chosen = done[name, seed, DEFAULT]["chosen"] if change != DEFAULT else None
            run((name, seed, change), data, rows, test, chosen, options)
            done = {tuple(row["task"]): row for row in records(options).rows()}


def run(
    task: tuple[str, int, str],
    data: dict[str, Any],
    rows: np.ndarray,
    test: np.ndarray,
    chosen: dict[str, Any] | None,
    options: argparse.Namespace,
) -> None:
    """Fit one of them and write its scores; for the default, also those of other summarizers."""
    name, seed, change = task
    if change in (FLIPS, *SCORES):
        return  # written with the default
    if chosen is not None and is_default(CHANGES[change], chosen):
        records(options).write(task, {"is default": True}, 0.0)
        return
    model = make(CHANGES[change], seed, chosen, options)
    shown = without_masks(data, rows, SHARE_OF_MASKS, seed) if CHANGES[change].few_masks else data
    seconds = fit(model, shown, rows)
    write = records(options).write
    found = scores(model, data, test)
    if change != DEFAULT:
        write(task, found, seconds)
        return
    for what, auroc in other_scores(model, data, test).items():
        write((name, seed, what), {"AUROC": auroc, "IoU": None}, seconds)
    model.segmenter_.set_params(test_time_flips="both")
    write((name, seed, FLIPS), scores(model, data, test), seconds)
    # The last one: if it exists, all rows of its maps do.
    write(task, found | {"chosen": settled(model, data)}, seconds)


def make(
    change: Change, seed: int, chosen: dict[str, Any] | None, options: argparse.Namespace
) -> SegmentationClassifier:
    """Return the classifier; if anything is changed, with the default's choices set explicitly."""
    parameters = options.parameters | options.kept
    if chosen is not None:
        parameters = parameters | chosen | change.network(chosen)
    segmenter = change.segmenter(**parameters) if parameters else None
    return SegmentationClassifier(segmenter=segmenter, random_state=seed, **change.classifier)


def is_default(change: Change, chosen: dict[str, Any]) -> bool:
    """Return whether the change equals the default."""
    return CHANGES[DEFAULT] == replace(change, network=CHANGES[DEFAULT].network) and all(
        chosen[name] == value for name, value in change.network(chosen).items()
    )


def settled(model: Any, data: dict[str, Any]) -> dict[str, Any]:
    """Return the segmenter's chosen parameters, with its image size as height and width."""
    segmenter = model.segmenter_
    simple = (bool, int, float, str, tuple, list, type(None))
    given = {k: v for k, v in segmenter.get_params().items() if isinstance(v, simple)}
    size = segmenter.image_size_ or np.median([i.shape[:2] for i in data["images"]], axis=0)
    became = given | resolved(model) | {"image_size": [int(side) for side in size]}
    return {name: value for name, value in became.items() if name not in OF_A_FIT}


def scores(model: Any, data: dict[str, Any], rows: np.ndarray) -> dict[str, float | None]:
    """Return AUROC, and IoU of the findings."""
    found = predictions(model, data, rows)
    auroc = float(aurocs(data["labels"][rows], np.array(found["scores"])))
    return {"AUROC": auroc, "IoU": sum(found["intersections"]) / max(1, sum(found["unions"]))}


def other_scores(model: Any, data: dict[str, Any], rows: np.ndarray) -> dict[str, float]:
    """Return the AUROC of each other score of the same maps."""
    area = float(np.ravel(model.summarizer_.min_area_)[0])
    rules = {
        what: ThresholdSummarizer(**{"min_area": area, **parameters})
        for what, parameters in SCORES.items()
    }
    for rule in rules.values():
        rule.fit(np.zeros((2, 1, 4, 4)), [0, 1])  # it learns which labels there are
    said = {what: np.zeros(len(rows)) for what in SCORES}
    images = [data["images"][row] for row in rows]
    for indices, maps in model.segmenter_.predict_proba_batches(images):
        for what, rule in rules.items():
            said[what][indices] = rule.predict_proba(maps[:, 1:2])[:, 1]
    return {what: float(aurocs(data["labels"][rows], each)) for what, each in said.items()}
