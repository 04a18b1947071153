"""Samples: images with masks and labels, and batches of them as tensors."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from segclf.data.arrays import to_float
from segclf.data.images import Images
from segclf.data.labels import are_negative
from segclf.data.masks import Masks
from segclf.data.resize import Size, resize_image, resize_mask
from segclf.data.samplers import Sampler

Batch = dict[str, torch.Tensor]


@dataclass(kw_only=True)
class Samples:
    """Images with their masks, labels and weights; -1 means "unlabeled" throughout.

    Parameters
    ----------
    images : Images
        The n images.
    size : tuple of int, or None
        (h, w), or (d, h, w) for volumes, to which every image and mask is resized; None keeps their
        sizes.
    grid : array of int, shape (n, n_spatial), optional
        The size to which each image and its mask are resized, if they have no common size.
    n_mask_channels : int or None
        Number of mask channels if masks are multi-label, else None.
    masks : Masks or None
        The mask of each image. None, for all or for one, means no mask.
    labels : array of shape (n,) or (n, k), optional
        The mask id of each image, 0 for an image without any, or a multi-label indicator. If a
        label determines pixels (nothing is there), it becomes part of the mask.
    label_ids : array of bool, shape (k,), optional
        Mask ids or channels whose positive labels are learned from if there is no mask; by default
        all.
    targets : array of shape (n,) or (n, k), optional
        The class of each image, if there are no masks at all.
    weights : array of shape (n,), optional
        Weight of each image.
    dense : bool
        Whether batches hold masks.
    sampler : Sampler or None
        Chooses the samples of each batch of an epoch; None takes each once.
    held_out : Samples or None
        Other samples, for validation; every subset has the same.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.data import Samples, as_images
    >>> images = as_images(np.zeros((3, 16, 16), np.uint8))
    >>> samples = Samples(images=images, size=(16, 16), targets=np.array([0, 1, 0]))
    >>> batch = samples.batch(np.array([1, 2]))
    >>> batch["image"].shape, batch["target"]
    (torch.Size([2, 1, 16, 16]), tensor([1, 0]))
    """

    images: Images
    size: Size | None = None
    grid: NDArray[np.intp] | None = None
    n_mask_channels: int | None = None
    masks: Masks | None = None
    labels: NDArray[np.int64] | None = None
    label_ids: NDArray[np.bool_] | None = None
    targets: NDArray[np.int64] | None = None
    weights: NDArray[np.float32] | None = None
    dense: bool = False
    sampler: Sampler | None = None
    held_out: "Samples | None" = None

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.images)

    def subset(self, indices: NDArray[np.intp]) -> "Samples":
        """Return the samples with these indices."""
        return replace(
            self,
            images=self.images.subset(indices),
            masks=None if self.masks is None else self.masks.subset(indices),
            grid=None if self.grid is None else self.grid[indices],
            labels=None if self.labels is None else self.labels[indices],
            targets=None if self.targets is None else self.targets[indices],
            weights=None if self.weights is None else self.weights[indices],
            sampler=None if self.sampler is None else self.sampler.subset(indices),
        )

    def batch(self, indices: NDArray[np.intp]) -> Batch:
        """Return the batch of these samples.

        Returns
        -------
        dict of Tensor
            ``index`` (n,); ``image`` (n, c, h, w) float32, channels last in memory; ``mask`` (n, h,
            w) or (n, k, h, w) int64; ``label``, ``target`` (n,) or (n, k) int64; ``weight`` (n,)
            float32. Only those that exist.
        """
        image = image_tensor(self.images.take(indices), self._common_size(indices))
        batch = {"index": torch.as_tensor(np.asarray(indices)), "image": image}
        if self.dense:
            size = tuple(image.shape[2:])
            masks = np.stack([self.mask(int(i), size) for i in indices])
            batch["mask"] = torch.from_numpy(masks)
        return batch | self.said(indices)

    def said(self, indices: NDArray[np.intp]) -> Batch:
        """Return the values of whole images for a batch: label, target and weight."""
        said: Batch = {}
        for name, values in (("label", self._open_labels()), ("target", self.targets)):
            if values is not None:
                said[name] = torch.from_numpy(values[indices])
        if self.weights is not None:
            said["weight"] = torch.from_numpy(self.weights[indices])
        return said

    def size_of(self, index: int) -> Size:
        """Return the size to which an image is resized, or its own."""
        if self.size is not None:
            return self.size
        sizes = self.images.subset([index]).sizes()[0] if self.grid is None else self.grid[index]
        return tuple(sizes.tolist())

    def _common_size(self, indices: NDArray[np.intp]) -> Size | None:
        return self.size if self.grid is None else self.size_of(int(indices[0]))

    def pixels(self) -> torch.Tensor:
        """Return all images as one tensor (n, c, h, w)."""
        everything = np.arange(len(self))
        return image_tensor(self.images.take(everything), self._common_size(everything))

    @property
    def supervised(self) -> bool:
        """Whether any sample is labeled."""
        return bool(self.labeled().any())

    def labeled(self) -> NDArray[np.bool_]:
        """Tell for each sample whether any part of it is labeled and learned from."""
        labeled = np.zeros(len(self), dtype=bool)
        if self.masks is not None:
            labeled |= self.masks.labeled
        for labels in (self._taught_labels(), self.targets):
            if labels is not None:
                labeled |= (labels.reshape(len(self), -1) >= 0).any(1)
        return labeled

    def _empty_by_label(self) -> NDArray[np.intp]:
        given = np.zeros(len(self), dtype=bool) if self.masks is None else self.masks.labeled
        return np.flatnonzero(self.with_mask() & ~given)

    def with_mask(self) -> NDArray[np.bool_]:
        """Tell for each sample whether it has a mask; a label of 0 counts as an empty mask."""
        given = np.zeros(len(self), dtype=bool) if self.masks is None else self.masks.labeled.copy()
        if self.labels is not None:
            given |= are_negative(self.labels)
        return given

    def pixel_counts(self, n_classes: int) -> NDArray[np.int64]:
        """Count the pixels of each mask id over all masks; a label of 0 counts as an empty mask.

        Pixels of -1 are not counted.
        """
        counts = np.zeros(n_classes, dtype=np.int64)
        if self.n_mask_channels is None:
            counts[0] = self.images.subset(self._empty_by_label()).sizes().prod(axis=1).sum()
        if self.masks is None:
            return counts
        return counts + self.masks.counts(n_classes).sum(axis=0)

    def class_shares(self, n_classes: int) -> NDArray[np.float64]:
        """Return the share of each mask id, or channel, among the labeled pixels.

        All images have the same weight, whatever their size; those of label 0 count as empty. NaN
        if nothing is labeled.
        """
        rows = np.full((len(self), n_classes), np.nan)
        if self.masks is not None:
            rows = self.masks.shares(n_classes)
        for index in self._empty_by_label().tolist():
            rows[index] = self._shares_of_empty(index, n_classes)
        rows = rows[self.with_mask()]
        known = ~np.isnan(rows)
        return np.divide(
            np.where(known, rows, 0).sum(axis=0),
            known.sum(axis=0),
            out=np.full(n_classes, np.nan),
            where=known.any(axis=0),
        )

    def nbytes(self) -> int:
        """Return the memory that one batch of all samples would take, in bytes."""
        size = self.size or self.images.size or (0, 0)
        channels = 4 * self.images.n_channels + 8 * self.dense * (self.n_mask_channels or 1)
        return len(self) * math.prod(size) * channels

    def mask(self, index: int, size: Size) -> NDArray[np.int64]:
        """Return a mask of this size; if there is none, the one that the label implies, or -1."""
        given = None if self.masks is None else self.masks[index]
        if given is not None:
            return resize_mask(given, size)
        label = -1 if self.labels is None else self.labels[index]
        if self.n_mask_channels is None:
            return np.full(size, 0 if label == 0 else -1, dtype=np.int64)
        channels = np.broadcast_to(np.where(label == 0, 0, -1), self.n_mask_channels)
        channels = channels.reshape(-1, *[1] * len(size))
        return np.array(np.broadcast_to(channels, (len(channels), *size)), dtype=np.int64)

    def _shares_of_empty(self, index: int, n_classes: int) -> NDArray[np.float64]:
        mask = self.mask(index, (1,) * self.images.n_spatial)
        if self.n_mask_channels is None:
            return np.arange(n_classes) == 0
        return np.where(mask.reshape(n_classes) < 0, np.nan, 0.0)

    def _open_labels(self) -> NDArray[np.int64] | None:
        """Labels of images without a mask; -1 for others, whose pixels are better supervision."""
        labels = self._taught_labels()
        if labels is None or (self.label_ids is not None and not self.label_ids.any()):
            return None
        if self.masks is None:
            return labels
        if self.masks.labeled.all():
            return None
        open_labels = labels.copy()
        open_labels[self.masks.labeled] = -1
        return open_labels

    def _taught_labels(self) -> NDArray[np.int64] | None:
        """Labels; -1 for positive ones that are not learned from."""
        if self.labels is None or self.label_ids is None:
            return self.labels
        exclusive = self.n_mask_channels is None
        ids = self.label_ids[self.labels] if exclusive else self.label_ids
        return np.where((self.labels > 0) & ~ids, -1, self.labels)


def image_tensor(images: NDArray[Any] | list[NDArray[Any]], size: Size | None) -> torch.Tensor:
    """Return images (h, w, c) as one float32 tensor (n, c, h, w), channels last in memory.

    Volumes (d, h, w, c) likewise.
    """
    if isinstance(images, np.ndarray) and size in (None, images.shape[1:-1]):
        stacked = to_float(images)
    else:
        scaled = (to_float(image) for image in images)
        stacked = np.stack([resize_image(i, size or i.shape[:-1]) for i in scaled])
    return torch.from_numpy(np.ascontiguousarray(stacked)).movedim(-1, 1)
