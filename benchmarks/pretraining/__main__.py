"""Does pretraining on images alone help a network with few masks or labels?

Segmentation: one and the same segmenter learns from 5, 10 and 25 % of the masks of the training
split, from scratch and after each of the eight pretrainers, which saw all of its images without
masks; 3 seeds, foreground IoU on the test split. Beside them all of these without any fine-tuning
(only OtsuPretrainer's decoder has been trained then), and masks that are all foreground, all
background, or Otsu's threshold. Which side of the threshold is the object (polarity), and where a
random decoder's maps are cut, is chosen on the fewest masks that a fine-tuning gets.

Classification: macro F1 with 10 % of the labels of two sets, by a linear probe and by fine-tuning,
after CASS, after DINO and from scratch, for a transformer and for a convolutional network.

    python -m benchmarks.pretraining --data FOLDER --jobs 2

Every method sees the same number of images in pretraining, with one batch size and optimizer; every
fine-tuning takes the same number of steps. Each pretrained network is saved and used in all
fine-tunings of its seed. The small setting takes an hour on 2 cores; ``--setting large --jobs 1``
needs a GPU. ``--segmenter cnn`` leaves MAE out, which needs a transformer. A run that ended early
resumes; ``--smoke`` goes through everything with next to no training.
"""

import argparse
import json
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import joblib

from benchmarks.pretraining.runs import END_TO_END, LABEL_TASKS, Task, run_chain
from benchmarks.pretraining.settings import PRETRAINERS, SETTINGS, VIT_ONLY, settings_of
from benchmarks.pretraining.tables import make_report
from benchmarks.shared.machine import describe_machine
from benchmarks.shared.records import missing, rows_by_task


def main() -> None:
    options = parse_arguments()
    machine = describe_machine()
    print(f"{machine}\n{json.dumps(options.settings)}\n", flush=True)
    options.output.mkdir(parents=True, exist_ok=True)
    tasks = make_tasks(options)
    chains = defaultdict(list)
    for task in missing(tasks, options):
        chains[chain_of(task)].append(task)
    joblib.Parallel(n_jobs=options.jobs)(
        joblib.delayed(run_chain)(chain, options) for chain in chains.values()
    )
    report = make_report(
        sorted_rows(tasks, options), options.settings, f"{machine}, {options.jobs} at a time"
    )
    (options.output / f"{options.name}.md").write_text(report)
    print(report)


def make_tasks(options: argparse.Namespace) -> list[Task]:
    """List all runs; those that share a pretraining follow each other."""
    encoder = options.parts[options.segmenter]
    methods = [m for m in PRETRAINERS if options.segmenter == "vit" or m not in VIT_ONLY]
    tasks: list[Task] = []
    for name in options.sets:
        for seed in options.seeds:
            tasks.append((name, seed, "-", "baselines", ""))
            for start in ("scratch", "Otsu, encoder", END_TO_END, *methods[1:]):
                tasks += [(name, seed, start, "masks", f) for f in options.fractions]
                tasks.append((name, seed, start, "no masks", ""))
                if name in options.label_sets and start in ("scratch", "CASS", "DINO"):
                    for network in sorted(options.parts.values(), key=lambda e: e != encoder):
                        tasks += [(name, seed, start, what, network) for what in LABEL_TASKS]
    return tasks


def sorted_rows(tasks: list[Task], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the requested rows in their order, then those of the pretrainings."""
    rows = rows_by_task(options)
    pretrainings = [
        task
        for task in sorted(rows, key=str)
        if task[3] == "pretraining" and task[0] in options.sets and task[1] in options.seeds
    ]
    return [rows[task] for task in [*tasks, *pretrainings]]


def chain_of(task: Task) -> tuple[str, int, str]:
    """Return what tasks with the same pretraining have in common; one process does them."""
    name, seed, start, *_ = task
    return name, seed, start.partition(",")[0]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--setting", choices=("small", "large"), default="small")
    parser.add_argument("--smoke", action="store_true", help="everything, with tiny numbers")
    parser.add_argument("--segmenter", choices=("vit", "cnn"), default="vit")
    parser.add_argument("--sets", nargs="+", default=["isic2017", "busi", "lgg_mri"])
    parser.add_argument("--label-sets", nargs="*", default=["isic2017", "busi"])
    parser.add_argument("--fractions", nargs="+", type=float, default=[0.05, 0.1, 0.25])
    parser.add_argument("--label-fraction", type=float, default=0.1)
    parser.add_argument("--seeds", nargs="+", type=int)
    parser.add_argument("--cap", type=int, help="training images of pretraining, at most")
    parser.add_argument("--images-seen", type=int, help="by each pretraining")
    parser.add_argument("--steps", type=int, help="of each fine-tuning")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("results"))
    parser.add_argument("--name", default="pretraining")
    parser.add_argument(
        "--pretrained",
        type=Path,
        default=Path(tempfile.gettempdir()) / "segclf_pretraining",
        help="folder for what pretrainings learned, 1 GB in the small setting",
    )
    options = parser.parse_args()
    changes = {k: v for k in ("cap", "images_seen", "steps") if (v := getattr(options, k))}
    options.setting = SETTINGS["smoke" if options.smoke else options.setting] | changes
    options.seeds = options.seeds or ([0] if options.smoke else [0, 1, 2])
    options.test_cap = 24 if options.smoke else None
    options.parts = {"vit": options.setting["vit"], "cnn": options.setting["cnn"]}
    options.settings = settings_of(options)
    return options


if __name__ == "__main__":
    main()
