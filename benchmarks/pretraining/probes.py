"""Does pretraining on unlabeled images improve the encoder, from scratch and from ImageNet?

Each method trains an encoder for thousands of steps on all training images of a set, without masks
and labels, from random weights or from those of ImageNet. It is evaluated in ways that depend on
the encoder:

- pixel probe: a linear classifier of the encoder's maps, resized to one grid, for each pixel, with
  a share of the masks; the encoder is frozen.
- linear probe: a linear classifier of the embedding, with a share of the labels; frozen as well.
- fine-tuned: a segmenter whose head reads the encoder alone (an FPN on a convolutional encoder,
  hypercolumns on a transformer), all of it trained on a share of the masks. "At random" is its
  score after the encoder's weights are replaced by random ones, which shows the head's own part.

    python -m benchmarks.pretraining.probes --data FOLDER --setting long --jobs 8

"none" is the start itself. A transformer has no weights of ImageNet here; it starts from scratch.
A run that ended early resumes; ``--setting smoke`` goes through everything in minutes.
"""

import argparse
import json
import tempfile
from collections import defaultdict
from pathlib import Path

import joblib

from benchmarks.pretraining.probe_runs import JUDGES, METHODS, PROBE_SETTINGS, Task, run_chain
from benchmarks.pretraining.probe_tables import make_report
from benchmarks.shared.machine import describe_machine
from benchmarks.shared.records import missing, rows_by_task


def main() -> None:
    options = parse_arguments()
    options.output.mkdir(parents=True, exist_ok=True)
    machine = f"{describe_machine()}, {options.jobs} at a time"
    print(f"{machine}\n{json.dumps(options.settings)}\n", flush=True)
    tasks = make_tasks(options)
    chains = defaultdict(list)
    for task in missing(tasks, options):
        chains[task[:5]].append(task)
    joblib.Parallel(n_jobs=options.jobs)(
        joblib.delayed(run_chain)(chain, options) for chain in chains.values()
    )
    rows = rows_by_task(options)
    text = f"{machine}; {json.dumps(options.settings)}.\n\n{make_report([rows[t] for t in tasks])}"
    (options.output / f"{options.name}.md").write_text(text)
    print(f"\n{text}")


def make_tasks(options: argparse.Namespace) -> list[Task]:
    """List set, seed, encoder, start, method and judge; one process does those of a method."""
    return [
        (name, seed, encoder, start, method, judge)
        for name in options.sets
        for seed in options.seeds
        for encoder, starts in options.setting["encoders"].items()
        for start in starts
        if start in options.starts
        for method in ("none", *options.methods)
        if method in METHODS[encoder]
        for judge in JUDGES
    ]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--setting", choices=PROBE_SETTINGS, default="long")
    parser.add_argument("--sets", nargs="+", default=["busi", "lgg_mri", "magnetic_tile"])
    parser.add_argument("--methods", nargs="+", choices=METHODS["cnn"] + METHODS["vit"])
    parser.add_argument("--starts", nargs="+", default=["scratch", "imagenet"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--share", type=float, default=0.1, help="of the masks and labels")
    parser.add_argument("--steps", type=int, help="of each pretraining")
    parser.add_argument("--size", type=int, help="height and width of the images")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("benchmark-results"))
    parser.add_argument("--name", default="pretraining_probes")
    parser.add_argument(
        "--pretrained",
        type=Path,
        default=Path(tempfile.gettempdir()) / "segclf_pretraining_probes",
        help="folder for what pretrainings learned",
    )
    options = parser.parse_args()
    options.methods = options.methods or [*dict.fromkeys(METHODS["cnn"] + METHODS["vit"])]
    options.methods = [method for method in options.methods if method != "none"]
    changes = {k: v for k in ("steps", "size") if (v := getattr(options, k))}
    options.setting = PROBE_SETTINGS[options.setting] | changes
    options.settings = {"setting": options.setting, "share": options.share}
    return options


if __name__ == "__main__":
    main()
