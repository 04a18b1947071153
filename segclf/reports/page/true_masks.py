"""The true masks of a report, and facts about each beside its predicted mask."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segclf.axes import N_SPATIAL
from segclf.data import Images, Masks
from segclf.metrics import group_by_area, group_by_region
from segclf.metrics.groupings import Grouping
from segclf.reports.page.budget import Budget
from segclf.reports.page.mask_facts import MaskFacts, mask_facts, without_context


class TrueMasks(NamedTuple):
    """True masks of n images.

    Parameters
    ----------
    masks : Masks
    images : Images
        The images that they belong to.
    n_findings : int
        Number of ids or channels that decide labels.
    budget : Budget
    spacing : array of shape (n, n_spatial), or None
        Size of a pixel along each spatial axis, in mm.
    """

    masks: Masks
    images: Images
    n_findings: int
    budget: Budget
    spacing: NDArray[np.float64] | None

    def facts(self, row: int, predicted: Any) -> MaskFacts:
        """Return facts about the masks of an image."""
        flat = self.images.n_spatial == N_SPATIAL
        return mask_facts(
            self._kept(predicted),
            self._kept(self.masks.ids(row)),
            self.n_findings,
            budget=self.budget,
            spacing=None if self.spacing is None else self.spacing[row],
            size=() if flat else tuple(self.images.sizes()[row].tolist()),
        )

    def groupings(self) -> tuple[Grouping, Grouping]:
        """Group the targets by size and by place, with one mask in memory at a time."""
        n_spatial = self.images.n_spatial
        by_area = group_by_area(self._each(), spacing=self.spacing, n_spatial=n_spatial)  # type: ignore[arg-type]
        return by_area, group_by_region(self._each(), n_spatial=n_spatial)  # type: ignore[arg-type]

    def _each(self) -> Iterator[Any]:
        return (self._kept(self.masks.ids(row)) for row in range(len(self.masks)))

    def _kept(self, mask: Any) -> Any:
        return without_context(mask, self.n_findings, self.images.n_spatial)
