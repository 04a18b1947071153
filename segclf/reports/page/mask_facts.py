"""What a report keeps of the masks of an image: counts of pixels, and outlines."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segclf.axes import is_multilabel
from segclf.metrics.pixel_counts import count_pixels
from segclf.reports.page.outlines import outlines


class MaskFacts(NamedTuple):
    """Facts about the masks of one image.

    Attributes
    ----------
    counts : int64 array of shape (4, k)
        Pixels of each finding that are true and predicted, true, predicted, labeled; zeros where a
        mask is missing.
    said, true : dict
        Outlines of what was predicted and of what was annotated, by mask id.
    """

    counts: NDArray[np.int64]
    said: dict[int, str]
    true: dict[int, str]


def mask_facts(
    predicted: NDArray[Any] | None, true: NDArray[Any] | None, n_findings: int
) -> MaskFacts:
    """Keep what a report needs of masks (h, w) or (k, h, w) without context.

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.array([[0, 1, 1, 0]])
    >>> mask_facts(mask, mask, n_findings=1).counts.T.tolist()
    [[2, 2, 2, 4]]
    """
    counts = np.zeros((4, n_findings), dtype=np.int64)
    if predicted is not None and true is not None:
        multilabel = is_multilabel(true)
        pixels = count_pixels([true], [predicted], n_classes=n_findings + (not multilabel))
        pixels = pixels if multilabel else pixels.foreground()
        counts = np.concatenate([pixels.both, pixels.true, pixels.predicted, pixels.labeled])
    return MaskFacts(counts, outlines(predicted), outlines(true))


def without_context(mask: NDArray[Any] | None, n_findings: int) -> NDArray[Any] | None:
    """Keep the findings alone: ids above theirs, and channels after theirs, decide no label."""
    if mask is None:
        return None
    return mask[:n_findings] if is_multilabel(mask) else np.where(mask <= n_findings, mask, 0)
