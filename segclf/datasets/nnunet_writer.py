"""Write nnU-Net folders."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segclf.axes import N_SPATIAL
from segclf.data import (
    Images,
    ImagesLike,
    Masks,
    MasksLike,
    as_images,
    as_masks,
    atomic_write,
    check_mask_sizes,
    load_header,
    save_image,
    save_mask,
)
from segclf.data.mask_checks import MAX_ID
from segclf.datasets.case_names import case_names
from segclf.datasets.nnunet import IGNORE, Path
from segclf.hookspecs import ImageData

__all__ = ["to_nnunet"]

_PICTURES = (".png", ".tif")
_OF_PNG = ("bool", "uint8", "uint16")
_NARROWER = {
    "int64": np.int32,
    "uint64": np.uint32,
    "float16": np.float32,
    "float64": np.float32,
}
_AT_ONCE = 2**20


def to_nnunet(
    folder: Path,
    X: ImagesLike,
    masks: MasksLike,
    *,
    class_names: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    channel_names: Sequence[str] | None = None,
    splits: Sequence[tuple[ArrayLike, ArrayLike]] | None = None,
    X_test: ImagesLike | None = None,
    file_ending: str | None = None,
    spacing: tuple[float, float, float] | None = None,
    n_spatial: int = N_SPATIAL,
) -> None:
    """Write images and masks as an nnU-Net (version 2) folder, one image at a time.

    Parameters
    ----------
    folder : str or path-like
        New folder, such as ``nnUNet_raw/Dataset007_Pancreas``; an existing one must have no images.
    X : images, or volumes
        As `fit` takes them.
    masks : masks
        Masks of ids, as `fit` takes them. -1 becomes the label "ignore"; an image without a mask
        gets a mask of "ignore" only.
    class_names : sequence of str, optional
        Names of the ids, background first. By default "background", "class_1" and so on.
    names : sequence of str, optional
        Names of the cases. By default those of the files, or "0000" and so on.
    channel_names : sequence of str, optional
        Names of the channels, by which nnU-Net chooses the normalization, such as "CT". By default
        "R", "G" and "B" for colour images, otherwise "channel_0" and so on.
    splits : list of (array, array), optional
        Rows for training and for validation in each fold, for ``splits_final.json``, which nnU-Net
        reads from its folder of preprocessed data.
    X_test : images, optional
        Images for ``imagesTs``.
    file_ending : {".png", ".tif", ".nii.gz", ".nii"}, optional
        By default ``.nii.gz`` for volumes, and for images ``.png``, or ``.tif`` if PNG cannot store
        their type. NIfTI needs the extra ``segclf[medical]``. A NIfTI file with that ending and one
        channel is copied unchanged.
    spacing : (float, float, float), optional
        Size of a voxel along (d, h, w) in millimetres, for volumes in arrays.
    n_spatial : int, default=2
        3 for volumes.

    Raises
    ------
    OSError
        If a file cannot be written.
    ValueError
        If masks are multi-label, which nnU-Net does not support; if a mask has another size than
        its image, two cases have the same name, or the folder has images already.

    Examples
    --------
    ``to_nnunet("Dataset007_Polyp", paths, masks, class_names=["background", "polyp"])``
    """
    images = as_images(X, n_spatial=n_spatial)
    found = _ids(masks, images)
    cases, classes = case_names(images, names), _class_names(class_names, found.n_classes)
    files: dict[str, Any] = {}
    if splits is not None:
        files["splits_final.json"] = [_fold(fold, cases) for fold in splits]
    test: Any = () if X_test is None else as_images(X_test, n_spatial=n_spatial)
    target = _Folder(os.fspath(folder), images, file_ending, channel_names, spacing)
    ignores = target.write_training(images, found, cases, len(classes))
    for index, case in enumerate(case_names(test) if len(test) else ()):
        target.write_image("imagesTs", test, index, case)
    files["dataset.json"] = target.description([*classes, *[IGNORE] * ignores], len(cases))
    for name, content in files.items():  # dataset.json last: a folder with it is complete
        target.write_json(name, content)


def _ids(masks: MasksLike, images: Images) -> Masks:
    found = as_masks(masks, len(images), n_spatial=images.n_spatial)
    if found.multilabel:
        raise ValueError("nnU-Net needs masks with one id per pixel; got multi-label channels.")
    check_mask_sizes(images, found)
    return found


class _Folder:
    """Places and names of the files."""

    def __init__(
        self,
        path: str,
        images: Images,
        ending: str | None,
        channel_names: Sequence[str] | None,
        spacing: tuple[float, float, float] | None,
    ) -> None:
        first = images[0]
        if ending is None:
            flat = ".png" if first.dtype.name in _OF_PNG else ".tif"
            ending = flat if images.n_spatial == N_SPATIAL else ".nii.gz"
        if ending not in (*_PICTURES, ".nii", ".nii.gz"):
            raise ValueError(f"file_ending={ending!r}; expected '.png', '.tif', '.nii.gz', '.nii'.")
        colour = images.n_channels == 3 and ending in _PICTURES
        default = ["R", "G", "B"] if colour else [f"channel_{c}" for c in range(images.n_channels)]
        self.channel_names = list(default if channel_names is None else channel_names)
        if len(self.channel_names) != images.n_channels:
            raise ValueError(
                f"There are {len(self.channel_names)} channel_names for {images.n_channels} "
                "channels."
            )
        self._path, self._ending, self._spacing = path, ending, spacing
        self._in_one = colour
        for name in ("imagesTr", "labelsTr", "imagesTs"):
            self._make(name)

    def write_training(
        self, images: Images, masks: Masks, cases: list[str], n_classes: int
    ) -> bool:
        """Write images and masks; return whether any pixel is unlabeled."""
        ignores = False
        for index, case in enumerate(cases):
            image = self.write_image("imagesTr", images, index, case)
            ignores |= self.write_mask(image, masks, index, case, n_classes)
        return ignores

    def write_image(self, part: str, images: Images, index: int, case: str) -> str:
        """Write the channels of a case; return the path of the first."""
        if images.n_channels != len(self.channel_names):
            raise ValueError(f"X_test has {images.n_channels} channels; expected as many as X.")
        start = os.path.join(self._path, part, case)
        first, source = f"{start}_0000{self._ending}", images.path(index)
        if source is not None and images.n_channels == 1 and self._is_such(source):
            atomic_write(first, _parts(source))
            return first
        header = None if source is None else load_header(source)
        axes = "hwc" if images.n_spatial == N_SPATIAL else "dhwc"
        spacing, affine = (self._spacing, None) if header is None else header[-2:]
        image = _storable(images[index])
        channels = [image] if self._in_one else np.split(image, image.shape[-1], axis=-1)
        for number, channel in enumerate(channels):
            data = ImageData(channel, axes, spacing, affine)
            save_image(f"{start}_{number:04}{self._ending}", data)
        return first

    def write_mask(self, image: str, masks: Masks, index: int, case: str, n_classes: int) -> bool:
        """Write the mask of a case; return whether any pixel is unlabeled."""
        mask = masks[index]
        if mask is None:
            header = load_header(image)
            size = (header.height, header.width)
            mask = np.full(size if header.depth is None else (header.depth, *size), -1)
        path = os.path.join(self._path, "labelsTr", f"{case}{self._ending}")
        save_mask(path, np.where(mask < 0, n_classes, mask), like=image, n_spatial=masks.n_spatial)
        return bool((mask < 0).any())

    def description(self, classes: list[str], n_cases: int) -> dict[str, Any]:
        """Return the contents of dataset.json."""
        return {
            "channel_names": {str(c): name for c, name in enumerate(self.channel_names)},
            "labels": {name: number for number, name in enumerate(classes)},
            "numTraining": n_cases,
            "file_ending": self._ending,
        }

    def write_json(self, name: str, content: Any) -> None:
        """Write a JSON file beside the folders of images."""
        text = json.dumps(content, indent=1, ensure_ascii=False)
        atomic_write(os.path.join(self._path, name), text.encode())

    def _is_such(self, source: str) -> bool:
        return self._ending.startswith(".nii") and source.lower().endswith(self._ending)

    def _make(self, name: str) -> None:
        folder = os.path.join(self._path, name)
        os.makedirs(folder, exist_ok=True)
        if os.listdir(folder):
            raise ValueError(f"{folder!r} has files already; expected a new folder.")


def _class_names(names: Sequence[str] | None, n_classes: int) -> list[str]:
    if names is None:
        names = ["background", *(f"class_{number}" for number in range(1, n_classes))]
    classes = list(names)
    if len(classes) < max(n_classes, 2) or len(classes) > MAX_ID:
        raise ValueError(
            f"There are {len(classes)} class_names for {n_classes} ids; expected a name for each, "
            "the background first."
        )
    if len({*classes, IGNORE}) < len(classes) + 1 or classes[0] != "background":
        raise ValueError(
            f"class_names={classes!r}; expected different names, 'background' first and no "
            f"{IGNORE!r}, which is reserved for -1."
        )
    return classes


def _fold(fold: tuple[ArrayLike, ArrayLike], cases: list[str]) -> dict[str, list[str]]:
    parts = (np.arange(len(cases))[np.asarray(rows)].tolist() for rows in fold)
    names = ([cases[row] for row in rows] for rows in parts)
    return dict(zip(("train", "val"), names, strict=True))


def _storable(image: NDArray[Any]) -> NDArray[Any]:
    """Return the image in a type that files can store and nnU-Net reads."""
    if image.dtype == bool:
        return image.astype(np.uint8) * np.uint8(255)
    narrow = _NARROWER.get(image.dtype.name)
    if narrow is None:
        return image
    stored = image.astype(narrow)
    if image.dtype.kind in "iu" and (stored != image).any():
        raise ValueError(
            f"It has {image.dtype} values that {stored.dtype} cannot store; pass float32."
        )
    return stored


def _parts(path: str) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while part := file.read(_AT_ONCE):
            yield part
