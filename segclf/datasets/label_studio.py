"""Label Studio's export as JSON."""

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
# What Label Studio puts before the name of a file that was uploaded.
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
    """Read what Label Studio exports as "JSON": brush masks, polygons, ellipses, boxes, choices.

    Of several annotations of a task the ground truth counts, else the last; those that were
    cancelled do not.

    Parameters
    ----------
    path : str or path-like
        Of the JSON file.
    folder : str or path-like
        Of the images. A task's image is the file there whose path is the end of what the task says:
        of ``/data/upload/3/ab12cd34-a.png`` that, or ``upload/3/ab12cd34-a.png`` and so on to
        ``ab12cd34-a.png`` and ``a.png``.
    key : str, default="image"
        What a task calls its image.
    class_names : sequence of str, optional
        Of the labels of regions, in the order of their ids, from 1 on. By default those that occur,
        sorted.
    multilabel : bool, default=False
        True makes masks of one channel a class, which keep what overlaps. Else what comes later in
        the file covers what was before.
    boxes : bool, default=False
        Whether a rectangle stands for all pixels in it. Else it is an error.
    skip : sequence of str
        Types of regions to pass over, such as "keypointlabels". Those without an area are errors
        otherwise.
    unannotated : {"empty", "none"}, default="none"
        What a task without annotations has. One with an annotation that is empty has an empty mask.
    ignore : str or None, default="ignore"
        The label that is -1.
    groups, labels : callable, optional
        From an image's name, as its path in `folder` without suffix, to its group and to its label.

    Returns
    -------
    AnnotatedImages
        Choices are the labels of images; where there are none, the masks say them.

    Raises
    ------
    OSError
        If there is no such file.
    ValueError
        Naming the file, the task and the result, for what is not as Label Studio writes it, turned
        images, and images that are missing or lead out of `folder`.

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
    """What somebody drew, its labels, and how errors name it."""

    where: str
    names: list[str]
    shape: Shape


class _Task(NamedTuple):
    """One image, and the annotation of it that counts.

    Attributes
    ----------
    where : str
        How errors name it.
    path, name : str
        Of the image, and its path in the folder.
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
        """Yield what was drawn; a label may stand in a result of its own, of the same id."""
        results = self.results or ()
        named = {r.get("id"): _labels(r) for _, r in results if r.get("type") == "labels"}
        for where, result in results:
            kind = str(result.get("type"))
            if kind in skip or kind in _WITHOUT_PIXELS:
                continue
            make = _SHAPES.get(kind.removesuffix("labels"))
            if make is None:
                raise ValueError(f"{where}: {kind!r} has no area; skip=[{kind!r}] passes over it.")
            if make is _rectangle and not boxes:
                raise ValueError(f"{where}: boxes=True fills it, skip=[{kind!r}] passes over it.")
            names = _labels(result) or named.get(result.get("id")) or []
            if not names:
                raise ValueError(f"{where}: it has no label.")
            yield _Region(where, names, make(result, _size(result, where), where))

    def drawn(self, regions: list[_Region], ids: dict[str, int], *, multilabel: bool) -> DrawnImage:
        """Return the image, and what was drawn on it."""
        results = self.results or ()
        sizes = {_size(result, where) for where, result in results if "original_width" in result}
        if len(sizes) > 1:
            raise ValueError(f"{self.where}: its regions are of images of several sizes: {sizes}.")
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
    """Return the results of the annotation that counts; None where there is none."""
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
    """Find the file in the folder whose path is the longest end of what a task says."""
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
        raise ValueError(f"{where}: its image was turned; turn the file, and annotate it as it is.")
    return as_size(result.get("original_height"), result.get("original_width"), where)


def _percent(result: dict[str, Any], names: Sequence[str], where: str) -> list[float]:
    value = result.get("value")
    given = value if isinstance(value, dict) else {}
    return [as_number(given.get(name, 0), f"{where}: {name}") / 100 for name in names]


def _brush(result: dict[str, Any], size: tuple[int, int], where: str) -> Shape:
    value = result.get("value")
    rle = value.get("rle") if isinstance(value, dict) else None
    # A cache knows a mask by its state, which a file's folder is no part of.
    return as_brush(rle, size, re.sub(r"^'.*/", "'", where))


def _polygon(result: dict[str, Any], size: tuple[int, int], where: str) -> Shape:
    value = result.get("value")
    pairs = value.get("points") if isinstance(value, dict) else None
    if not isinstance(pairs, list) or not all(isinstance(p, list) and len(p) == 2 for p in pairs):
        raise ValueError(f"{where}: points are {pairs!r:.80}; expected [[x, y], ...].")
    points = as_points([number for pair in pairs for number in pair], where)
    return Polygons((points * [size[1] / 100, size[0] / 100],))


def _rectangle(result: dict[str, Any], size: tuple[int, int], where: str) -> Shape:
    """Turn around the corner at the upper left."""
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
