"""Random crops for training, enough of which show a finding."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from segclf.axes import is_multilabel
from segclf.data.augmentation import in_format_of
from segclf.data.resize import Size
from segclf.data.samples import Batch

#: The first pixel of a crop, or any other pixel.
Corner = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class RandomCrops:
    """Cut a random crop from each image of a batch, of one size and at its own scale.

    A share `finding_fraction` of the images of each batch, rounded up, are cropped where they show
    a finding: around a random pixel of one of their mask ids or channels, which may lie anywhere in
    the crop. They are chosen at random from the images that show any. All others are cropped
    anywhere.

    Parameters
    ----------
    size : (int, int), or (int, int, int) of volumes
        Height and width, preceded by the number of slices for volumes. A smaller image keeps all
        its rows or columns.
    finding_fraction : float
        In [0, 1].

    Examples
    --------
    >>> batch = {"image": torch.zeros(3, 1, 8, 8), "mask": torch.zeros(3, 8, 8).long()}
    >>> batch["mask"][:, 7, 7] = 1
    >>> crops = RandomCrops(size=(4, 4), finding_fraction=1.0)
    >>> crops(batch, torch.Generator().manual_seed(0))["mask"].amax((1, 2)).tolist()
    [1, 1, 1]
    """

    size: Size
    finding_fraction: float

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Crop images and masks of a batch alike.

        The label of an image need not hold for a crop: labels above 0 become -1, "unlabeled", if
        crops are smaller than images.

        Parameters
        ----------
        batch : dict of Tensor
            From `Samples.batch`; it is not modified.
        generator : torch.Generator
            Source of all random numbers; they do not depend on the content of the batch.

        Returns
        -------
        dict of Tensor
        """
        image, mask = batch["image"], batch.get("mask")
        chances = self.chances(len(image), generator)
        height, width = (min(pair) for pair in zip(self.size, image.shape[-2:], strict=True))
        if (height, width) == image.shape[-2:]:
            return batch
        shows = torch.zeros(len(image), dtype=torch.bool) if mask is None else _shows(mask)
        chosen = self.chosen(shows, chances[:, 0])
        corners = []
        for row, (which, pixel, *place) in enumerate(chances[:, 1:].tolist()):
            shown = _pixel(mask[row], which, pixel) if mask is not None and chosen[row] else None
            corners.append(corner_of(place, image.shape[-2:], (height, width), shown))

        def cut(values: Tensor) -> Tensor:
            parts = zip(values, corners, strict=True)
            return torch.stack([v[..., t : t + height, s : s + width] for v, (t, s) in parts])

        cropped = {**batch, "image": in_format_of(image, cut(image))}
        if mask is not None:
            cropped["mask"] = cut(mask)
        if "label" in batch:
            cropped["label"] = open_labels(batch["label"])
        return cropped

    def chances(self, n_images: int, generator: torch.Generator) -> Tensor:
        """Return all random numbers: which images show findings, which ones, their pixel, where."""
        shape = (n_images, 3 + len(self.size))
        return torch.rand(shape, generator=generator, dtype=torch.float64)

    def chosen(self, shows: Tensor, chance: Tensor) -> Tensor:
        """Choose enough of the images that show a finding, or all of them."""
        n_chosen = math.ceil(self.finding_fraction * len(shows) - 1e-9)
        place = chance.where(shows, 2.0).argsort().argsort()
        return shows & (place < n_chosen)


def _shows(mask: Tensor) -> Tensor:
    return (mask > 0).reshape(len(mask), -1).any(dim=1)


def _pixel(mask: Tensor, which: float, pixel: float) -> tuple[int, int]:
    """Choose a pixel of one of the findings of a mask, (h, w) or (k, h, w)."""
    if is_multilabel(mask):
        channels = _shows(mask).nonzero()[:, 0]
        finding = mask[one_of(channels, which)] > 0
    else:
        finding = mask == one_of(mask[mask > 0].unique(), which)
    row, column = one_of(finding.nonzero(), pixel).tolist()
    return row, column


def open_labels(labels: Tensor, cut: Tensor | None = None) -> Tensor:
    """Return labels (n,) or (n, k) of crops: those above 0 become -1 if something was cut off."""
    opened = labels.where(labels <= 0, -1)
    if cut is None:
        return opened
    return opened.where(cut.reshape(-1, *[1] * (labels.ndim - 1)), labels)


def one_of(values: Any, chance: float) -> Any:
    """Choose one of several values by a number in [0, 1)."""
    return values[int(chance * len(values))]


def corner_of(
    place: Sequence[float], size: Sequence[int], crop: Size, shown: Corner | None
) -> Corner:
    """Place a crop in an image, anywhere or so that it shows a given pixel."""
    corner = []
    for axis, chance in enumerate(place):
        low, high = 0, size[axis] - crop[axis]
        if shown is not None:
            low, high = max(low, shown[axis] - crop[axis] + 1), min(high, shown[axis])
        corner.append(low + int(chance * (high - low + 1)))
    return tuple(corner)
