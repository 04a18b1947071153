"""Check that masks and labels of images go together, and find their kind."""

import numpy as np
from numpy.typing import NDArray

from segclf.axes import is_indicator
from segclf.data import Masks


def mask_kind(
    masks: Masks, labels: NDArray[np.int64] | None, n_classes: int | None = None
) -> tuple[bool, int]:
    """Return whether masks and labels are multi-label, and their number of ids or channels.

    Raises
    ------
    ValueError
        If masks and labels are of different kinds, or show more classes than `n_classes`.
    """
    has_masks = masks.labeled.any()
    said = labels is not None and is_indicator(labels)
    multilabel = bool(masks.multilabel) if has_masks or labels is None else said
    if labels is not None and multilabel != said:
        one_channel = ""
        if multilabel and masks.n_classes == 1:
            one_channel = " If (n, 1, h, w) are ids, drop the axis of channels: masks[:, 0]."
        raise ValueError(
            f"labels of shape {labels.shape} do not match masks that are "
            f"{'multi-label; expected an indicator (n, k)' if multilabel else 'exclusive ids'}."
            + one_channel
        )
    counts = [1 if multilabel else 2]
    if bool(masks.multilabel) == multilabel:
        counts.append(masks.n_classes)
    if labels is not None:
        counts.append(labels.shape[1] if said else int(labels.max()) + 1)
    found = max(counts)
    if n_classes is not None and (n_classes < found or (multilabel and n_classes != found)):
        kind = "channels" if multilabel else "ids with the background"
        raise ValueError(f"n_classes={n_classes}, but masks and labels have {found} {kind}.")
    return multilabel, n_classes or found


def of_kind(masks: Masks, multilabel: bool, n_classes: int) -> Masks:
    """Return the same masks, marked as part of a larger set of this kind."""
    part = masks.subset(np.arange(len(masks)))
    part.multilabel, part.n_classes = multilabel, n_classes
    return part
