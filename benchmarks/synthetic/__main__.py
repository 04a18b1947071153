"""When is it better to classify through segmentation? The S4C paper's Figure 5 on synthetic shapes.

One variable of the data changes from level to level; at each level SegmentationClassifier and
ImageClassifier train from scratch on the same images, with the same encoder, number of updates,
batch size, learning rate and schedule, and are scored on the same test images. Panels of the
figure: a training_size, b and c class_balance, d size_bias, e target_size, f
spurious_correlation, g location_bias. The paper's Table A3 has n_objects, too.

Presets: "small" ends in a quarter of an hour on 2 cores (with --jobs 2), at a reduced size: panels
a, e and f, images of 64 x 64, at most 3,200 of them, four levels, 3 seeds, the "tiny" encoder in
both models, 500 updates of 16 images (rounded up to whole epochs), and Dice beside the
cross-entropy, which alone leaves small targets out in so short a training. "full" takes the
paper's images, levels, networks (ResNet-50 against FCN with ResNet-50), loss and learning rate,
and needs a GPU. In both the last weights count, not those of the best validation score as in the
paper; its number of updates is not known. Every setting is printed, and any can be changed.

Scores are written to OUTPUT/synthetic.jsonl as they come; a run with the same settings resumes.
``benchmarks.robustness`` runs all panels.

Run: python -m benchmarks.synthetic [--preset small|full] [--jobs 2] [--output results]
"""

import argparse
import json
from dataclasses import asdict, fields, replace
from pathlib import Path

from benchmarks.shared.machine import describe_machine
from benchmarks.synthetic.runs import PANELS, PRESETS, Settings, measure
from benchmarks.synthetic.tables import draw, tables


def main() -> None:
    options, settings = parsed_arguments()
    machine = f"{describe_machine()}, {options.jobs} job(s)"
    print(f"{machine}\n{json.dumps(asdict(settings))}\n", flush=True)
    options.output.mkdir(parents=True, exist_ok=True)
    rows = measure(settings, options.output, options.jobs)
    report = f"{machine}\n\n{tables(settings, rows)}"
    (options.output / "synthetic.md").write_text(report)
    draw(settings, rows, options.output / "synthetic.png")
    print(f"\n{report}\nPicture: {options.output / 'synthetic.png'}")


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
