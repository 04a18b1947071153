"""COCO's annotations of instances, read."""

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
#: Beside COCO's own fields of an image: false where nobody annotated it.
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
    """Read annotations as COCO has them: polygons, and run lengths, plain or compressed.

    Parameters
    ----------
    path : str or path-like
        Of the JSON file.
    folder : str or path-like
        Of the images that it names.
    multilabel : bool, default=False
        True makes masks of one channel a class, which keep what overlaps. Else what comes later in
        the file covers what was before.
    crowd : {"class", "ignore", "skip"}, default="class"
        What a region of many objects (``iscrowd``) is: pixels of its class, -1, or nothing.
    boxes : bool, default=False
        Whether an annotation of a box alone stands for all pixels in it. Else it is an error.
    unannotated : {"empty", "none"}, default="empty"
        What an image without annotations has: an empty mask, which says that nothing is there, as
        in COCO's own; or no mask, since nobody looked.
    ignore : str or None, default="ignore"
        The category that says of pixels that nobody knows what they are, -1.
    groups, labels : callable, optional
        From an image's name, with the folder that is named but without suffix, to its group, such
        as the patient, and to its label.

    Returns
    -------
    AnnotatedImages
        Mask ids are 1, 2 and so on, in the order of the ids of categories; one that is called
        "background" is 0. Masks are drawn when they are looked at; which pixels a polygon covers,
        the page "Bring your annotations" says. `target` is what the masks show: an id where no
        image shows two classes, else an indicator.

    Raises
    ------
    OSError
        If there is no such file.
    ValueError
        Naming the file and the entry, for what is not as COCO has it: sizes that differ, run
        lengths of another size than their image, coordinates that are no numbers, an id that is
        there twice or not at all, and images that are missing or lie outside of `folder`.

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
    """One file, whose entries are named in errors."""

    def __init__(self, path: str, *, unannotated: bool, boxes: bool) -> None:
        self._path, self._found = path, read_json(path)
        self._empty, self._boxes = unannotated, boxes

    def images(self, folder: Path) -> dict[Any, DrawnImage]:
        """Return each image by its id, without what was drawn on it."""
        found: dict[Any, DrawnImage] = {}
        first: dict[str, str] = {}
        for where, entry in self._entries("images"):
            name, size = entry.get("file_name"), (entry.get("height"), entry.get("width"))
            path = file_inside(folder, name, where)
            if path in first:
                raise ValueError(f"{where}: {name!r} is that of {first[path]}, too.")
            first[path] = where
            shapes: list[tuple[int, Shape]] | None = [] if self._empty else None
            shapes = shapes if entry.get(ANNOTATED, True) is True else None
            image = DrawnImage(str(name), path, as_size(*size, where), shapes)
            _add(found, entry.get("id"), image, where)
        return found

    def classes(self, ignore: str | None) -> dict[Any, tuple[str, int]]:
        """Return the name and the mask id of each category by its id, in the order of these."""
        found: dict[Any, str] = {}
        for where, entry in self._entries("categories"):
            if not isinstance(entry.get("name"), str):
                raise ValueError(f"{where}: its name is {entry.get('name')!r:.80}; expected text.")
            _add(found, entry.get("id"), entry["name"], where)
        keys = sorted(found, key=lambda key: (isinstance(key, str), key))
        ids = class_ids([found[key] for key in keys], ignore, f"{self._path!r}: categories")
        return {key: (found[key], ids[found[key]]) for key in keys}

    def draw(self, images: dict[Any, DrawnImage], ids: dict[Any, int], crowd: str) -> None:
        """Give each image what was drawn on it."""
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
            raise ValueError(f"{where} has no segmentation; boxes=True fills those that are boxes.")
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
        raise ValueError(f"{where}: its id {key!r} is there twice.")
    found[key] = value


def _of(found: dict[Any, Any], entry: dict[str, Any], field: str, where: str) -> Any:
    key = entry.get(field)
    if not isinstance(key, int | str) or key not in found:
        raise ValueError(f"{where}: its {field} is {key!r:.80}, and there is none with that id.")
    return found[key]
