"""Read JSON exports of Label Studio."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from segclf.datasets.annotated_images import AnnotatedImages, NameFunction
from segclf.datasets.brush_runs import as_brush
from segclf.datasets.class_names import class_ids
from segclf.datasets.drawn_images import DrawnImage, assemble, decided
from segclf.datasets.drawn_masks import Polygons, Shape, as_points, ellipse, rectangle, turned
from segclf.datasets.outside_files import as_number, as_size, file_inside, read_json

__all__ = ["load_label_studio"]

Path = str | os.PathLike[str]
# The prefix that Label Studio adds to the names of uploaded files.
_UPLOADED = re.compile(r"[0-9a-f]{8}-(.+)")
_WITHOUT_PIXELS = (
    *("choices", "datetime", "labels", "number", "pairwise", "ranker", "rating", "relation"),
    *("taxonomy", "textarea"),
)


def load_label_studio(
    path: Path,
    folder: Path,
    *,
    key: str = "image",
    class_names: Sequence[str] | None = None,
    multilabel: bool = False,
    boxes: bool = False,
    skip: Sequence[str] = (),
    unannotated: str | None = "none",
    ignore: str | None = "ignore",
    groups: NameFunction | None = None,
    labels: NameFunction | None = None,
) -> AnnotatedImages:
    """Read a "JSON" export of Label Studio: brush masks, polygons, ellipses, boxes, choices.

    If a task has several annotations, the ground truth is used, or else the last one. Cancelled
    annotations are ignored.

    Parameters
    ----------
    path : str or path-like
        Path of the JSON file.
    folder : str or path-like
        Folder of the images. A task's image is the file whose path is the longest end of the path
        in the task: for ``/data/upload/3/ab12cd34-a.png`` it is that path in `folder`, or
        ``upload/3/ab12cd34-a.png``, and so on to ``ab12cd34-a.png`` and ``a.png``.
    key : str, default="image"
        Key of the image in the data of a task.
    class_names : sequence of str, optional
        Labels of regions in the order of their ids, from 1 on. By default all labels that occur,
        sorted.
    multilabel : bool, default=False
        True makes masks with one channel for each class, which keep overlaps. Otherwise later
        regions in the file cover earlier ones.
    boxes : bool, default=False
        Whether a rectangle means all pixels in it. Otherwise it is an error.
    skip : sequence of str
        Types of regions to ignore, such as "keypointlabels". Regions without an area are errors
        otherwise.
    unannotated : {"empty", "none"}, default="none"
        The mask of a task without annotations. A task with an empty annotation has an empty mask.
    ignore : str or None, default="ignore"
        The label whose pixels are -1, unlabeled.
    groups, labels : callable, optional
        Functions from the name of an image (its path in `folder` without suffix) to its group and
        to its label.

    Returns
    -------
    AnnotatedImages
        Image labels come from choices; without choices, from the masks.

    Raises
    ------
    OSError
        If the file does not exist.
    ValueError
        If the file is not as Label Studio writes it, or an image is rotated, missing or outside
        `folder`; the message names the file, the task and the result.

    Examples
    --------
    ``found = load_label_studio("export.json", "images"); segmenter.fit(found.images, found.masks)``
    """
    file = os.fspath(path)
    tasks = [_Task.read(*task, key, os.fspath(folder)) for task in _tasks(file)]
    regions = [list(task.regions(set(skip), boxes=boxes)) for task in tasks]
    found = sorted({name for each in regions for region in each for name in region.names})
    ids = class_ids(found if class_names is None else class_names, ignore, repr(file))
    drawn = zip(tasks, regions, strict=True)
    images = [task.drawn(each, ids, multilabel=multilabel) for task, each in drawn]
    images = decided(images, unannotated, repr(file))
    return assemble(images, ids, multilabel=multilabel, groups=groups, labels=labels)


class _Region(NamedTuple):
    """A region, its labels, and its description for error messages."""

    where: str
    names: list[str]
    shape: Shape


class _Task(NamedTuple):
    """One image and its annotation.

    Attributes
    ----------
    where : str
        Description of the task, for error messages.
    path, name : str
        Path of the image, and the part of it within the folder.
    results : list of dict, or None
    """

    where: str
    path: str
    name: str
    results: list[tuple[str, dict[str, Any]]] | None

    @classmethod
    def read(cls, where: str, task: dict[str, Any], key: str, folder: str) -> _Task:
        data = task.get("data")
        if not isinstance(data, dict) or not isinstance(data.get(key), str):
            keys = ", ".join(map(str, data)) if isinstance(data, dict) else "none"
            raise ValueError(f"{where}: its data has no text {key!r}; its keys: {keys}. Pass key=.")
        path = _image_file(folder, data[key], where)
        name = os.path.relpath(path, folder).replace(os.sep, "/")
        return cls(where, path, name, _results(task, where))

    def regions(self, skip: set[str], *, boxes: bool) -> Iterator[_Region]:
        """Yield the regions; a label may be in a separate result with the same id."""
        results = self.results or ()
        named = {r.get("id"): _labels(r) for _, r in results if r.get("type") == "labels"}
        for where, result in results:
            kind = str(result.get("type"))
            if kind in skip or kind in _WITHOUT_PIXELS:
                continue
            make = _SHAPES.get(kind.removesuffix("labels"))
            if make is None:
                raise ValueError(f"{where}: {kind!r} has no area; skip=[{kind!r}] ignores it.")
            if make is _rectangle and not boxes:
                raise ValueError(f"{where}: boxes=True fills it, skip=[{kind!r}] ignores it.")
            names = _labels(result) or named.get(result.get("id")) or []
            if not names:
                raise ValueError(f"{where}: it has no label.")
            yield _Region(where, names, make(result, _size(result, where), where))

    def drawn(self, regions: list[_Region], ids: dict[str, int], *, multilabel: bool) -> DrawnImage:
        """Return the image with its shapes."""
        results = self.results or ()
        sizes = {_size(result, where) for where, result in results if "original_width" in result}
        if len(sizes) > 1:
            raise ValueError(
                f"{self.where}: its regions belong to images of several sizes: {sizes}."
            )
        shapes: list[tuple[int, Shape]] = []
        for where, names, shape in regions:
            if len(names) > 1 and not multilabel:
                raise ValueError(
                    f"{where}: it has the labels {', '.join(names)}; multilabel=True keeps several."
                )
            for name in names:
                if name not in ids:
                    raise ValueError(f"{where}: its label is {name!r}; known: {', '.join(ids)}.")
                shapes.append((ids[name], shape))
        choices = [result for _, result in results if result.get("type") == "choices"]
        tags = [name for result in choices for name in _labels(result)]
        said = None if self.results is None else shapes
        return DrawnImage(self.name, self.path, sizes.pop() if sizes else self.path, said, tags)


def _tasks(file: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, task in enumerate(read_json(file, list)):
        where = f"{file!r}: task {number}"
        if not isinstance(task, dict):
            raise ValueError(f"{where} is {task!r:.80}; expected an object {{...}}.")
        if "data" not in task:
            raise ValueError(f"{where} has no data; expected the export 'JSON', not 'JSON-MIN'.")
        yield f"{where} (id {task.get('id')!r:.40})", task


def _results(task: dict[str, Any], where: str) -> list[tuple[str, dict[str, Any]]] | None:
    """Return the results of the annotation to use; None without annotations."""
    annotations = task.get("annotations", task.get("completions", []))
    if not isinstance(annotations, list) or not all(isinstance(a, dict) for a in annotations):
        raise ValueError(f"{where}: its annotations are {annotations!r:.80}; expected a list.")
    counting = [each for each in annotations if not each.get("was_cancelled")]
    if not counting:
        return None
    truth = [each for each in counting if each.get("ground_truth")]
    results = (truth or counting)[-1].get("result")
    if not isinstance(results, list) or not all(isinstance(r, dict) for r in results):
        raise ValueError(f"{where}: its result is {results!r:.80}; expected a list of objects.")
    return [(f"{where}: result {number}", result) for number, result in enumerate(results)]


def _image_file(folder: str, text: str, where: str) -> str:
    """Find the file in the folder whose path is the longest end of the path in a task."""
    address = urlsplit(text)
    local = parse_qs(address.query).get("d", [""])[0]  # /data/local-files/?d=...
    parts = [
        part for part in (local or unquote(address.path)).replace("\\", "/").split("/") if part
    ]
    if ".." in parts or "\0" in text:
        raise ValueError(f"{where}: {text!r:.200} leads out of {folder!r}.")
    ends = ["/".join(parts[first:]) for first in range(len(parts))]
    uploaded = _UPLOADED.fullmatch(parts[-1]) if parts else None
    for end in [*ends, *([uploaded[1]] if uploaded else [])]:
        if os.path.isfile(os.path.join(folder, end)):
            return file_inside(folder, end, where)
    raise ValueError(f"{where}: there is no file in {folder!r} for its image {text!r:.200}.")


def _labels(result: dict[str, Any]) -> list[str]:
    value, kind = result.get("value"), str(result.get("type"))
    names = value.get(kind) if isinstance(value, dict) else None
    return [str(name) for name in names] if isinstance(names, list) else []


def _size(result: dict[str, Any], where: str) -> tuple[int, int]:
    if result.get("image_rotation") not in (0, None):
        raise ValueError(
            f"{where}: its image was rotated in Label Studio; rotate the file and annotate that."
        )
    return as_size(result.get("original_height"), result.get("original_width"), where)


def _percent(result: dict[str, Any], names: Sequence[str], where: str) -> list[float]:
    value = result.get("value")
    given = value if isinstance(value, dict) else {}
    return [as_number(given.get(name, 0), f"{where}: {name}") / 100 for name in names]


def _brush(result: dict[str, Any], size: tuple[int, int], where: str) -> Shape:
    value = result.get("value")
    rle = value.get("rle") if isinstance(value, dict) else None
    # A cache identifies a mask by its state, which does not include the folder of the file.
    return as_brush(rle, size, re.sub(r"^'.*/", "'", where))


def _polygon(result: dict[str, Any], size: tuple[int, int], where: str) -> Shape:
    value = result.get("value")
    pairs = value.get("points") if isinstance(value, dict) else None
    if not isinstance(pairs, list) or not all(isinstance(p, list) and len(p) == 2 for p in pairs):
        raise ValueError(f"{where}: points are {pairs!r:.80}; expected [[x, y], ...].")
    points = as_points([number for pair in pairs for number in pair], where)
    return Polygons((points * [size[1] / 100, size[0] / 100],))


def _rectangle(result: dict[str, Any], size: tuple[int, int], where: str) -> Shape:
    """Return a rectangle that is rotated around its upper left corner."""
    x, y, width, height = _percent(result, ("x", "y", "width", "height"), where)
    turn = 100 * _percent(result, ("rotation",), where)[0]
    left, top, width, height = x * size[1], y * size[0], width * size[1], height * size[0]
    right, down = turned([width / 2, height / 2], turn).tolist()
    return rectangle((left + right, top + down), (width, height), turn, where)


def _ellipse(result: dict[str, Any], size: tuple[int, int], where: str) -> Shape:
    x, y, wide, high = _percent(result, ("x", "y", "radiusX", "radiusY"), where)
    turn = 100 * _percent(result, ("rotation",), where)[0]
    middle, radii = (x * size[1], y * size[0]), (wide * size[1], high * size[0])
    return ellipse(middle, radii, turn, where)


_SHAPES: dict[str, Callable[[dict[str, Any], tuple[int, int], str], Shape]] = {
    "brush": _brush,
    "polygon": _polygon,
    "rectangle": _rectangle,
    "ellipse": _ellipse,
}
