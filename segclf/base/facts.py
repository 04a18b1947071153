"""Facts about the data, for the rules of "auto"."""

from dataclasses import dataclass

import numpy as np

from segclf.axes import N_SPATIAL
from segclf.base.supervision import Supervision
from segclf.isolation.cached import cached_property


@dataclass(frozen=True)
class Facts:
    """Facts about the data, computed when a rule needs them.

    Parameters
    ----------
    supervision : Supervision
        Masks and labels of opened images.
    n_taught : int or None
        Number of images that another estimator labels completely; None if there is none.
    """

    supervision: Supervision
    n_taught: int | None = None

    @cached_property
    def n_labeled(self) -> int:
        """Number of images with a mask or a label, or labeled by another estimator."""
        if self.n_taught is not None:
            return self.n_taught
        return int(self.supervision.samples(None).labeled().sum())

    @cached_property
    def size(self) -> tuple[float, ...]:
        """Median height and width of the images, in pixels."""
        assert self.supervision.images is not None
        return tuple(np.median(self.supervision.images.sizes(), axis=0).tolist())

    @cached_property
    def volumes(self) -> bool:
        """Whether the images are volumes."""
        assert self.supervision.images is not None
        return self.supervision.images.n_spatial != N_SPATIAL

    @cached_property
    def finding(self) -> float | None:
        """Share of its image that nine in ten findings exceed; None without findings."""
        masks = self.supervision.masks
        shares = masks.shares()[:, int(not masks.multilabel) :]
        found = shares[shares > 0]
        return float(np.quantile(found, 0.1)) if len(found) else None

    @cached_property
    def positive_share(self) -> float:
        """Share of the images with a mask (an empty one for a label of 0) that show a finding."""
        n_findings = self.supervision.masks.show_findings().sum()
        return float(n_findings / max(1, self.supervision.with_mask().sum()))
