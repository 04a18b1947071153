"""Images of which some have masks, some labels, and some nothing: what is told to whom."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.base.segmenter import Segmenter
from segclf.base.supervision import taken
from segclf.data import as_masks

Mask = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class PartlyKnown:
    """Images as a user passed them, and what is known of them, checked.

    Parameters
    ----------
    X : images
        All n of them.
    masks : list of n arrays or None
        Ids (h, w), or (k, h, w) if multi-label; None for an image without a mask.
    labels : array of shape (n,) or (n, k), or None
        -1 where nobody said.
    told : dict
        Further arguments of `fit`, such as ``sample_weight``.
    shapes : list of n tuples
        Shapes of the masks, those that there are and those that there are not.
    n_classes : int
        As of segmenters.
    n_ids : int
        A pixel of a mask is below it: `n_classes`, or 2 if multi-label.
    hidden : array of bool, shape (n,)
        Images that train nothing, whose masks and labels are left out.
    """

    X: Any
    masks: list[Mask | None]
    labels: NDArray[np.int64] | None
    told: dict[str, Any]
    shapes: list[tuple[int, ...]]
    n_classes: int
    n_ids: int
    hidden: NDArray[np.bool_]

    @property
    def expert(self) -> NDArray[np.bool_]:
        """Tell which images have a mask."""
        return np.array([mask is not None for mask in self.masks])

    def hide(self, rows: Any) -> "PartlyKnown":
        """Return the same without anything known of those images."""
        hidden = self.hidden.copy()
        hidden[rows] = True
        masks = [None if hides else mask for hides, mask in zip(hidden, self.masks, strict=True)]
        return replace(self, hidden=hidden, masks=masks, labels=self.labels_of(~hidden))

    def labels_of(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64] | None:
        """Return the labels with -1 for the images that are not chosen."""
        if self.labels is None:
            return None
        return np.where(chosen.reshape(-1, *[1] * (self.labels.ndim - 1)), self.labels, -1)

    def fill(self, masks: list[Mask | None]) -> Mask | list[Mask]:
        """Return masks with -1 throughout for None; one array where all are of one shape."""
        dtype = np.min_scalar_type(-self.n_ids)
        filled = [
            np.full(shape, -1, dtype=dtype) if mask is None else mask
            for mask, shape in zip(masks, self.shapes, strict=True)
        ]
        return np.stack(filled) if len(set(self.shapes)) == 1 else filled

    def tell(
        self,
        segmenter: Any,
        masks: list[Mask | None],
        labels: NDArray[np.int64] | None,
        **further: Any,
    ) -> Any:
        """Fit a segmenter on these masks and labels, telling it as much as its `fit` takes.

        Ours are told the number of classes too: none is lost with the masks that show it.
        """
        y: Any = masks
        if isinstance(segmenter, Segmenter) and any(mask is not None for mask in masks):
            y = as_masks(masks, len(masks))
            y.n_classes = self.n_classes
        told = {"labels": labels, **self.told, **further}
        return segmenter.fit(self.X, y, **taken(segmenter, told))
