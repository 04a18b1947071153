"""Read Pascal VOC folders, also with a label map as other tools write them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import PurePosixPath

from segclf.data import map_masks
from segclf.data.found_readers import has_known_suffix
from segclf.data.mapped_masks import Value
from segclf.datasets.annotated_images import AnnotatedImages, NameFunction, of_names
from segclf.datasets.class_names import class_ids, mask_names
from segclf.datasets.outside_files import file_inside, read_bytes, unique

__all__ = ["load_voc"]

Path = str | os.PathLike[str]
_CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa"),
    *("train", "tvmonitor"),
)
_VOID = 255
_MOST_BYTES = 2**26


def load_voc(
    folder: Path,
    *,
    subset: str | None = None,
    class_names: Sequence[str] | None = None,
    image_folder: Path | None = None,
    ignore: str | None = "ignore",
    groups: NameFunction | None = None,
    labels: NameFunction | None = None,
) -> AnnotatedImages:
    """Read a Pascal VOC folder: ``SegmentationClass``, ``JPEGImages``, ``ImageSets``.

    Parameters
    ----------
    folder : str or path-like
        Folder with masks ``SegmentationClass/<name>.png``. If it has a ``labelmap.txt``, as written
        by CVAT's "segmentation mask" and Datumaro, masks are read by the colours in it. Otherwise
        the palette indices are read, and 255 becomes -1.
    subset : str, optional
        "train", "val" and so on, for the names in ``ImageSets/Segmentation/<subset>.txt``. By
        default all images with masks.
    class_names : sequence of str, optional
        Names of the indices, background first. By default the 20 classes of VOC. Not with a label
        map.
    image_folder : str or path-like, optional
        Folder of the images, by default ``folder/JPEGImages``.
    ignore : str or None, default="ignore"
        The class of a label map whose pixels are -1, unlabeled.
    groups, labels : callable, optional
        Functions from the name of an image to its group and to its label.

    Returns
    -------
    AnnotatedImages
        No file is decoded. For a subset without any mask, such as VOC's test set, `masks` is None.

    Raises
    ------
    OSError
        If a folder or a list does not exist.
    ValueError
        If a name has no image or several, some masks are missing, a name leads out of the folder,
        or a label map has a colour twice.

    Examples
    --------
    ``found = load_voc("VOC2012", subset="train"); segmenter.fit(found.images, found.masks)``
    """
    root = os.fspath(folder)
    names = _names(root, subset)
    values, classes = _values(root, class_names, ignore)
    masks = [os.path.join(root, "SegmentationClass", f"{name}.png") for name in names]
    missing = [mask for mask in masks if not os.path.isfile(mask)]
    if missing and len(missing) < len(masks):
        raise ValueError(f"{len(missing)} of {len(masks)} masks are missing: {missing[0]!r}.")
    images = os.path.join(root, "JPEGImages") if image_folder is None else os.fspath(image_folder)
    return AnnotatedImages(
        _images(images, names),
        None if missing else map_masks(masks, values),
        classes,
        names,
        target=of_names(labels, names),
        groups=of_names(groups, names),
    )


def _names(root: str, subset: str | None) -> list[str]:
    if subset is None:
        folder = os.path.join(root, "SegmentationClass")
        found = sorted(
            os.path.relpath(os.path.join(where, name), folder).replace(os.sep, "/")[:-4]
            for where, _, names in os.walk(folder)
            for name in names
            if name.endswith(".png")
        )
        if not found:
            raise ValueError(f"{folder!r} has no masks (.png).")
        return found
    lists = os.path.join(root, "ImageSets", "Segmentation")
    path = file_inside(lists, f"{subset}.txt", f"subset={subset!r}")
    found = [line.strip() for line in _text(path).splitlines() if line.strip()]
    for number, name in enumerate(found, start=1):
        if PurePosixPath(name).is_absolute() or ".." in name.replace("\\", "/").split("/"):
            raise ValueError(f"{path!r}: line {number}: {name!r} leads out of the folder.")
    return unique(found, repr(path))


def _values(
    root: str, class_names: Sequence[str] | None, ignore: str | None
) -> tuple[dict[Value, int], list[str]]:
    """Return the meaning of the values in masks, and the names of the ids."""
    path = os.path.join(root, "labelmap.txt")
    if not os.path.exists(path):
        classes = ["background", *_CLASSES] if class_names is None else list(class_names)
        if classes[:1] != ["background"] or len({*classes}) < len(classes):
            raise ValueError(
                f"class_names={classes!r}; expected 'background' first and no duplicates."
            )
        return {**{number: number for number in range(len(classes))}, _VOID: -1}, classes
    if class_names is not None:
        raise ValueError(f"class_names={list(class_names)!r}, but {path!r} names the classes.")
    colours = _colours(path)
    ids = class_ids(colours.values(), ignore, repr(path))
    return {colour: ids[name] for colour, name in colours.items()}, mask_names(
        ids, multilabel=False
    )


def _colours(path: str) -> dict[Value, str]:
    """Return the name of each colour: ``label:r,g,b:parts:actions`` in each line."""
    found: dict[Value, str] = {}
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, rest = line.partition(":")
        numbers = rest.partition(":")[0].split(",")
        if len(numbers) != 3 or not all(each.strip().isdigit() for each in numbers):
            raise ValueError(f"{path!r}: line {number} is {line!r:.80}; expected 'name:r,g,b::'.")
        red, green, blue = (int(each) for each in numbers)
        if max(red, green, blue) > 255 or (red, green, blue) in found:
            raise ValueError(
                f"{path!r}: line {number}: the colour {red},{green},{blue} occurs twice or is "
                "above 255."
            )
        found[red, green, blue] = name
    if not found:
        raise ValueError(f"{path!r} names no colour.")
    return found


def _images(folder: str, names: list[str]) -> list[str]:
    """Find the file of each name, with any suffix."""
    listed: dict[str, dict[str, list[str]]] = {}
    paths = []
    for name in names:
        place, _, stem = name.rpartition("/")
        if place not in listed:
            listed[place] = {}
            for file in sorted(os.listdir(os.path.join(folder, place))):
                if has_known_suffix(file):
                    listed[place].setdefault(os.path.splitext(file)[0], []).append(file)
        files = listed[place].get(stem, [])
        if len(files) != 1:
            found = " and ".join(files) or "no file"
            raise ValueError(
                f"{name!r}: found {found} in {os.path.join(folder, place)!r}; expected one file."
            )
        paths.append(file_inside(folder, "/".join(filter(None, [place, files[0]])), repr(name)))
    return paths


def _text(path: str) -> str:
    try:
        return read_bytes(path, _MOST_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path!r} is not UTF-8 text: {error}.") from error
