"""Write predicted masks to files, one image at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.axes import N_SPATIAL, is_multilabel
from segclf.base.spatial import n_spatial
from segclf.data import Images, ImagesLike, as_images, save_mask
from segclf.datasets.case_names import case_names
from segclf.datasets.coco_writer import CocoParts, classes_of
from segclf.datasets.nnunet import Path

__all__ = ["write_masks"]

_ENDINGS = {"png": ".png", "tif": ".tif", "nifti": ".nii.gz"}
_COCO = "annotations.json"
_FIRST_CHANNEL = "_0000"


def write_masks(
    estimator: Any,
    X: ImagesLike,
    folder: Path,
    *,
    layout: str | None = None,
    names: Sequence[str] | None = None,
    class_names: Sequence[str] | None = None,
    overwrite: bool = False,
) -> list[str]:
    """Predict masks and write each mask to a file before the next image is read.

    Parameters
    ----------
    estimator : estimator
        A fitted segmenter, or a classifier with `predict_masks`, of images or of volumes.
    X : images or volumes
        As `predict` takes them.
    folder : str or path-like
        Folder of the files; it is created if missing.
    layout : {"png", "tif", "nifti", "nnunet", "coco"}, optional
        "png" and "tif" store ids. "nifti" also stores overlapping classes, and the affine of the
        image's file. "nnunet" is "png" or "nifti" with the file names of nnU-Net's predictions.
        "coco" is one file ``annotations.json``, for images only. By default "png" for images and
        "nifti" for volumes.
    names : sequence of str, optional
        File names without suffix; ``/`` separates folders. By default the file names of the images
        without their folders, or "0000" and so on.
    class_names : sequence of str, optional
        For "coco": names of the ids, background first, or of the channels.
    overwrite : bool, default=False
        Whether to replace existing files. If False and a file exists, nothing is predicted. Images
        of X are never replaced.

    Returns
    -------
    list of str
        The path of each mask, in the order of X; for "coco", of the one file.

    Raises
    ------
    OSError
        If a file cannot be written.
    ValueError
        If two masks have the same name, files exist already, or the layout cannot store the masks.

    Examples
    --------
    ``paths = write_masks(segmenter, sorted(Path("images").glob("*.png")), "masks")``
    """
    spatial = n_spatial(estimator)
    images = as_images(
        X,
        n_channels=getattr(estimator, "n_channels_", None),
        channels=getattr(estimator, "channels", None),
        n_spatial=spatial,
    )
    found = _found_names(images, names, layout)
    if layout == "coco":
        target = os.path.join(os.fspath(folder), _COCO)
        _require_free(images, [target], overwrite=overwrite)
        masks, n_classes = _predicted(estimator, images), _n_classes(estimator, class_names)
        return [_write_coco(masks, images, found, target, class_names, n_classes)]
    ending = _ending(layout, spatial)
    targets = [os.path.join(os.fspath(folder), f"{name}{ending}") for name in found]
    _require_free(images, targets, overwrite=overwrite)
    for index, mask in enumerate(_predicted(estimator, images)):
        os.makedirs(os.path.dirname(targets[index]) or ".", exist_ok=True)
        save_mask(targets[index], mask, like=images.path(index), n_spatial=spatial)
    return targets


def _predicted(estimator: Any, images: Images) -> Iterator[NDArray[Any]]:
    predict: Callable[[Any], Any] = getattr(estimator, "predict_masks", None) or estimator.predict
    for index in range(len(images)):
        yield np.asarray(predict(images.subset([index]))[0])


def _ending(layout: str | None, spatial: int) -> str:
    usual = "png" if spatial == N_SPATIAL else "nifti"
    ending = _ENDINGS.get(usual if layout in (None, "nnunet") else str(layout))
    if ending is None:
        raise ValueError(f"layout={layout!r}; expected one of {', '.join(_ENDINGS)}, nnunet, coco.")
    return ending


def _found_names(images: Images, names: Sequence[str] | None, layout: str | None) -> list[str]:
    if layout == "coco" and images.n_spatial != N_SPATIAL:
        raise ValueError("layout='coco' is for images; use 'nifti' for volumes.")
    found = case_names(images, names, folders=True)
    if layout != "nnunet" or names is not None:
        return found
    return case_names(images, [name.removesuffix(_FIRST_CHANNEL) for name in found])


def _require_free(images: Images, targets: list[str], *, overwrite: bool) -> None:
    """Raise if a file would replace an image, or another file without `overwrite`."""
    paths = filter(None, map(images.path, range(len(images))))
    sources = {os.path.realpath(path) for path in paths}
    for target in targets:
        if os.path.realpath(target) in sources:
            raise ValueError(f"{target!r} is an image of X; choose another folder.")
        if os.path.lexists(target) and not overwrite:
            raise ValueError(f"{target!r} exists already; overwrite=True replaces it.")


def _write_coco(
    masks: Iterator[NDArray[Any]],
    images: Images,
    names: list[str],
    target: str,
    class_names: Sequence[str] | None,
    n_classes: int,
) -> str:
    parts: CocoParts | None = None
    for index, mask in enumerate(masks):
        if parts is None:
            multilabel = is_multilabel(mask)
            parts = CocoParts(classes_of(class_names, n_classes, multilabel=multilabel))
        path = images.path(index)
        suffix = ".png" if path is None else os.path.splitext(path)[1]
        parts.add(f"{names[index]}{suffix}", mask.shape[-2:], mask)
    os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
    if parts is not None:
        parts.write(target)
    return target


def _n_classes(estimator: Any, class_names: Sequence[str] | None) -> int:
    for holder in (estimator, getattr(estimator, "segmenter_", None)):
        known = getattr(holder, "n_classes_", None)
        if known is not None:
            return int(known)
    if class_names is None:
        raise ValueError(f"{type(estimator).__name__} has no class names; pass class_names=.")
    return len(class_names)
