"""Real images: classify through a segmentation, or straight from the image?

Each data set is a folder with ``labels.csv`` (image, mask, label, split) and ``meta.csv`` (group).
The question is presence: any finding against none. Both sides get the same images, encoder,
number of steps, augmentation and schedule; trivial baselines stand beside them. The small preset
holds three sets, 10 % and 100 % of the training images (from scratch only 10 %), 3 seeds, images of
96 x 96 and 180 steps of 16, and ends in an hour on 2 cores; the full one needs a GPU.

    python -m benchmarks.real_data --data FOLDER --preset small --jobs 2
"""

import argparse
import copy
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import joblib
import numpy as np
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from benchmarks.shared.machine import describe_machine
from benchmarks.shared.markdown import mean_over_seeds
from benchmarks.shared.real_sets import load, sample
from segclf import ImageClassifier, SegmentationClassifier, SupervisedSegmenter
from segclf.metrics import confidence_interval

SETS = ("busi", "coffee_leaf", "lgg_mri", "magnetic_tile", "road_pothole")
FRAMINGS = ("segmentation", "classification")

RECIPE: dict[str, Any] = {
    "batch_size": 16,
    "optimizer": "adamw",
    "learning_rate": 1e-3,
    "weight_decay": 1e-2,
    "schedule": "one_cycle",
    "augmentation": "light",
}
SEGMENTER: dict[str, Any] = {"architecture": "unet", "loss": "dice_cross_entropy"}
CLASSIFIER: dict[str, Any] = {"loss": "cross_entropy"}
SUMMARIZER = "threshold"

PRESETS: dict[str, dict[str, Any]] = {
    "small": {
        "sets": ["busi", "lgg_mri", "magnetic_tile"],
        "fractions": [0.1, 1.0],
        "scratch_up_to": 0.1,
        "inits": ["scratch", "imagenet"],
        "seeds": [0, 1, 2],
        "size": 96,
        "steps": 180,
    },
    "full": {
        "sets": list(SETS),
        "fractions": [0.1, 1.0],
        "scratch_up_to": 1.0,
        "inits": ["scratch", "imagenet"],
        "seeds": [0, 1, 2],
        "size": 256,
        "steps": 4000,
    },
}


def main() -> None:
    options = parse_arguments()
    machine = describe_machine()
    print(f"{machine}\n{json.dumps({k: str(v) for k, v in vars(options).items()})}\n", flush=True)
    tasks = [
        (name, fraction, init, seed, framing)
        for seed in options.seeds
        for name in options.sets
        for fraction in options.fractions
        for init in options.inits
        for framing in options.framings
        if init == "imagenet" or fraction <= options.scratch_up_to
    ]
    options.output.mkdir(parents=True, exist_ok=True)
    log = options.output / f"{options.name}.jsonl"
    done = {tuple(row["task"]) for row in rows_of_this_run(log, options)}
    started = time.perf_counter()
    joblib.Parallel(n_jobs=options.jobs)(
        joblib.delayed(run)(task, options, log) for task in tasks if task not in done
    )
    rows = [row for row in rows_of_this_run(log, options) if tuple(row["task"]) in set(tasks)]
    table = make_table(rows, options)
    minutes = (time.perf_counter() - started) / 60
    text = f"{machine}\n\n{table}\n\nTraining and testing took {minutes:.0f} minutes.\n"
    (options.output / f"{options.name}.md").write_text(text)
    print(text)


def run(task: tuple[str, float, str, int, str], options: argparse.Namespace, log: Path) -> None:
    """Train and test one model, and append the result to the log."""
    name, fraction, init, seed, framing = task
    data = load(options.data / name, options.size)
    train = sample(data, fraction, seed)
    test = np.flatnonzero(data["split"] == options.test_on)
    model = make_model(framing, init, seed, len(train), options)
    started = time.perf_counter()
    masks = {"masks": [data["masks"][i] for i in train]} if framing == "segmentation" else {}
    model.fit(data["images"][train], data["labels"][train], **masks)
    seconds = time.perf_counter() - started
    row = {
        "task": task,
        "n_train": len(train),
        "seconds": seconds,
        "scores": score_images(model, framing, data["images"][test]),
        "labels": data["labels"][test].tolist(),
        "groups": data["groups"][test].tolist(),
        "run": run_of(options),
    }
    with log.open("a") as file:
        file.write(json.dumps(row) + "\n")
    auroc = {k: round(roc_auc_score(row["labels"], s), 3) for k, s in row["scores"].items()}
    print(*task, len(train), f"{seconds:.0f} s", auroc, flush=True)


def make_model(
    framing: str, init: str, seed: int, n_train: int, options: argparse.Namespace
) -> Any:
    """Return one side of the comparison; both train for the same number of steps."""
    changes = options.settings
    recipe = {**RECIPE, **changes.get("recipe", {})}
    steps_per_epoch = -(-n_train // recipe["batch_size"])
    recipe |= {
        "encoder": options.encoder,
        "encoder_weights": options.weights if init == "imagenet" else None,
        "max_epochs": max(1, round(options.steps / steps_per_epoch)),
        "random_state": seed,
    }
    if framing == "classification":
        return ImageClassifier(**{**recipe, **CLASSIFIER, **changes.get("classifier", {})})
    segmenter = SupervisedSegmenter(**{**recipe, **SEGMENTER, **changes.get("segmenter", {})})
    return SegmentationClassifier(segmenter=segmenter, summarizer=SUMMARIZER)


def score_images(model: Any, framing: str, images: np.ndarray) -> dict[str, list[float]]:
    """Return the score of each image; for segmentation by every pooling of the rule as well."""
    if framing == "classification":
        return {"default": model.predict_proba(images)[:, 1].tolist()}
    scores = defaultdict(list)
    for _, maps in model.segmenter_.predict_proba_batches(images):
        findings = maps[:, 1:2]
        scores["default"] += model.summarizer_.predict_proba(findings)[:, 1].tolist()
        for pooling in ("mean", "rank", "top_mean", "max"):
            rule = copy.copy(model.summarizer_).set_params(pooling=pooling)
            scores[pooling] += rule.predict_proba(findings)[:, 1].tolist()
    return dict(scores)


def otsu_rows(options: argparse.Namespace) -> list[str]:
    """Score images by the share of pixels on Otsu's bright side; its sign is learned in training.

    The other trivial baselines need no run: a mask that is all foreground and the prevalence give
    every image one score, which is an AUROC and a balanced accuracy of .5.
    """
    rows = []
    for name in options.sets:
        data = load(options.data / name, options.size)
        shares = np.array([otsu_share(image) for image in data["images"]])
        train, test = (data["split"] == part for part in ("train", options.test_on))
        labels, sign = data["labels"], 1.0
        if roc_auc_score(labels[train], shares[train]) < 0.5:
            sign = -1.0
        scores = 0.5 + sign * (shares[test] - np.median(shares[train]))
        what = [name, train.sum(), "-", "Otsu's share of bright pixels"]
        rows.append(row_of(what, labels[test], scores[:, None], data["groups"][test], 0))
    return rows


def otsu_share(image: np.ndarray) -> float:
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return float((cv2.threshold(gray, 0, 1, cv2.THRESH_OTSU)[1]).mean())


def make_table(rows: list[dict[str, Any]], options: argparse.Namespace) -> str:
    """Return the results as Markdown: means over seeds, 95 % intervals over groups."""
    lines = [
        "| data set | images | start | framing | AUROC | balanced accuracy | s |",
        "|---|---|---|---|---|---|---|",
    ]
    grouped = defaultdict(list)
    for row in rows:
        name, fraction, init, _, framing = row["task"]
        grouped[name, fraction, init, framing].append(row)
    for (name, _, init, framing), same in sorted(grouped.items()):
        scores = np.array([row["scores"]["default"] for row in same]).T
        seconds = np.mean([row["seconds"] for row in same])
        what = [name, same[0]["n_train"], init, f"{framing} ({len(same)} seeds)"]
        lines.append(row_of(what, same[0]["labels"], scores, same[0]["groups"], seconds))
    return "\n".join(lines + otsu_rows(options))


def row_of(what: list[Any], labels: Any, scores: np.ndarray, groups: Any, seconds: float) -> str:
    """Return a line of the table; scores (n, seeds) are positive above .5."""
    numbers = [
        confidence_interval(mean_over_seeds(score), labels, scores, groups=groups, random_state=0)
        for score in (roc_auc_score, lambda y, s: balanced_accuracy_score(y, s > 0.5))
    ]
    cells = [f"{mean:.3f} ({low:.3f} to {high:.3f})" for mean, low, high in numbers]
    return "| " + " | ".join([*map(str, what), *cells, f"{seconds:.0f}"]) + " |"


def rows_of_this_run(log: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Read what was done before, with these very settings; so an ended run resumes."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [row for row in map(json.loads, lines) if row.get("run") == run_of(options)]


def run_of(options: argparse.Namespace) -> list[Any]:
    return [options.encoder, options.size, options.steps, options.test_on, options.settings]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--weights", type=Path, help="ImageNet weights of the encoder")
    parser.add_argument("--encoder", default="mobilenet_v2")
    parser.add_argument("--preset", choices=PRESETS, default="small")
    parser.add_argument("--sets", nargs="+")
    parser.add_argument("--fractions", nargs="+", type=float)
    parser.add_argument("--scratch-up-to", type=float, help="largest fraction to run from scratch")
    parser.add_argument("--inits", nargs="+", choices=("scratch", "imagenet"))
    parser.add_argument("--seeds", nargs="+", type=int)
    parser.add_argument("--size", type=int)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--framings", nargs="+", choices=FRAMINGS, default=list(FRAMINGS))
    parser.add_argument("--settings", type=json.loads, default={}, help="changes, as JSON")
    parser.add_argument("--test-on", choices=("val", "test"), default="test")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("results"))
    parser.add_argument("--name", default="real_data")
    options = parser.parse_args()
    for name, value in PRESETS[options.preset].items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


if __name__ == "__main__":
    main()
