"""Read exports of CVAT: XML for images, and masks of colours."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from segclf.datasets.annotated_images import AnnotatedImages, NameFunction
from segclf.datasets.class_names import class_ids
from segclf.datasets.drawn_images import DrawnImage, assemble, decided
from segclf.datasets.drawn_masks import Polygons, Runs, Shape, as_points, ellipse, rectangle
from segclf.datasets.outside_files import as_number, as_size, file_inside, read_bytes
from segclf.datasets.run_lengths import check_runs
from segclf.datasets.voc import load_voc

__all__ = ["load_cvat"]

Path = str | os.PathLike[str]
_MOST_BYTES = 2**28
_WITHOUT_AREA = ("polyline", "points", "cuboid", "skeleton")


def load_cvat(
    path: Path,
    folder: Path | None = None,
    *,
    multilabel: bool = False,
    boxes: bool = False,
    skip: Sequence[str] = (),
    unannotated: str | None = None,
    ignore: str | None = "ignore",
    groups: NameFunction | None = None,
    labels: NameFunction | None = None,
) -> AnnotatedImages:
    """Read a CVAT export, "CVAT for images 1.1" or "Segmentation mask 1.1".

    Parameters
    ----------
    path : str or path-like
        Path of the XML file; or of the folder with ``labelmap.txt``, which is read as by
        `load_voc`.
    folder : str or path-like, optional
        Folder of the images that the XML names. For masks the default is ``JPEGImages``.
    multilabel : bool, default=False
        True makes masks with one channel for each class, which keep overlaps. Otherwise shapes on
        top in CVAT (``z_order``) cover those below. Only for XML.
    boxes : bool, default=False
        Whether a box means all pixels in it. Otherwise it is an error.
    skip : sequence of str
        Kinds of shapes to ignore: "box", "polyline", "points", "cuboid", "skeleton". Shapes without
        an area are errors otherwise.
    unannotated : {"empty", "none"}, optional
        The mask of an image without shapes and tags: an empty mask (the image was inspected and
        shows nothing), or no mask (it was not inspected). Required if there are such images.
    ignore : str or None, default="ignore"
        The label whose pixels are -1, unlabeled.
    groups, labels : callable, optional
        Functions from the name of an image (with its folder, without suffix) to its group and to
        its label.

    Returns
    -------
    AnnotatedImages
        Mask ids are 1, 2 and so on, in the order of CVAT's labels; a label named "background" has
        id 0. Image labels come from tags; without tags, from the masks.

    Raises
    ------
    OSError
        If the file does not exist.
    ValueError
        If the file is not as CVAT writes it; the message names the file, the image and the shape.
        Also for tracks of videos, and for XML with a document type, which could define entities.

    Examples
    --------
    ``found = load_cvat("annotations.xml", "images"); segmenter.fit(found.images, found.masks)``
    """
    if os.path.isdir(path):
        return load_voc(path, image_folder=folder, ignore=ignore, groups=groups, labels=labels)
    if folder is None:
        raise ValueError("folder=None; expected the folder of the images that the XML names.")
    file = _File(os.fspath(path), boxes=boxes, skip=skip)
    ids = class_ids(file.labels(), ignore, repr(file.path))
    images = [file.image(each, os.fspath(folder), ids) for each in file.root.iter("image")]
    images = decided(images, unannotated, repr(file.path))
    return assemble(images, ids, multilabel=multilabel, groups=groups, labels=labels)


class _File:
    """One file; errors name its elements."""

    def __init__(self, path: str, *, boxes: bool, skip: Sequence[str]) -> None:
        self.path, self.root = path, _parsed(path)
        self._skip, self._boxes = set(skip), boxes
        unknown = self._skip - {"box", *_WITHOUT_AREA}
        if unknown:
            raise ValueError(
                f"skip names {sorted(unknown)}; expected box, {', '.join(_WITHOUT_AREA)}."
            )
        if self.root.tag != "annotations" or self.root.find("track") is not None:
            kind = "tracks of a video" if self.root.tag == "annotations" else self.root.tag
            raise ValueError(f"{path!r} holds {kind}; expected CVAT's export for images.")

    def labels(self) -> list[str]:
        """Return the names of the labels in the file's order, or sorted if it lists none."""
        described = [each.text or "" for each in self.root.iterfind("meta/*/labels/label/name")]
        if described:
            return described
        shapes = (each for image in self.root.iter("image") for each in image)
        return sorted({str(each.get("label")) for each in shapes if each.tag != "tag"})

    def image(self, element: Element, folder: str, ids: dict[str, int]) -> DrawnImage:
        """Return an image with its shapes, from bottom to top."""
        name = element.get("name")
        where = f"{self.path!r}: image {name!r:.80}"
        path = file_inside(folder, name, where)
        height, width = (_number(element, side, where) for side in ("height", "width"))
        size = as_size(height, width, where)
        drawn = []
        for number, shape in enumerate(each for each in element if each.tag != "tag"):
            if shape.tag in self._skip:
                continue
            place = f"{where}: shape {number} ({shape.tag})"
            label = shape.get("label")
            if label not in ids:
                raise ValueError(f"{place}: its label is {label!r}; known: {', '.join(ids)}.")
            level = _number(shape, "z_order", place) if "z_order" in shape.attrib else 0.0
            drawn.append((level, ids[label], self._shape(shape, size, place)))
        drawn.sort(key=lambda each: each[0])
        tags = [str(tag.get("label")) for tag in element.iterfind("tag")]
        shapes = [each[1:] for each in drawn] if drawn or tags else None
        return DrawnImage(str(name), path, size, shapes, tags)

    def _shape(self, shape: Element, size: tuple[int, int], where: str) -> Shape:
        if shape.tag == "box" and not self._boxes:
            raise ValueError(f"{where}: boxes=True fills it, skip=['box'] ignores it.")
        made = _SHAPES.get(shape.tag)
        if made is None:
            raise ValueError(f"{where} has no area; skip=[{shape.tag!r}] ignores it.")
        return made(shape, size, where)


def _parsed(path: str) -> Element:
    parser = XMLParser(target=_WithoutDoctype())
    try:
        parser.feed(read_bytes(path, _MOST_BYTES))
        return parser.close()
    except (ParseError, RecursionError) as error:
        raise ValueError(f"{path!r} is not XML: {error}.") from error
    except _HasDoctype:
        raise ValueError(
            f"{path!r} has a document type, which may define entities; CVAT writes none."
        ) from None


class _HasDoctype(Exception):
    pass


class _WithoutDoctype(TreeBuilder):
    """Stops at a document type, before it can define entities."""

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise _HasDoctype


def _polygon(shape: Element, size: tuple[int, int], where: str) -> Shape:
    pairs = [pair.split(",") for pair in shape.get("points", "").split(";")]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"{where}: points are {shape.get('points')!r:.80}; expected 'x,y;x,y'.")
    numbers = [_parse(number, where) for pair in pairs for number in pair]
    return Polygons((as_points(numbers, where),))


def _box(shape: Element, size: tuple[int, int], where: str) -> Shape:
    left, top, right, bottom = (_number(shape, n, where) for n in ("xtl", "ytl", "xbr", "ybr"))
    middle = (left + right) / 2, (top + bottom) / 2
    turn = _number(shape, "rotation", where) if "rotation" in shape.attrib else 0.0
    return rectangle(middle, (right - left, bottom - top), turn, where)


def _ellipse(shape: Element, size: tuple[int, int], where: str) -> Shape:
    x, y, width, height = (_number(shape, name, where) for name in ("cx", "cy", "rx", "ry"))
    turn = _number(shape, "rotation", where) if "rotation" in shape.attrib else 0.0
    return ellipse((x, y), (width, height), turn, where)


def _mask(shape: Element, size: tuple[int, int], where: str) -> Shape:
    names = ("top", "left", "height", "width")
    top, left, height, width = (_number(shape, name, where) for name in names)
    part = as_size(height, width, where)
    if top != int(top) or left != int(left) or min(top, left) < 0:
        raise ValueError(f"{where}: it begins at {top:g}, {left:g}; expected whole numbers from 0.")
    if top + part[0] > size[0] or left + part[1] > size[1]:
        raise ValueError(
            f"{where}: it ends at row {top + part[0]:g} and column {left + part[1]:g}; its image "
            f"has {size[0]} x {size[1]} pixels."
        )
    counts: list[Any] = [_parse(each, where) for each in shape.get("rle", "").split(",")]
    counts = [int(each) if each == int(each) else each for each in counts]
    runs = check_runs(counts, part[0] * part[1], where)
    return Runs(runs, part, by_columns=False, top=int(top), left=int(left))


_SHAPES: dict[str, Callable[[Element, tuple[int, int], str], Shape]] = {
    "polygon": _polygon,
    "box": _box,
    "ellipse": _ellipse,
    "mask": _mask,
}


def _number(element: Element, name: str, where: str) -> float:
    return _parse(element.get(name), f"{where}: {name}")


def _parse(text: str | None, where: str) -> float:
    try:
        return as_number(float(str(text)), where)
    except ValueError:
        raise ValueError(f"{where} is {text!r:.80}; expected a finite number.") from None
