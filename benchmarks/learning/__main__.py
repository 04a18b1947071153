"""Does each pretrainer learn? Tested on gray textures that are hard for an untrained network.

Each of the eight methods trains a small network for some hundred steps on 1,024 images of 32 x 32,
whose kinds differ neither in color nor in brightness. A linear classifier on the frozen
embeddings of 600 other images then distinguishes eight kinds (MAE and SimMIM: on one patch,
since reconstruction does not train a whole image's embedding; OtsuPretrainer: the overlap of its
predictions with Otsu's masks). Compared are the same network untrained, with normalizations that
have seen the images, and the same method as a plain loop around lightly's modules: same network,
views, batches, optimizer and steps. A method that learns is far above "untrained"; one that is
below the plain loop has an error.

    python -m benchmarks.learning --jobs 8

A run that ended early resumes; ``--setting smoke`` goes through everything in a minute.
"""

import argparse
import json
from pathlib import Path

from benchmarks.learning.runs import SIDES, Task, run
from benchmarks.learning.settings import CLASSES, SETTINGS
from benchmarks.learning.tables import make_report
from benchmarks.shared.machine import describe_machine
from benchmarks.shared.records import measured


def main() -> None:
    options = parse_arguments()
    options.output.mkdir(parents=True, exist_ok=True)
    machine = f"{describe_machine()}, {options.jobs} at a time"
    print(f"{machine}\n{json.dumps(options.settings)}\n", flush=True)
    tasks: list[Task] = [
        (method, side, seed)
        for method in options.methods
        for side in SIDES
        for seed in options.seeds
        if (method, side) != ("Otsu", "plain loop")  # lightly has none
    ]
    report = make_report(measured(tasks, run, options))
    text = f"{machine}; {json.dumps(options.settings)}.\n\n{report}"
    (options.output / f"{options.name}.md").write_text(text)
    print(f"\n{text}")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=SETTINGS, default="full")
    parser.add_argument("--methods", nargs="+", choices=CLASSES, default=list(CLASSES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, help="of every training")
    parser.add_argument("--parameters", type=json.loads, default={}, help="of pretrainers, JSON")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("benchmark-results"))
    parser.add_argument("--name", default="learning")
    options = parser.parse_args()
    setting = SETTINGS[options.setting]
    chosen = {m: {**setting["methods"][m], **options.parameters} for m in options.methods}
    steps = {"steps": options.steps} if options.steps else {}
    options.setting = {**setting, **steps, "methods": setting["methods"] | chosen}
    options.settings = {"setting": options.setting}
    return options


if __name__ == "__main__":
    main()
