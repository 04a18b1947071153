"""Read instance annotations in the COCO format."""

from __future__ import annotations

import os
from typing import Any

from segclf.datasets.annotated_images import AnnotatedImages, NameFunction
from segclf.datasets.class_names import class_ids
from segclf.datasets.drawn_images import DrawnImage, assemble
from segclf.datasets.drawn_masks import Polygons, Runs, Shape, as_points, box
from segclf.datasets.outside_files import as_number, as_size, file_inside, read_json
from segclf.datasets.run_lengths import check_runs, decode_text

__all__ = ["ANNOTATED", "load_coco"]

Path = str | os.PathLike[str]
Size = tuple[int, int]
#: A field added to COCO's fields of an image; false if the image is not annotated.
ANNOTATED = "annotated"
_CROWDS = ("class", "ignore", "skip")


def load_coco(
    path: Path,
    folder: Path,
    *,
    multilabel: bool = False,
    crowd: str = "class",
    boxes: bool = False,
    unannotated: str = "empty",
    ignore: str | None = "ignore",
    groups: NameFunction | None = None,
    labels: NameFunction | None = None,
) -> AnnotatedImages:
    """Read COCO annotations: polygons, and plain or compressed run lengths.

    Parameters
    ----------
    path : str or path-like
        Path of the JSON file.
    folder : str or path-like
        Folder of the images that it names.
    multilabel : bool, default=False
        True makes masks with one channel for each class, which keep overlaps. Otherwise later
        annotations in the file cover earlier ones.
    crowd : {"class", "ignore", "skip"}, default="class"
        How to read a region of many objects (``iscrowd``): as pixels of its class, as -1
        (unlabeled), or not at all.
    boxes : bool, default=False
        Whether an annotation with only a box means all pixels in it. Otherwise it is an error.
    unannotated : {"empty", "none"}, default="empty"
        The mask of an image without annotations: an empty mask, as in COCO's own data, or no mask,
        which means unlabeled.
    ignore : str or None, default="ignore"
        The category whose pixels are -1, unlabeled.
    groups, labels : callable, optional
        Functions from the name of an image (with its folder, without suffix) to its group, such as
        the patient, and to its label.

    Returns
    -------
    AnnotatedImages
        Mask ids are 1, 2 and so on, in the order of the category ids; a category named
        "background" has id 0. Masks are drawn when they are read. The page "Bring your
        annotations" defines which pixels a polygon covers. `target` is the class that each mask
        shows, or an indicator if an image shows two classes.

    Raises
    ------
    OSError
        If the file does not exist.
    ValueError
        If an entry is not valid COCO; the message names the file and the entry. Examples are
        different sizes, run lengths that do not fit their image, coordinates that are not numbers,
        duplicate or unknown ids, and images that are missing or outside `folder`.

    Examples
    --------
    ``found = load_coco("annotations.json", "images"); segmenter.fit(found.images, found.masks)``
    """
    if crowd not in _CROWDS or unannotated not in ("empty", "none"):
        raise ValueError(
            f"crowd={crowd!r} and unannotated={unannotated!r}; expected one of "
            f"{', '.join(_CROWDS)}, and one of empty, none."
        )
    file = _File(os.fspath(path), unannotated=unannotated == "empty", boxes=boxes)
    images = file.images(folder)
    classes = file.classes(ignore)
    file.draw(images, {key: ids for key, (_, ids) in classes.items()}, crowd)
    return assemble(
        list(images.values()),
        dict(classes.values()),
        multilabel=multilabel,
        groups=groups,
        labels=labels,
    )


class _File:
    """One file; errors name its entries."""

    def __init__(self, path: str, *, unannotated: bool, boxes: bool) -> None:
        self._path, self._found = path, read_json(path)
        self._empty, self._boxes = unannotated, boxes

    def images(self, folder: Path) -> dict[Any, DrawnImage]:
        """Return the images by id, without annotations."""
        found: dict[Any, DrawnImage] = {}
        first: dict[str, str] = {}
        for where, entry in self._entries("images"):
            name, size = entry.get("file_name"), (entry.get("height"), entry.get("width"))
            path = file_inside(folder, name, where)
            if path in first:
                raise ValueError(f"{where}: {name!r} is also the file of {first[path]}.")
            first[path] = where
            shapes: list[tuple[int, Shape]] | None = [] if self._empty else None
            shapes = shapes if entry.get(ANNOTATED, True) is True else None
            image = DrawnImage(str(name), path, as_size(*size, where), shapes)
            _add(found, entry.get("id"), image, where)
        return found

    def classes(self, ignore: str | None) -> dict[Any, tuple[str, int]]:
        """Return the name and the mask id of each category, by category id in increasing order."""
        found: dict[Any, str] = {}
        for where, entry in self._entries("categories"):
            if not isinstance(entry.get("name"), str):
                raise ValueError(f"{where}: its name is {entry.get('name')!r:.80}; expected text.")
            _add(found, entry.get("id"), entry["name"], where)
        keys = sorted(found, key=lambda key: (isinstance(key, str), key))
        ids = class_ids([found[key] for key in keys], ignore, f"{self._path!r}: categories")
        return {key: (found[key], ids[found[key]]) for key in keys}

    def draw(self, images: dict[Any, DrawnImage], ids: dict[Any, int], crowd: str) -> None:
        """Add the annotations to their images."""
        seen: dict[Any, None] = {}
        for where, entry in self._entries("annotations"):
            if "id" in entry:
                _add(seen, entry["id"], None, where)
            image = _of(images, entry, "image_id", where)
            mask_id = _of(ids, entry, "category_id", where)
            is_crowd = entry.get("iscrowd") in (1, True)
            shapes = image.shapes
            if shapes is None:
                shapes = []
                images[entry["image_id"]] = image._replace(shapes=shapes)
            if is_crowd and crowd == "skip":
                continue
            shape = self._shape(entry, image.size, where)
            shapes.append((-1 if is_crowd and crowd == "ignore" else mask_id, shape))

    def _shape(self, entry: dict[str, Any], size: Any, where: str) -> Shape:
        drawn = entry.get("segmentation")
        if isinstance(drawn, dict):
            return _runs(drawn, size, where)
        if isinstance(drawn, list) and drawn:
            return Polygons(tuple(_polygon(each, where) for each in drawn))
        if drawn is not None and drawn != []:
            raise ValueError(
                f"{where}: its segmentation is {drawn!r:.80}; expected [...], {{...}}."
            )
        corners = entry.get("bbox")
        if not self._boxes or not isinstance(corners, list) or len(corners) != 4:
            raise ValueError(f"{where} has no segmentation; boxes=True fills its box.")
        x, y, width, height = (as_number(each, f"{where}: bbox") for each in corners)
        return box(x, y, x + width, y + height, where)

    def _entries(self, key: str) -> list[tuple[str, dict[str, Any]]]:
        entries = self._found.get(key)
        if not isinstance(entries, list):
            raise ValueError(f"{self._path!r}: {key} is {entries!r:.80}; expected a list.")
        for number, entry in enumerate(entries):
            if not isinstance(entry, dict):
                raise ValueError(f"{self._path!r}: {key}[{number}] is {entry!r:.80}.")
        return [(f"{self._path!r}: {key}[{n}]", entry) for n, entry in enumerate(entries)]


def _polygon(values: Any, where: str) -> Any:
    if not isinstance(values, list) or len(values) % 2:
        raise ValueError(f"{where}: a polygon is {values!r:.80}; expected [x, y, x, y, ...].")
    return as_points(values, where)


def _runs(drawn: dict[str, Any], size: Size, where: str) -> Runs:
    given, counts = drawn.get("size"), drawn.get("counts")
    if not isinstance(given, list) or given != list(size):
        raise ValueError(
            f"{where}: its run lengths are of size {given!r:.80}, its image is {list(size)}."
        )
    counts = decode_text(counts, where) if isinstance(counts, str) else counts
    return Runs(check_runs(counts, size[0] * size[1], where), size, by_columns=True)


def _add(found: dict[Any, Any], key: Any, value: Any, where: str) -> None:
    if isinstance(key, bool) or not isinstance(key, int | str):
        raise ValueError(f"{where}: its id is {key!r:.80}; expected a whole number or text.")
    if key in found:
        raise ValueError(f"{where}: its id {key!r} occurs twice.")
    found[key] = value


def _of(found: dict[Any, Any], entry: dict[str, Any], field: str, where: str) -> Any:
    key = entry.get(field)
    if not isinstance(key, int | str) or key not in found:
        raise ValueError(f"{where}: its {field} is {key!r:.80}, and there is none with that id.")
    return found[key]
