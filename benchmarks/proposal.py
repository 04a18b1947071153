"""What does `propose` choose for real images, and is it as good as the default?

    python -m benchmarks.proposal --data FOLDER

For each set and seed, 100 images of `train`: `propose` compares the installed encoders by three
folds, and what it proposes is fitted. `SegmentationClassifier()` learns from the same images. Both
are scored on `test`. Seconds are of the processor.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.shared.machine import describe_machine
from benchmarks.shared.markdown import line, rule
from benchmarks.shared.models import DEFAULT, fit, make, predictions
from benchmarks.shared.real_sets import findings, load_rgb, sample_units
from segclf import propose

HEADER = ["set", "seed", "encoder", "seconds of propose", "AUROC (IoU) of the proposal"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--sets", nargs="+", default=["busi", "lgg_mri", "magnetic_tile"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--images", type=int, default=100, help="to learn from")
    options = parser.parse_args()
    columns = [*HEADER, "of the default"]
    print(f"{describe_machine()}\n\n{line(columns)}\n{rule(len(columns))}", flush=True)
    for name in options.sets:
        data = load_rgb(options.data / name)
        for seed in options.seeds:
            print(line([name, str(seed), *compared(data, seed, options.images)]), flush=True)


def compared(data: dict[str, Any], seed: int, n_images: int) -> list[str]:
    pool, test = (np.flatnonzero(data["split"] == split) for split in ("train", "test"))
    rows = sample_units(data, pool, n_images, seed, whole_groups=False)
    images, labels = [data["images"][row] for row in rows], data["labels"][rows]
    started = time.process_time()
    proposal = propose(images, labels, findings(data, rows), random_state=seed)
    seconds = time.process_time() - started
    models = [proposal.estimator, make(DEFAULT, seed, {})]
    return [
        proposal.estimator.segmenter.encoder,
        f"{seconds:.0f}",
        *(scored(model, data, rows, test) for model in models),
    ]


def scored(model: Any, data: dict[str, Any], rows: np.ndarray, test: np.ndarray) -> str:
    fit(model, data, rows)
    found = predictions(model, data, test)
    auroc = roc_auc_score(data["labels"][test], found["scores"])
    return f"{auroc:.3f} ({sum(found['intersections']) / sum(found['unions']):.3f})"


if __name__ == "__main__":
    main()
