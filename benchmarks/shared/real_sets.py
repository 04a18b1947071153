"""Real data sets as the benchmarks read them: images, masks, labels, splits and groups.

Each data set is a folder with ``labels.csv`` (image, mask, label, split) and ``meta.csv`` (group).
Splits keep groups (patients, near-duplicates) together.
"""

import csv
import functools
from pathlib import Path
from typing import Any

import cv2
import numpy as np

CONTEXT = ("coffee_leaf", "road_pothole")  # mask ids above 1 do not decide the label there


def load(folder: Path, size: int) -> dict[str, Any]:
    """Return images (n, size, size, 3) in BGR, masks (or None), labels, splits and groups.

    ``labels`` are of presence, any finding against none; ``classes`` are those of the file.
    """
    rows = list(csv.DictReader((folder / "labels.csv").open()))
    groups = {row["image"]: row["group"] for row in csv.DictReader((folder / "meta.csv").open())}
    images = [cv2.imread(str(folder / row["image"])) for row in rows]
    classes = np.array([int(row["label"]) for row in rows])
    return {
        "images": np.stack(
            [cv2.resize(i, (size, size), interpolation=cv2.INTER_AREA) for i in images]
        ),
        "masks": [read_mask(folder, row["mask"], size) for row in rows],
        "labels": (classes > 0).astype(int),
        "classes": classes,
        "split": np.array([row["split"] for row in rows]),
        "groups": np.array([groups[row["image"]] for row in rows]),
    }


@functools.lru_cache(maxsize=1)
def load_rgb(folder: Path, size: int, test_cap: int | None = None) -> dict[str, Any]:
    """Read a set with images in RGB; keep the first `test_cap` images of the test split.

    The last one stays in memory, for the next task on it in this process.
    """
    data = load(folder, size)
    data["images"] = np.ascontiguousarray(data["images"][..., ::-1])
    test = np.flatnonzero(data["split"] == "test")
    data["split"][test[test_cap:] if test_cap else []] = "left out"
    return data


def read_mask(folder: Path, name: str, size: int) -> np.ndarray | None:
    """Return a mask of 0, 1 (a finding) and 2 (context)."""
    if not name:
        return None
    mask = cv2.imread(str(folder / name), cv2.IMREAD_UNCHANGED)
    mask = cv2.resize(mask, (size, size), interpolation=cv2.INTER_NEAREST)
    return mask if folder.name in CONTEXT else (mask > 0).astype(np.uint8)


def sample(data: dict[str, Any], fraction: float, seed: int, by: str = "labels") -> np.ndarray:
    """Draw a fraction of the training split, the same of each label.

    With one seed, what a smaller fraction draws is among what a larger one does.
    """
    train = np.flatnonzero(data["split"] == "train")
    order = np.random.default_rng(seed).permutation(train)
    parts = [order[data[by][order] == label] for label in np.unique(data[by])]
    return np.sort(np.concatenate([p[: max(1, round(fraction * len(p)))] for p in parts]))
