"""Read nnU-Net folders."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.axes import N_SPATIAL
from segclf.data import LazyMask, load_mask, map_masks
from segclf.data.channel_files import join_channel_files
from segclf.data.mask_checks import MAX_ID
from segclf.data.watched_file import WatchedFile
from segclf.datasets.annotated_images import AnnotatedImages, NameFunction, Rows, of_names
from segclf.datasets.outside_files import file_inside, read_json, unique

__all__ = ["IGNORE", "load_nnunet"]

Path = str | os.PathLike[str]
#: nnU-Net's name for unlabeled pixels.
IGNORE = "ignore"
_MOST_BYTES = 2**26


def load_nnunet(
    folder: Path,
    *,
    subset: str = "train",
    groups: NameFunction | None = None,
    labels: NameFunction | None = None,
) -> AnnotatedImages:
    """Read an nnU-Net (version 2) folder of images or volumes.

    Parameters
    ----------
    folder : str or path-like
        Folder with ``dataset.json``, ``imagesTr``, ``labelsTr`` and, for testing, ``imagesTs``.
        Folds are read from ``splits_final.json`` if it exists.
    subset : {"train", "test"}, default="train"
        The images of ``imagesTr``, or of ``imagesTs``, whose masks are read from ``labelsTs`` if it
        exists.
    groups, labels : callable, optional
        Functions from the name of a case to its group, such as the patient, and to its label.

    Returns
    -------
    AnnotatedImages
        One path stands for the channel files of a case, ``"case_{0000,0001}.nii.gz"``. The label
        "ignore" becomes -1. Regions become channels of 0 and 1, which may overlap, with -1 at
        "ignore".

    Raises
    ------
    OSError
        If ``dataset.json`` does not exist.
    ValueError
        If the folder has another layout or version, a mask is missing, the channels of a case do
        not agree with ``dataset.json``, or a path in it leads out of the folder.

    Examples
    --------
    ``found = load_nnunet("Dataset007_Pancreas"); segmenter.fit(found.images, found.masks)``
    """
    description = _Description.read(folder)
    if subset not in ("train", "test"):
        raise ValueError(f"subset={subset!r}; expected 'train' or 'test'.")
    cases = description.cases(subset)
    names = list(cases)
    masks = [mask for _, mask in cases.values()]
    meant = description.meaning(masks)
    return AnnotatedImages(
        [image for image, _ in cases.values()],
        meant if any(mask is not None for mask in masks) else None,
        description.class_names,
        names,
        target=of_names(labels, names),
        groups=of_names(groups, names),
        splits=_splits(folder, names) if subset == "train" else None,
    )


@dataclass(frozen=True, eq=False)
class RegionMask(LazyMask):
    """A mask with channels of 0 and 1, each the union of several ids.

    Parameters
    ----------
    source : path
        Path of a mask of ids.
    regions : tuple of tuple of int
        The ids of each channel.
    ignore : int or None
        The id that becomes -1 in all channels.
    """

    source: Any
    regions: tuple[tuple[int, ...], ...]
    ignore: int | None

    @property
    def path(self) -> str:
        """The file of the mask of ids."""
        return os.fspath(self.source)

    def watched(self) -> RegionMask:
        """Watch the file for changes; see `LazyMask.watched`."""
        return replace(self, source=WatchedFile.of(self.source))

    def read(self, n_spatial: int = N_SPATIAL) -> NDArray[np.int8]:
        """Return (k, h, w) or (k, d, h, w); see `LazyMask.read`."""
        ids = WatchedFile.of(self.source).read(load_mask).array
        meant = {0, *sum(self.regions, ()), *(() if self.ignore is None else (self.ignore,))}
        strange = np.setdiff1d(ids, sorted(meant))
        if len(strange):
            raise ValueError(f"it holds {strange[0]}, which is in no region of dataset.json.")
        channels = [np.isin(ids, region).astype(np.int8) for region in self.regions]
        return np.where(ids == self.ignore, np.int8(-1), np.stack(channels))


@dataclass(frozen=True)
class _Description:
    """The contents of dataset.json.

    Attributes
    ----------
    folder, file : str
        The folder, and the name of the file in error messages.
    ending : str
        Ending of the file names.
    n_channels : int
    ids : tuple of int, or of tuples of int
        Id of each class, background first; or the ids of each region.
    class_names : list of str
        Names of these classes or regions.
    ignore : int or None
        The id of unlabeled pixels.
    listed : dict or None
        The files of each case, if dataset.json lists them.
    """

    folder: str
    file: str
    ending: str
    n_channels: int
    ids: tuple[Any, ...]
    class_names: list[str]
    ignore: int | None
    listed: Mapping[str, Any] | None

    @classmethod
    def read(cls, folder: Path) -> _Description:
        path = os.path.join(os.fspath(folder), "dataset.json")
        found = read_json(path, dict, _MOST_BYTES)
        missing = [key for key in ("labels", "channel_names", "file_ending") if key not in found]
        if missing:
            old = "modality" in found or "training" in found
            hint = "; it is for nnU-Net 1, convert it with nnU-Net 2" if old else ""
            raise ValueError(f"{path!r} lacks {', '.join(missing)}{hint}.")
        ending, listed = found["file_ending"], found.get("dataset")
        if not isinstance(ending, str) or not re.fullmatch(r"\.[\w.]+", ending):
            raise ValueError(
                f"{path!r}: file_ending is {ending!r}; expected a suffix such as '.nii.gz'."
            )
        for key, value in (("channel_names", found["channel_names"]), ("dataset", listed or {})):
            if not isinstance(value, dict) or (key == "channel_names" and not value):
                raise ValueError(f"{path!r}: {key} is {value!r:.80}; expected an object {{...}}.")
        names, ids, ignore = _labels(found["labels"], path)
        n_channels = len(found["channel_names"])
        return cls(os.fspath(folder), path, ending, n_channels, ids, names, ignore, listed)

    def cases(self, subset: str) -> dict[str, tuple[str, str | None]]:
        """Return the paths of the image and the mask of each case."""
        if self.listed is not None and subset == "train":
            return {name: self._listed(name, files) for name, files in self.listed.items()}
        images, masks = ("imagesTr", "labelsTr") if subset == "train" else ("imagesTs", "labelsTs")
        with_masks = subset == "train" or os.path.isdir(os.path.join(self.folder, masks))
        found: dict[str, list[str]] = {}
        pattern = re.compile(rf"(.+)_(\d{{4}}){re.escape(self.ending)}", re.DOTALL)
        folder = os.path.join(self.folder, images)
        for match in filter(None, map(pattern.fullmatch, sorted(os.listdir(folder)))):
            found.setdefault(match[1], []).append(match[2])
        if not found:
            raise ValueError(f"{folder!r} has no file like 'case_0000{self.ending}'.")
        cases: dict[str, tuple[str, str | None]] = {}
        for name, channels in found.items():
            self._require_channels(channels, name)
            mask = os.path.join(self.folder, masks, f"{name}{self.ending}")
            if with_masks and not os.path.isfile(mask):
                raise ValueError(f"The case {name!r} has no mask: there is no file {mask!r}.")
            files = [os.path.join(folder, f"{name}_{each}{self.ending}") for each in channels]
            image = join_channel_files(files)
            cases[name] = image, mask if with_masks else None
        return cases

    def meaning(self, masks: list[str | None]) -> list[Any]:
        """Return the masks, with "ignore" as -1 and regions as channels."""
        if any(isinstance(each, tuple) for each in self.ids):
            regions = tuple(each if isinstance(each, tuple) else (each,) for each in self.ids)
            return [mask and RegionMask(mask, regions, self.ignore) for mask in masks]
        if self.ignore is None:
            return list(masks)
        return list(map_masks(masks, {**{each: each for each in self.ids}, self.ignore: -1}))

    def _listed(self, name: str, files: Any) -> tuple[str, str]:
        where = f"{self.file!r}: dataset: {name!r}"
        images = files.get("images") if isinstance(files, dict) else None
        if not isinstance(images, list) or not images:
            raise ValueError(
                f'{where} is {files!r:.80}; expected {{"images": [...], "label": ...}}.'
            )
        self._require_channels([f"{number:04}" for number in range(len(images))], name)
        paths = [file_inside(self.folder, image, where) for image in images]
        return join_channel_files(paths), file_inside(self.folder, files.get("label"), where)

    def _require_channels(self, channels: list[str], name: str) -> None:
        """Check the channels: one file with all, such as RGB, or one file each from 0000 on."""
        expected = [f"{number:04}" for number in range(self.n_channels)]
        if channels not in (expected, ["0000"]):
            raise ValueError(
                f"The case {name!r} has the channels {', '.join(channels)}; expected "
                f"{', '.join(expected)} by {self.file!r}."
            )


def _labels(labels: Any, path: str) -> tuple[list[str], tuple[Any, ...], int | None]:
    """Return names and ids of the classes, or of the regions, and the id of "ignore"."""
    if not isinstance(labels, dict) or labels.get("background") != 0:
        raise ValueError(f'{path!r}: labels are {labels!r:.200}; expected "background": 0 first.')
    regions = {name: tuple(ids) for name, ids in labels.items() if isinstance(ids, list)}
    single = {name: ids for name, ids in labels.items() if name not in regions}
    numbers = [*single.values(), *sum(regions.values(), ())]
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= MAX_ID:
            raise ValueError(
                f"{path!r}: labels name {number!r:.40}; expected whole numbers, 0 to {MAX_ID}."
            )
    ignore = single.pop(IGNORE, None)
    if sorted(set(numbers)) != list(range(max(numbers) + 1)) or ignore not in (None, max(numbers)):
        raise ValueError(
            f"{path!r}: labels are {labels!r:.200}; expected 0, 1, 2 and so on, {IGNORE!r} last."
        )
    if regions:
        single.pop("background")
        kept = [name for name in labels if name in regions or name in single]
        return kept, tuple(regions.get(name, single.get(name)) for name in kept), ignore
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"{path!r}: two labels have the same id: {labels!r:.200}.")
    names = sorted(single, key=single.__getitem__)
    return names, tuple(single[name] for name in names), ignore


def _splits(folder: Path, names: list[str]) -> list[tuple[Rows, Rows]] | None:
    path = os.path.join(os.fspath(folder), "splits_final.json")
    if not os.path.exists(path):
        return None
    return [
        _fold(fold, f"{path!r}: fold {k}", names) for k, fold in enumerate(read_json(path, list))
    ]


def _fold(fold: Any, where: str, names: list[str]) -> tuple[Rows, Rows]:
    rows = {name: row for row, name in enumerate(names)}
    parts = []
    for key in ("train", "val"):
        listed = fold.get(key) if isinstance(fold, dict) else None
        if not isinstance(listed, list):
            raise ValueError(f'{where} is {fold!r:.80}; expected {{"train": [...], "val": [...]}}.')
        for name in unique(map(str, listed), f"{where}: {key}"):
            if name not in rows:
                raise ValueError(f"{where}: {key} names {name!r}, but there is no such case.")
        parts.append(np.array([rows[str(name)] for name in listed], dtype=np.intp))
    return parts[0], parts[1]
