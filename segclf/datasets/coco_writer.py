"""Write instance annotations in the COCO format."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segclf.axes import is_multilabel
from segclf.data import (
    Images,
    ImagesLike,
    MasksLike,
    as_images,
    as_masks,
    atomic_write,
    check_mask_sizes,
    save_image,
)
from segclf.datasets.case_names import case_names
from segclf.datasets.class_names import BACKGROUND
from segclf.datasets.coco import ANNOTATED, Path
from segclf.datasets.run_lengths import encode_text, runs_of_mask
from segclf.hookspecs import ImageData

__all__ = ["CocoParts", "classes_of", "to_coco"]

IGNORE = "ignore"


def to_coco(
    path: Path,
    X: ImagesLike,
    masks: MasksLike,
    *,
    folder: Path,
    class_names: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
) -> None:
    """Write masks as COCO annotations with compressed run lengths, without loss.

    Each connected region (8-connectivity) is one annotation.

    Parameters
    ----------
    path : str or path-like
        Path of the new JSON file.
    X : images
        Paths of files in `folder`; or images, which are written there as PNG.
    masks : masks
        Masks of ids or multi-label masks, as `fit` takes them. -1 becomes the category "ignore". An
        image without a mask gets ``"annotated": false``, which `load_coco` reads and other tools
        ignore.
    folder : str or path-like
        Folder of the images.
    class_names : sequence of str, optional
        Names of the ids, background first; for multi-label masks, of the channels. By default
        "background", "class_1" and so on.
    names : sequence of str, optional
        File names, without suffix, of images that are not in files yet.

    Raises
    ------
    OSError
        If a file cannot be written.
    ValueError
        If a mask has another size than its image, a file is outside `folder`, or only some channels
        are -1 at a pixel.

    Examples
    --------
    ``to_coco("annotations.json", paths, masks, folder="images")``
    """
    images = as_images(X)
    found = as_masks(masks, len(images))
    check_mask_sizes(images, found)
    parts = CocoParts(classes_of(class_names, found.n_classes, multilabel=found.multilabel))
    file_names = _file_names(images, os.fspath(folder), names)
    sizes = images.sizes().tolist()
    for index, name in enumerate(file_names):
        parts.add(name, sizes[index], found[index])
    parts.write(path)


class CocoParts:
    """The lists of a COCO file, filled image by image.

    Parameters
    ----------
    classes : list of str
        Names of the ids from 1 on, or of the channels.
    """

    def __init__(self, classes: list[str]) -> None:
        self._classes = classes
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []

    def add(self, name: str, size: Sequence[int], mask: NDArray[Any] | None) -> None:
        """Add an image and its mask (h, w) or (k, h, w)."""
        entry: dict[str, Any] = {"id": len(self._images) + 1, "file_name": name}
        entry |= {"height": int(size[0]), "width": int(size[1])}
        if mask is None:
            entry[ANNOTATED] = False
        else:
            self._add_regions(entry["id"], _channels(mask, len(self._classes), name))
        self._images.append(entry)

    def write(self, path: Path) -> None:
        """Write the file."""
        categories = [
            {"id": number, "name": name, "supercategory": ""}
            for number, name in enumerate([*self._classes, IGNORE], start=1)
        ]
        content = {
            "images": self._images,
            "annotations": self._annotations,
            "categories": categories,
        }
        atomic_write(path, json.dumps(content, ensure_ascii=False).encode())

    def _add_regions(self, image: int, channels: Iterator[tuple[int, NDArray[np.bool_]]]) -> None:
        for category, channel in channels:
            for region, (x, y, width, height), area in _regions(channel):
                counts = encode_text(runs_of_mask(region, channel.shape, y, x))
                entry: dict[str, Any] = {
                    "id": len(self._annotations) + 1,
                    "image_id": image,
                    "category_id": category,
                    "iscrowd": 0,
                    "area": area,
                    "bbox": [x, y, width, height],
                    "segmentation": {"size": list(channel.shape), "counts": counts},
                }
                self._annotations.append(entry)


def classes_of(names: Sequence[str] | None, n_classes: int, *, multilabel: bool) -> list[str]:
    """Return the names of the ids from 1 on, or of the channels."""
    n_named = n_classes if multilabel else n_classes - 1
    if names is None:
        return [f"class_{number}" for number in range(1, n_named + 1)]
    classes = list(names)
    if not multilabel:
        if classes[:1] != [BACKGROUND]:
            raise ValueError(f"class_names={classes!r}; expected {BACKGROUND!r} first.")
        classes = classes[1:]
    if len(classes) < n_named or len({*classes, IGNORE, BACKGROUND}) < len(classes) + 2:
        raise ValueError(
            f"class_names={list(names)!r} for {n_classes} classes; expected at least as many, "
            f"all different, and no {IGNORE!r}, which is reserved for -1."
        )
    return classes


def _channels(
    mask: NDArray[Any], n_classes: int, name: str
) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Yield the number and the pixels of each category; -1 comes last."""
    overlapping = is_multilabel(mask)
    unsaid = np.asarray((mask < 0).all(axis=0) if overlapping else mask < 0)
    if overlapping and ((mask < 0) & ~unsaid).any():
        raise ValueError(
            f"{name!r}: some pixels are -1 in only some channels, which COCO cannot store. Set all "
            "channels to -1 there."
        )
    for number in range(1, n_classes + 1):
        yield number, mask[number - 1] == 1 if overlapping else mask == number
    yield n_classes + 1, unsaid


def _regions(
    channel: NDArray[np.bool_],
) -> Iterator[tuple[NDArray[np.bool_], tuple[int, int, int, int], int]]:
    """Yield the pixels of each region within its box, the box, and the area."""
    _, numbers, boxes, _ = cv2.connectedComponentsWithStats(channel.astype(np.uint8))
    for number, (x, y, width, height, area) in enumerate(boxes.tolist()):
        if number:
            part = numbers[y : y + height, x : x + width]
            yield part == number, (x, y, width, height), area


def _file_names(images: Images, folder: str, names: Sequence[str] | None) -> list[str]:
    """Return the file name of each image in the folder; arrays are written there first."""
    paths = [images.path(index) for index in range(len(images))]
    if None not in paths:
        return [_inside(str(path), folder) for path in paths]
    os.makedirs(folder, exist_ok=True)
    called = [f"{name}.png" for name in case_names(images, names)]
    for index, name in enumerate(called):
        save_image(os.path.join(folder, name), ImageData(images[index], "hwc"))
    return called


def _inside(path: str, folder: str) -> str:
    name = os.path.relpath(os.path.abspath(path), os.path.abspath(folder))
    if name.split(os.sep)[0] == os.pardir or os.path.isabs(name) or not os.path.isfile(path):
        raise ValueError(f"{path!r} is not a file in {folder!r}; expected images there.")
    return name.replace(os.sep, "/")
