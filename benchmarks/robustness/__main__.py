"""Do spurious correlations mislead models? On shapes, and with a mark in real images.

Shapes: all panels of the S4C paper's Figure 5, described in ``benchmarks.synthetic``.

Mark: most pneumothoraces of CANDID come with a chest tube. If the tube misleads (a pneumothorax
without, or only a tube), the paper's classifier has an AUROC of .58, segmentation .84 (S4C, section
5). Here a scale bar is painted into a corner of 90 % of the training images with a finding and
of 10 % of the others; masks are not changed. For comparison, it is painted into 50 % of both.
All framings are their classes without arguments and learn from the same images: segmentation with
the default summarizer, "joint", and with "threshold", which uses only the masks, from masks of
all findings or of 10 % of them (the others, marked or not, have only a label); classification from
labels. Every test image is scored with and without the bar, so that there is no other difference:
AUROC with the bar as in training, without it, and if it misleads (robust AUROC); predicted
findings, and their places (strict recall).

    python -m benchmarks.robustness --data FOLDER --jobs 2

A run that ended early resumes; ``--smoke`` goes through everything with next to no training.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

from benchmarks.robustness.runs import FRAMINGS, SETTINGS, run
from benchmarks.robustness.tables import make_report
from benchmarks.shared.machine import describe_machine
from benchmarks.shared.models import of_encoder
from benchmarks.shared.records import measured
from benchmarks.synthetic import runs as synthetic_runs
from benchmarks.synthetic.tables import draw, tables

PARTS = ("shapes", "mark")


def main() -> None:
    options = parse_arguments()
    options.output.mkdir(parents=True, exist_ok=True)
    machine = f"{describe_machine()}, {options.jobs} at a time"
    print(f"{machine}\n", flush=True)
    parts = {"shapes": shapes, "mark": real_images}
    report = "\n".join([f"{machine}.\n", *(parts[part](options) for part in options.parts)])
    (options.output / f"{options.name}.md").write_text(report)
    print(f"\n{report}")


def shapes(options: argparse.Namespace) -> str:
    settings = options.shapes
    print(f"{json.dumps(settings.of_a_point())}\n", flush=True)
    rows = synthetic_runs.measure(settings, options.output, options.jobs)
    draw(settings, rows, options.output / f"{options.name}.png")
    return f"## Shapes\n\n{tables(settings, rows)}"


def real_images(options: argparse.Namespace) -> str:
    print(f"{json.dumps(options.settings)}\n", flush=True)
    tasks = [
        (name, share, seed, framing)
        for name in options.sets
        for share in options.shares
        for framing in options.framings
        for seed in options.seeds
    ]
    report = make_report(measured(tasks, run, options), options.settings, options.jobs)
    return f"## A mark in real images\n\n{report}"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--data", type=Path, help="folder with the data sets")
    parser.add_argument("--encoder", help="for all framings; by default each chooses its own")
    parser.add_argument("--weights", help="name or file; by default ImageNet's")
    parser.add_argument("--layer", help="whose maps say where the classifier looks")
    parser.add_argument("--framings", nargs="+", choices=FRAMINGS, default=list(FRAMINGS))
    parser.add_argument("--setting", choices=("small", "large"), default="small")
    parser.add_argument("--smoke", action="store_true", help="everything, with tiny numbers")
    parser.add_argument("--sets", nargs="+", default=["lgg_mri", "busi"])
    parser.add_argument("--shares", nargs="+", type=float, default=[0.5, 0.9])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--test-on", choices=("val", "test"), default="test")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("results"))
    parser.add_argument("--name", default="robustness")
    options = parser.parse_args()
    if "mark" in options.parts and options.data is None:
        parser.error("a mark needs real images: --data FOLDER, or --parts shapes")
    options.shapes = shape_settings(options)
    options.setting = dict(SETTINGS["smoke" if options.smoke else options.setting])
    options.setting["layer"] = options.layer or options.setting["layer"]
    if options.smoke:
        options.sets, options.seeds, options.shares = options.sets[-1:], [0], [0.9]
    options.parameters = (
        of_encoder(options.encoder, options.weights) | options.setting["parameters"]
    )
    names = ("setting", "parameters", "test_on")
    options.settings = {name: getattr(options, name) for name in names}
    return options


def shape_settings(options: argparse.Namespace) -> synthetic_runs.Settings:
    preset = synthetic_runs.PRESETS["small" if options.setting == "small" else "full"]
    panels = tuple(name for name, (panel, _) in synthetic_runs.PANELS.items() if panel)
    settings = replace(preset, experiments=panels, seeds=len(options.seeds))
    if not options.smoke:
        return settings
    levels = {name: levels[1:2] for name, levels in settings.levels.items()}
    return replace(settings, levels=levels, seeds=1, n_train=32, n_test=32, updates=1)


if __name__ == "__main__":
    main()
