"""Crops of volumes, each read without the rest of its volume."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from segclf.axes import is_multilabel
from segclf.data.crops import Corner, RandomCrops, corner_of, one_of, open_labels
from segclf.data.open_volume import OpenVolume
from segclf.data.resize import Size, nearest
from segclf.data.samples import Batch, Samples

__all__ = ["CropReader"]

#: Memory limit for decoded volumes of files, which need not be decoded again; the same for their
#: masks.
KEPT_BYTES = 2**30
# Number of voxels of a finding that stand for all of them.
_VOXELS = 4096


class CropReader:
    """Batches of crops of volumes, at random like the crops of images by `RandomCrops`.

    Volumes may have several sizes. A volume with fewer slices, rows or columns than a crop is
    padded: its last ones are repeated, and its mask is -1 there.

    Parameters
    ----------
    samples : Samples
        Samples of volumes.
    crops : RandomCrops
        The size of the crops, and how many show a finding.
    """

    def __init__(self, samples: Samples, crops: RandomCrops) -> None:
        self._samples, self._crops = samples, crops
        self._volumes, self._masks = _Kept(), _Kept()
        self._findings: dict[int, list[NDArray[np.intp]]] = {}

    def batch(self, indices: NDArray[np.intp], generator: torch.Generator) -> Batch:
        """Return crops of these samples, as `RandomCrops` returns a batch."""
        parts = self._parts(indices, generator)
        image = np.stack([self._image(part) for part in parts])
        batch: Batch = {"index": torch.as_tensor(indices)}
        batch["image"] = torch.from_numpy(image).movedim(-1, 1)
        if self._samples.dense:
            batch["mask"] = torch.from_numpy(np.stack([self._mask(part) for part in parts]))
        batch |= self._samples.said(indices)
        if "label" in batch:
            cut = torch.tensor([part.crop != part.size for part in parts])
            batch["label"] = open_labels(batch["label"], cut)
        return batch

    def _parts(self, indices: NDArray[np.intp], generator: torch.Generator) -> "list[_Part]":
        shows = np.zeros(len(indices), dtype=bool)
        if self._samples.masks is not None:
            shows = self._samples.masks.subset(indices).show_findings()
        first, *chances = self._crops.chances(len(indices), generator).unbind(1)
        chosen = self._crops.chosen(torch.from_numpy(shows), first).tolist()
        rows = torch.stack(chances, dim=1).tolist()
        return [self._part(*each) for each in zip(indices.tolist(), rows, chosen, strict=True)]

    def _part(self, index: int, chances: list[float], finds: bool) -> "_Part":
        size = self._samples.size_of(index)
        crop = tuple(map(min, self._crops.size, size))
        shown = self._voxel(index, size, *chances[:2]) if finds else None
        return _Part(index, size, corner_of(chances[2:], size, crop, shown), crop)

    def _image(self, part: "_Part") -> NDArray[np.float32]:
        images = self._samples.images
        volume: OpenVolume = self._volumes.get(
            part.sample, lambda: images.open(part.sample, part.size), lambda it: it.nbytes
        )
        return self._filled(volume.part(part.corner, part.crop), 0, mode="edge")

    def _mask(self, part: "_Part") -> NDArray[np.int64]:
        mask = self._given(part.sample)
        if mask is None:
            cut = self._samples.mask(part.sample, part.crop)
        else:
            axes = zip(mask.shape[-3:], part.size, part.corner, part.crop, strict=True)
            places: Any = np.ix_(*(nearest(old, new)[s : s + n] for old, new, s, n in axes))
            cut = mask[(..., *places)].astype(np.int64)
        return self._filled(cut, cut.ndim - len(part.crop), constant_values=-1)

    def _filled(self, values: NDArray[Any], first: int, **mode: Any) -> NDArray[Any]:
        """Pad a part of a small volume to the size of a crop, whose axes begin at `first`."""
        missing = [(0, 0)] * values.ndim
        for axis, length in enumerate(self._crops.size, first):
            missing[axis] = (0, length - values.shape[axis])
        return np.pad(values, missing, **mode) if any(map(any, missing)) else values

    def _given(self, index: int) -> NDArray[Any] | None:
        masks = self._samples.masks
        if masks is None or not masks.labeled[index]:
            return None
        return self._masks.get(index, lambda: _compact(masks.ids(index)), lambda it: it.nbytes)

    def _voxel(self, index: int, size: Size, which: float, voxel: float) -> Corner:
        """Choose a voxel of one of the findings of a volume, on the grid of its crops."""
        mask = self._given(index)
        assert mask is not None
        if index not in self._findings:
            self._findings[index] = _findings(mask)
        flat = one_of(one_of(self._findings[index], which), voxel)
        own = mask.shape[-3:]
        places = np.unravel_index(int(flat), own)
        rules = zip(places, own, size, strict=True)
        return tuple(int((place + 0.5) * new / old) for place, old, new in rules)


class _Part(NamedTuple):
    """A part of a sample: its first voxel and size, and the size of the grid."""

    sample: int
    size: Size
    corner: Corner
    crop: Size


class _Kept:
    """A cache of opened volumes, up to the memory limit."""

    def __init__(self) -> None:
        self._left, self._kept = KEPT_BYTES, dict[int, Any]()

    def get(self, index: int, make: Callable[[], Any], nbytes: Callable[[Any], int]) -> Any:
        if index in self._kept:
            return self._kept[index]
        made = make()
        if nbytes(made) <= self._left:
            self._left -= nbytes(made)
            self._kept[index] = made
        return made


def _compact(mask: NDArray[Any] | None) -> NDArray[Any] | None:
    """Return ids as 16 bits, if they were read from a file or have wider integers."""
    return mask if mask is None or mask.dtype != np.int64 else mask.astype(np.int16)


def _findings(mask: NDArray[Any]) -> list[NDArray[np.intp]]:
    """Return the voxels of each id, or channel, that a mask shows, in memory order."""
    if is_multilabel(mask, n_spatial=3):
        found = [np.flatnonzero(channel > 0) for channel in mask]
    else:
        shown = np.flatnonzero(mask > 0)
        ids = mask.reshape(-1)[shown]
        found = [shown[ids == each] for each in np.unique(ids)]
    return [_some(places) for places in found if len(places)]


def _some(places: NDArray[np.intp]) -> NDArray[np.intp]:
    last = len(places) - 1
    return places[np.linspace(0, last, min(len(places), _VOXELS)).astype(np.intp)]
