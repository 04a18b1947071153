"""Images with drawn annotations, in a form that all annotation tools share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from segclf.datasets.annotated_images import AnnotatedImages, NameFunction, of_names
from segclf.datasets.case_names import without_suffixes
from segclf.datasets.class_names import mask_names
from segclf.datasets.drawn_masks import DrawnMask, Shape
from segclf.datasets.outside_files import unique

__all__ = ["DrawnImage", "assemble", "decided"]


class DrawnImage(NamedTuple):
    """One image with its annotations.

    Attributes
    ----------
    name : str
        Name of the file in the annotations.
    path : str
    size : (int, int), or str
        As in `DrawnMask`.
    shapes : list of (int, Shape), or None
        Shapes with their ids; later ones cover earlier ones. None if the image is not annotated.
    tags : list of str
        Labels of the whole image.
    """

    name: str
    path: str
    size: tuple[int, int] | str
    shapes: list[tuple[int, Shape]] | None
    tags: Sequence[str] = ()


def decided(images: Sequence[DrawnImage], unannotated: str | None, where: str) -> list[DrawnImage]:
    """Decide whether images without annotations get empty masks or none.

    Parameters
    ----------
    images : sequence of DrawnImage
    unannotated : {"empty", "none"} or None
        None if the user did not choose.
    where : str
        Description of the source, for the error message.

    Raises
    ------
    ValueError
        If `unannotated` has another value, is None although an image has no annotations, or if an
        image occurs twice.
    """
    if unannotated not in ("empty", "none", None):
        raise ValueError(f"unannotated={unannotated!r}; expected 'empty' or 'none'.")
    unique([image.path for image in images], where)
    without = [image.name for image in images if image.shapes is None]
    if without and unannotated is None:
        raise ValueError(
            f"{where}: {len(without)} of {len(images)} images have no annotation, {without[0]!r} "
            "among them. Pass unannotated='empty' if they were inspected and show nothing, 'none' "
            "if they were not inspected."
        )
    empty: list[tuple[int, Shape]] | None = [] if unannotated == "empty" else None
    return [each._replace(shapes=empty) if each.shapes is None else each for each in images]


def assemble(
    images: Sequence[DrawnImage],
    ids: dict[str, int],
    *,
    multilabel: bool,
    groups: NameFunction | None,
    labels: NameFunction | None,
) -> AnnotatedImages:
    """Return paths, masks that are drawn when they are read, and labels.

    Parameters
    ----------
    images : sequence of DrawnImage
    ids : dict
        Ids by class name.
    multilabel, groups, labels
        As in `load_coco`.

    Returns
    -------
    AnnotatedImages
        Image labels come from `labels` if given, otherwise from tags if any, otherwise from the
        masks.
    """
    names = without_suffixes([image.name for image in images])
    classes = mask_names(ids, multilabel=False)
    n_channels = len(classes) - 1 if multilabel else 0
    masks = [
        None if image.shapes is None else DrawnMask(image.size, tuple(image.shapes), n_channels)
        for image in images
    ]
    target, target_names = of_names(labels, names), list[str]()
    if target is None and any(image.tags for image in images):
        target, target_names = _of_tags([image.tags for image in images])
    elif target is None:
        target, target_names = _of_shapes(images, classes)
    return AnnotatedImages(
        [image.path for image in images],
        masks,
        mask_names(ids, multilabel=multilabel),
        names,
        target=target,
        target_names=target_names,
        groups=of_names(groups, names),
    )


def _of_shapes(
    images: Sequence[DrawnImage], classes: list[str]
) -> tuple[NDArray[np.intp], list[str]]:
    """Return ids, or an indicator if an image shows two classes; -1 where unlabeled."""
    shown = [
        None if image.shapes is None else {number for number, _ in image.shapes if number > 0}
        for image in images
    ]
    if all(each is None or len(each) < 2 for each in shown):
        single = [-1 if each is None else max([0, *each]) for each in shown]
        return np.array(single, dtype=np.intp), classes
    numbers = range(1, len(classes))
    rows = [[-1 if each is None else int(n in each) for n in numbers] for each in shown]
    return np.array(rows, dtype=np.intp), classes[1:]


def _of_tags(tags: Sequence[Sequence[str]]) -> tuple[NDArray[np.intp], list[str]]:
    """Return the same for tags, with their sorted names."""
    names = sorted({name for each in tags for name in each})
    if all(len(set(each)) < 2 for each in tags):
        single = [names.index(each[0]) if each else -1 for each in tags]
        return np.array(single, dtype=np.intp), names
    rows = [[int(name in each) if each else -1 for name in names] for each in tags]
    return np.array(rows, dtype=np.intp), names
