"""Read real data sets: images, masks, labels, splits and groups.

Each data set is a folder with ``labels.csv`` (image, mask, label, split) and ``meta.csv`` (group).
Splits keep groups (patients, near-duplicates) together.
"""

import csv
import functools
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.ndimage import find_objects, label

CONTEXT = ("coffee_leaf", "road_pothole")  # mask ids above 1 do not decide the label there


@functools.lru_cache(maxsize=1)
def load_rgb(folder: Path, size: int | None = None, test_cap: int | None = None) -> dict[str, Any]:
    """Return images in RGB, masks (or None), labels, splits and groups.

    Images are an array (n, size, size, 3); without a size a list of unresized images. ``labels``
    are presence, any finding against none; ``classes`` are those of the file. The first `test_cap`
    images of the test split are kept. The last set stays in memory, for the next task in this
    process.
    """
    rows = list(csv.DictReader((folder / "labels.csv").open()))
    groups = {row["image"]: row["group"] for row in csv.DictReader((folder / "meta.csv").open())}
    images = [read_image(folder / row["image"], size) for row in rows]
    classes = np.array([int(row["label"]) for row in rows])
    split = np.array([row["split"] for row in rows])
    split[np.flatnonzero(split == "test")[test_cap:] if test_cap else []] = "left out"
    return {
        "images": images if size is None else np.stack(images),
        "masks": [read_mask(folder, row["mask"], size) for row in rows],
        "labels": (classes > 0).astype(int),
        "classes": classes,
        "split": split,
        "groups": np.array([groups[row["image"]] for row in rows]),
    }


def read_image(path: Path, size: int | None) -> np.ndarray:
    image = cv2.imread(str(path))
    if size is not None:
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(image[..., ::-1])


def read_mask(folder: Path, name: str, size: int | None) -> np.ndarray | None:
    """Return a mask of 0, 1 (a finding) and 2 (context)."""
    if not name:
        return None
    mask = cv2.imread(str(folder / name), cv2.IMREAD_UNCHANGED)
    if size is not None:
        mask = cv2.resize(mask, (size, size), interpolation=cv2.INTER_NEAREST)
    return mask if folder.name in CONTEXT else (mask > 0).astype(np.uint8)


def findings(data: dict[str, Any], rows: np.ndarray) -> list[np.ndarray | None]:
    """Return masks of 0 and 1, without context; None where there is none."""
    masks = [data["masks"][row] for row in rows]
    return [None if mask is None else (mask == 1).astype(np.uint8) for mask in masks]


def with_boxes(data: dict[str, Any], rows: np.ndarray) -> dict[str, Any]:
    """Return the data with bounding boxes of the findings in place of the masks of these images."""
    masks = list(data["masks"])
    for row, mask in zip(rows, findings(data, rows), strict=True):
        masks[row] = None if mask is None else boxed(mask)
    return {**data, "masks": masks}


def boxed(mask: np.ndarray) -> np.ndarray:
    """Fill the bounding box of each connected region."""
    filled = np.zeros_like(mask)
    for box in find_objects(label(mask)[0]):
        filled[box] = 1
    return filled


def sample_units(
    data: dict[str, Any],
    pool: np.ndarray,
    n: int,
    seed: int,
    *,
    whole_groups: bool = True,
    balanced: bool = False,
) -> np.ndarray:
    """Sample n images of the pool: whole groups (patients, roads) in random order, or one by one.

    The last group is truncated. If `balanced`, labels have equal numbers as far as possible;
    otherwise the order is not changed, but there is at least a tenth of each label.
    """
    labels = data["labels"][pool]
    units = data["groups"][pool] if whole_groups else np.arange(len(pool))
    _, codes = np.unique(units, return_inverse=True)
    random = np.random.default_rng(seed)
    shuffled = random.permutation(len(pool))  # within a group
    order = shuffled[
        np.argsort(random.permutation(codes.max() + 1)[codes[shuffled]], kind="stable")
    ]
    share = 0.5 if balanced else 0.1
    first = np.concatenate([order[labels[order] == k][: round(share * n)] for k in (0, 1)])
    rest = order[~np.isin(order, first)]
    return np.sort(pool[np.concatenate([first, rest])[:n]])


def sample(data: dict[str, Any], fraction: float, seed: int, by: str = "labels") -> np.ndarray:
    """Sample a fraction of the training split, the same of each label.

    With the same seed, the images of a smaller fraction are among those of a larger one.
    """
    train = np.flatnonzero(data["split"] == "train")
    order = np.random.default_rng(seed).permutation(train)
    parts = [order[data[by][order] == label] for label in np.unique(data[by])]
    return np.sort(np.concatenate([p[: max(1, round(fraction * len(p)))] for p in parts]))


def without_masks(
    data: dict[str, Any], rows: np.ndarray, share: float, seed: int
) -> dict[str, Any]:
    """Return the data with masks for a share of the positives among the rows, at least two.

    The others have only labels; negatives keep their empty masks, which their labels imply.
    """
    positive = rows[data["labels"][rows] == 1]
    kept = max(2, round(share * len(positive)))
    masks = list(data["masks"])
    for row in np.random.default_rng(seed).permutation(positive)[kept:]:
        masks[row] = None
    return {**data, "masks": masks}
