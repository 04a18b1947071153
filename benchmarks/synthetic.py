"""When is it better to classify through segmentation? The S4C paper's Figure 5 on synthetic shapes.

One variable of the data changes from level to level; at each level SegmentationClassifier and
ImageClassifier train from scratch on the same images, with the same encoder, number of updates,
batch size, learning rate and schedule, and are scored on the same test images. Panels of the
figure: a training_size, b and c class_balance, d size_bias, e target_size, f
spurious_correlation, g location_bias.

Presets: "small" ends in a quarter of an hour on 2 cores (with --jobs 2), at a reduced size: panels
a, e and f, images of 64 x 64, at most 3,200 of them, four levels, 3 seeds, the "tiny" encoder in
both models, 500 updates of 16 images (rounded up to whole epochs), and Dice beside the
cross-entropy, which alone leaves small targets out in so short a training. "full" takes the
paper's images, levels, networks (ResNet-50 against FCN with ResNet-50), loss and learning rate,
and needs a GPU. In both the last weights count, not those of the best validation score as in the
paper; its number of updates is not known. Every setting is printed, and any can be changed.

Points are written to OUTPUT/synthetic.json as they come; a run with the same settings resumes.

Run: python benchmarks/synthetic.py [--preset small|full] [--jobs 2] [--output results]
"""

import argparse
import json
import math
import time
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import joblib
import numpy as np
from machine import describe_machine
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from segclf import ImageClassifier, SegmentationClassifier, SupervisedSegmenter
from segclf.datasets import SHAPES_EXPERIMENT_LEVELS, make_shapes_experiment

PANELS = {
    "training_size": ("a", "number of training images"),
    "class_balance": ("b, c", "fraction of positive training images"),
    "size_bias": ("d", "fraction of small training targets"),
    "target_size": ("e", "radius of target and background objects"),
    "spurious_correlation": ("f", "correlation of a pink square with the target"),
    "location_bias": ("g", "part of the image where training targets are"),
    "n_objects": ("-", "number of unique background objects"),
}
MODELS = ("SegmentationClassifier", "ImageClassifier")
METRICS = ("auroc", "balanced_accuracy")


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


PRESETS = {
    "small": Settings(
        levels={
            "training_size": (50, 200, 800, 3200),
            "target_size": (8, 16, 24, 40),
            "spurious_correlation": (0.5, 0.75, 0.9, 1.0),
            "class_balance": (0.05, 0.1, 0.5, 0.9, 0.95),
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


def main() -> None:
    options, settings = parsed_arguments()
    options.output.mkdir(parents=True, exist_ok=True)
    file = options.output / "synthetic.json"
    machine = f"{describe_machine()}, {options.jobs} job(s)"
    report = {"machine": machine, "settings": plain(settings), "points": []}
    if file.exists() and (earlier := json.loads(file.read_text()))["settings"] == plain(settings):
        report["points"] = earlier["points"]
    print_settings(report)
    for points in computed(settings, report["points"], options.jobs):
        report["points"] += points
        file.write_text(json.dumps(report, indent=1))
        print(*map(line, points), sep="\n", flush=True)
    print(f"\n{tables(settings, report['points'])}")
    print(f"Numbers: {file}\nPicture: {draw(settings, report, options.output)}")


def computed(settings, known, n_jobs):
    """Yield the points of one experiment, level and seed after the other, as they are ready."""
    done = {(point["experiment"], point["level"], point["seed"]) for point in known}
    wanted = [
        (experiment, level, seed)
        for seed in range(settings.seeds)
        for experiment in settings.experiments
        for level in settings.levels[experiment]
        if (experiment, level, seed) not in done
    ]
    # An estimator in a worker takes one thread, alone it takes all cores.
    parallel = joblib.Parallel(n_jobs=n_jobs, return_as="generator_unordered")
    yield from parallel(joblib.delayed(compare)(settings, *point) for point in wanted)


def compare(settings: Settings, experiment: str, level: float, seed: int) -> list[dict]:
    data = make_shapes_experiment(
        experiment,
        level,
        n_train=None if experiment == "training_size" else settings.n_train,
        n_validation=1,
        n_test=settings.n_test,
        image_size=settings.image_size,
        random_state=seed,
    )
    point = {"experiment": experiment, "level": level, "seed": seed}
    made = models(settings, len(data.train.images), seed)
    return [{**point, "model": name, **scores(made[name], data)} for name in MODELS]


def models(settings: Settings, n_train: int, seed: int) -> dict:
    """Both models, with as many epochs as make the number of updates."""
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


def scores(model, data) -> dict:
    """Train and test; training data of one class teach nothing and give chance."""
    train, test = data.train, data.test
    if len(np.unique(train.target)) < 2:
        return {"auroc": 0.5, "balanced_accuracy": 0.5, "seconds": 0.0, "cpu_seconds": 0.0}
    wall, processor = time.perf_counter(), time.process_time()
    model.fit(train.images, train.target, masks=train.masks)
    seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - processor
    probabilities = model.predict_proba(test.images)[:, 1]
    return {
        "auroc": float(roc_auc_score(test.target, probabilities)),
        "balanced_accuracy": float(balanced_accuracy_score(test.target, probabilities >= 0.5)),
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu_seconds, 2),
    }


def line(point: dict) -> str:
    return (
        f"{point['experiment']} {point['level']:g}, seed {point['seed']}, {point['model']}: "
        f"AUROC {point['auroc']:.3f}, balanced accuracy {point['balanced_accuracy']:.3f}, "
        f"{point['seconds']:.0f} s ({point['cpu_seconds']:.0f} s of processor time)"
    )


def tables(settings: Settings, points: list[dict]) -> str:
    """One Markdown table an experiment: mean over the seeds, lowest to highest."""
    parts = []
    for experiment in settings.experiments:
        panel, meaning = PANELS[experiment]
        parts += [
            f"### Figure 5{panel}: {meaning}\n" if panel != "-" else f"### {meaning}\n",
            f"Mean of {settings.seeds} seed(s) (lowest to highest).\n",
            "| "
            + " | ".join(
                [meaning, *(f"{m}, {k}" for k in ("AUROC", "balanced accuracy") for m in MODELS)]
            )
            + " |",
            "|" + "---|" * (1 + 2 * len(MODELS)),
        ]
        for level in settings.levels[experiment]:
            cells = [
                cell(values(points, experiment, level, model, metric))
                for metric in METRICS
                for model in MODELS
            ]
            parts.append(f"| {level:g} | " + " | ".join(cells) + " |")
        parts.append("")
    return "\n".join(parts)


def values(points: list[dict], experiment: str, level: float, model: str, metric: str):
    key = (experiment, level, model)
    return [p[metric] for p in points if (p["experiment"], p["level"], p["model"]) == key]


def cell(found: list[float]) -> str:
    return f"{np.mean(found):.3f} ({min(found):.3f} to {max(found):.3f})" if found else "-"


def draw(settings: Settings, report: dict, output: Path) -> Path:
    """One panel an experiment: the mean of the seeds as a line, all of them as a band."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    n_panels = len(settings.experiments)
    figure, axes = pyplot.subplots(
        1, n_panels, figsize=(4 * n_panels, 3.4), sharey=True, squeeze=False, layout="constrained"
    )
    for ax, experiment in zip(axes[0], settings.experiments, strict=True):
        levels = settings.levels[experiment]
        for model, color, marker in zip(MODELS, ("#0072B2", "#D55E00"), "os", strict=True):
            found = [
                values(report["points"], experiment, level, model, "auroc") for level in levels
            ]
            ax.plot(levels, [np.mean(v) for v in found], color=color, marker=marker, label=model)
            ax.fill_between(
                levels, list(map(min, found)), list(map(max, found)), color=color, alpha=0.2
            )
        panel, meaning = PANELS[experiment]
        ax.set(title=f"({panel}) {experiment.replace('_', ' ')}", xlabel=meaning)
        ax.axhline(0.5, color="gray", linewidth=0.8, linestyle="dotted")
        if experiment == "training_size":
            ax.set_xscale("log")
            ax.set_xticks(levels, [f"{level:g}" for level in levels], minor=False)
            ax.minorticks_off()
    axes[0, 0].set(ylabel="test AUROC", ylim=(0.4, 1.02))
    axes[0, 0].legend(loc="center left", fontsize="small")
    file = output / "synthetic.png"
    figure.savefig(file, dpi=120)
    pyplot.close(figure)
    return file


def print_settings(report: dict) -> None:
    print(report["machine"])
    for name, value in report["settings"].items():
        print(f"{name:14s} {value}")
    if report["points"]:
        print(f"{'resumed':14s} {len(report['points'])} scores are there already")
    print(flush=True)


def plain(settings: Settings) -> dict:
    """The settings as JSON gives them back, without the levels of what is not run."""
    chosen = replace(settings, levels={e: settings.levels[e] for e in settings.experiments})
    return json.loads(json.dumps(asdict(chosen)))


def parsed_arguments() -> tuple[argparse.Namespace, Settings]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=PRESETS, default="small")
    parser.add_argument("--jobs", type=int, default=1, help="worker processes, one thread each")
    parser.add_argument("--output", type=Path, default=Path("results"))
    changes = parser.add_argument_group("changes to the preset")
    changes.add_argument("--experiments", nargs="+", choices=PANELS, metavar="EXPERIMENT")
    changes.add_argument("--levels", nargs="+", type=float, help="of the one experiment given")
    for name, kind in (
        *((name, int) for name in ("seeds", "image-size", "n-train", "n-test", "updates")),
        *((name, str) for name in ("architecture", "encoder", "loss", "schedule")),
        *(("batch-size", int), ("learning-rate", float)),
    ):
        changes.add_argument(f"--{name}", type=kind)
    options = parser.parse_args()
    settings = PRESETS[options.preset]
    given = {field.name: getattr(options, field.name) for field in fields(Settings)}
    levels = given.pop("levels")
    settings = replace(settings, **{name: v for name, v in given.items() if v is not None})
    settings = replace(settings, experiments=tuple(settings.experiments))
    if levels:
        if len(settings.experiments) != 1:
            parser.error("--levels needs one experiment: --experiments NAME")
        (experiment,) = settings.experiments
        whole = experiment in ("training_size", "n_objects")
        settings = replace(
            settings, levels={experiment: tuple(int(v) if whole else v for v in levels)}
        )
    return options, settings


if __name__ == "__main__":
    main()
