"""Do pseudo masks help a segmenter that has few?

On 5, 10, 25 and 50 % of the masks of three real sets, 3 seeds each, the same network learns from
these masks alone, once as long and twice as long; and, with the other images too, by self-training,
boosted self-training, Grad-CAM's and IRNet's masks mixed in at CheXseg's p = .9, cross teaching,
with the weight of S4MI and that of Luo et al., and distillation at CheXseg's temperature of 10
(``--temperatures 10 1`` adds another). PiCIE clusters pixels without a mask.
Foreground IoU on the test split, and the AUROC of the labels that Algorithm 2 of S4C reads off the
masks (S4C, Figure 7). On one set p runs over all values of CheXseg (MIDL version, Table 1).

    python -m benchmarks.semi_supervised --data FOLDER --weights mobilenet_v2-b0353104.pth --jobs 2

Equal budgets: every training that ends in a network which is tested takes as many steps of as many
images. What it rests on, a teacher or a classifier, takes as many again, which is why masks alone
are there twice as long, too. The small setting ends in an hour on 2 cores; ``--setting large --jobs
1`` needs a GPU. A run that ended early resumes; ``--smoke`` goes through everything with next to no
training.
"""

import argparse
import json
import tempfile
from collections import defaultdict
from pathlib import Path

import joblib

from benchmarks.semi_supervised.runs import MASKS, SHARED, Task, run_chain, run_shared
from benchmarks.semi_supervised.settings import (
    CHEXSEG_PROBABILITIES,
    CLASSIFICATION,
    SETTINGS,
    TRAINING,
    WALK_THRESHOLDS,
)
from benchmarks.semi_supervised.tables import make_report
from benchmarks.shared.machine import describe_machine
from benchmarks.shared.records import records, settings_of

FRACTIONS = (0.05, 0.1, 0.25, 0.5)
METHODS: tuple[tuple[str, float | None], ...] = (
    (MASKS, None),
    ("masks alone, twice as long", None),
    ("self-training", 0.9),
    ("boosted", 0.9),
    ("grad_cam", 0.9),
    ("irnet", 0.9),
    ("cross teaching", None),
    ("cross teaching, ramp-up", None),
)


def main() -> None:
    options = parse_arguments()
    machine = describe_machine()
    print(f"{machine}\n{json.dumps(options.settings)}\n", flush=True)
    options.output.mkdir(parents=True, exist_ok=True)
    tasks = make_tasks(options)
    done = {tuple(row["task"]) for row in records(options).rows()}
    shared, chains = defaultdict(list), defaultdict(list)
    for task in tasks:
        name, seed, method, fraction, _ = task
        if task not in done:
            kind = shared[name, seed] if method in SHARED else chains[name, seed, fraction]
            kind.append(task)
    parallel = joblib.Parallel(n_jobs=options.jobs)
    parallel(joblib.delayed(run_shared)(*key, todo, options) for key, todo in shared.items())
    parallel(joblib.delayed(run_chain)(todo, options) for todo in chains.values())
    rows = {tuple(row["task"]): row for row in records(options).rows()}
    report = make_report(
        [rows[task] for task in tasks],
        options.settings,
        f"{machine}, {options.jobs} at a time",
        sweep=(options.sweep_set, options.sweep_fraction),
    )
    (options.output / f"{options.name}.md").write_text(report)
    print(report)


def make_tasks(options: argparse.Namespace) -> list[Task]:
    tasks: list[Task] = []
    for name in options.sets:
        for seed in options.seeds:
            tasks += [(name, seed, method, None, None) for method in SHARED]
            for fraction in options.fractions:
                tasks += [(name, seed, method, fraction, value) for method, value in METHODS]
                tasks += [(name, seed, "distilled", fraction, t) for t in options.temperatures]
            if name == options.sweep_set:
                tasks += [
                    (name, seed, "irnet", options.sweep_fraction, probability)
                    for probability in CHEXSEG_PROBABILITIES
                    if probability != 0.9  # which is there
                ]
    return tasks


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--weights", type=Path, help="ImageNet's, of the setting's encoder")
    parser.add_argument("--setting", choices=("small", "large"), default="small")
    parser.add_argument("--smoke", action="store_true", help="everything, with tiny numbers")
    parser.add_argument("--sets", nargs="+", default=["lgg_mri", "busi", "magnetic_tile"])
    parser.add_argument("--fractions", nargs="+", type=float, default=list(FRACTIONS))
    parser.add_argument("--sweep-set", default="lgg_mri")
    parser.add_argument("--sweep-fraction", type=float, default=0.1)
    parser.add_argument("--temperatures", nargs="+", type=float, default=[10.0])
    parser.add_argument("--seeds", nargs="+", type=int)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("results"))
    parser.add_argument("--name", default="semi_supervised")
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "segclf_semi_supervised",
        help="folder for classifiers and masks that several runs share",
    )
    options = parser.parse_args()
    options.setting = SETTINGS["smoke" if options.smoke else options.setting]
    options.seeds = options.seeds or ([0] if options.smoke else [0, 1, 2])
    options.settings = settings_of(
        options, training=TRAINING, classification=CLASSIFICATION, walk_thresholds=WALK_THRESHOLDS
    )
    return options


if __name__ == "__main__":
    main()
