"""Some hundred labels of real images: do the defaults classify better through a segmentation?

The task is presence: any finding against none. Each method is its class without arguments except
``random_state``: `SegmentationClassifier` (whose summarizer is "joint"; beside it "threshold",
which hears the masks alone, and the default with a bounding box of each finding in place of its
mask), `ImageClassifier`, `MultitaskClassifier`, and a logistic regression on the embedding of a
frozen encoder. They learn from the same images of `train`, at the size in which they are stored,
and are tested on `test`:

- 10 % of the labels, but at least 100: busi 100, lgg_mri 179, road_pothole 112, magnetic_tile 100,
  coffee_leaf 100 (labels for all, masks for 29 %). They are drawn anew for each seed: whole
  patients, roads or tiles in random order until there are so many (``--units images``: one by one),
  at least a tenth of each label (``--balanced``: as many of each).
- All labels of `train`.
- ``--encoder NAME --weights NAME_OR_FILE`` sets one encoder for all; ``--scratch`` sets one
  encoder without weights, trained for equal steps, to isolate the gain of the framing.
- ``--splits 10 --seeds 0`` adds splits of all images by whole groups, two thirds to learn from.

AUROC with 95 % intervals by whole groups of the test; differences are paired: the same images, and
means over the same seeds. IoU is of all pixels of the test images that have a mask. Calibration
error is the expected one of the probability of a finding. Seconds are processor time of `fit`, with
all encoding, but not where ``--memory FOLDER`` shares the encoder's maps between fits.

    python -m benchmarks.few_labels --data FOLDER --setting full --memory FOLDER

A run that ended early resumes; ``--setting smoke`` goes through everything in half a minute.
"""

import argparse
import json
import os
from pathlib import Path

from benchmarks.few_labels.runs import SETTINGS, run
from benchmarks.few_labels.tables import make_report
from benchmarks.shared.machine import describe_machine
from benchmarks.shared.models import METHODS, PROBE, of_encoder
from benchmarks.shared.records import measured


def main() -> None:
    options = parse_arguments()
    os.environ["SEGCLF_NUM_THREADS"] = str(options.threads)
    options.output.mkdir(parents=True, exist_ok=True)
    machine = f"{describe_machine()}, {options.jobs} at a time on {options.threads} thread(s)"
    print(f"{machine}\n{json.dumps(options.settings)}\n", flush=True)
    tasks = [
        (name, share, split, seed, method)
        for name in options.sets
        for share in options.shares
        for split in range(options.splits + 1)
        for seed in options.seeds
        for method in options.methods
    ]
    report = make_report(measured(tasks, run, options))
    text = f"{machine}; {json.dumps(options.settings)}.\n\n{report}"
    (options.output / f"{options.name}.md").write_text(text)
    print(f"\n{text}")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--setting", choices=SETTINGS, default="quick")
    parser.add_argument("--sets", nargs="+")
    parser.add_argument("--shares", nargs="+", type=float, help="of the labels of a split")
    parser.add_argument("--seeds", nargs="+", type=int)
    parser.add_argument("--splits", type=int, default=0, help="further splits by whole groups")
    parser.add_argument("--methods", nargs="+", choices=METHODS)
    parser.add_argument("--units", choices=("groups", "images"), default="groups")
    parser.add_argument("--balanced", action="store_true", help="as many images of each label")
    parser.add_argument("--encoder", help="for all methods; by default each chooses its own")
    parser.add_argument("--weights", help="name or file; by default ImageNet's")
    parser.add_argument("--scratch", action="store_true", help="no weights, the whole is trained")
    parser.add_argument("--steps", type=int, default=300, help="of a fit from scratch")
    parser.add_argument("--parameters", type=json.loads, default={}, help="of all networks, JSON")
    parser.add_argument("--memory", type=Path, help="folder that keeps the encoder's maps")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("benchmark-results"))
    parser.add_argument("--name", default="few_labels")
    options = parser.parse_args()
    complete(options)
    return options


def complete(options: argparse.Namespace) -> None:
    """Fill in what the setting says, and what a result depends on."""
    setting = SETTINGS[options.setting]
    for name in ("sets", "shares", "seeds"):
        if getattr(options, name) is None:
            setattr(options, name, setting[name])
    options.at_least, options.test_cap = setting["at_least"], setting["test_cap"]
    steps = options.steps if options.scratch else None
    encoder = of_encoder(options.encoder, options.weights, scratch_steps=steps)
    options.parameters = encoder | setting["parameters"] | options.parameters
    options.kept = {"memory": str(options.memory)} if options.memory else {}
    options.methods = options.methods or [m for m in METHODS if m != PROBE or not options.scratch]
    names = ("parameters", "units", "balanced", "at_least", "test_cap")
    options.settings = {name: getattr(options, name) for name in names}


if __name__ == "__main__":
    main()
