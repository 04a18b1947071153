"""Labeled images and their masks, reduced to whether there is a finding and where."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.base import Supervision
from segclf.data import Images, Masks
from segclf.isolation.cached import cached_property


@dataclass(frozen=True)
class Findings:
    """Images that all have a label and partly have masks.

    Parameters
    ----------
    supervision : Supervision
        The opened images, their masks, and ``target``: 0 for the negative class, otherwise the
        position among the other classes, counted from 1; or an indicator.
    n_findings : int
        Mask ids 1 to `n_findings`, or the first `n_findings` channels, are findings; others are
        context.
    order : array of shape (k,), optional
        Index of the sorted class that each value of ``target`` stands for; by default the value
        itself.
    """

    supervision: Supervision
    n_findings: int
    order: NDArray[np.intp] | None = None

    @property
    def images(self) -> Images:
        """The n images."""
        assert self.supervision.images is not None
        return self.supervision.images

    @property
    def masks(self) -> Masks:
        """The n masks; None for an image without one."""
        return self.supervision.masks

    @property
    def labels(self) -> NDArray[np.int64]:
        """The target of each image."""
        assert self.supervision.target is not None
        return self.supervision.target

    @property
    def units(self) -> NDArray[Any]:
        """The group of each image; by default its own."""
        groups = self.supervision.groups
        return np.arange(len(self.labels)) if groups is None else groups

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Whether each image shows a finding."""
        return np.asarray((self.labels.reshape(len(self.labels), -1) > 0).any(axis=1))

    @property
    def framed(self) -> NDArray[np.bool_]:
        """Whether each image has a mask, including the empty mask implied by a negative label."""
        return self.masks.labeled | ~self.positive

    def target(self, index: int) -> NDArray[np.int8] | None:
        """Return the finding of an image as a mask (h, w) of 1, 0, and -1 for "unlabeled"."""
        mask = self.masks[index]
        if mask is None:
            size = self.images.subset([index]).sizes()[0]
            return None if self.positive[index] else np.zeros(size, dtype=np.int8)
        if self.masks.multilabel:
            shown = mask[: self.n_findings]
            return np.where((shown == 1).any(axis=0), 1, shown.min(axis=0)).astype(np.int8)
        found = (mask > 0) & (mask <= self.n_findings)
        return np.where(mask < 0, -1, found).astype(np.int8)

    @cached_property
    def region_sizes(self) -> NDArray[np.int64]:
        """Numbers of pixels outside and inside the finding of each image, (n, 2)."""
        sizes = np.zeros((len(self.labels), 2), dtype=np.int64)
        for index in range(len(sizes)):
            target = self.target(index)
            if target is not None:
                sizes[index] = (target == 0).sum(), (target == 1).sum()
        return sizes

    @property
    def target_sizes(self) -> NDArray[np.float64]:
        """Share of target among the labeled pixels of each positive image with a mask."""
        sizes = self.region_sizes[self.positive & self.masks.labeled]
        return sizes[:, 1] / sizes.sum(axis=1)
