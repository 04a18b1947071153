"""Facts about the masks of an image or volume: counts, distances and outlines."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segclf.axes import N_SPATIAL, is_multilabel
from segclf.displays.montages import Montage, montage
from segclf.metrics import surface_distances
from segclf.metrics.pixel_counts import count_pixels
from segclf.reports.page.budget import Budget
from segclf.reports.page.outlines import outlines

Mask = NDArray[Any] | None


class MaskFacts(NamedTuple):
    """Facts about the masks of one image.

    Attributes
    ----------
    counts : int64 array of shape (4, k)
        Pixels of each finding that are true and predicted, true, predicted, labeled; zeros if a
        mask is missing.
    said, true : dict
        Outlines of predicted and of annotated regions, by mask id.
    distances : array of shape (2, k)
        Mean and 95th percentile of the distances between the surfaces of each finding, in mm; NaN
        if a mask does not show it or the spacing is unknown.
    sizes : (float or None, float or None)
        Total size of the predicted and of the annotated findings, in mm² or mm³; None if unknown.
    montage : Montage or None
        Layout of the slices in the picture and outlines of a volume.
    """

    counts: NDArray[np.int64]
    said: dict[int, str]
    true: dict[int, str]
    distances: NDArray[np.float64]
    sizes: tuple[float | None, float | None] = (None, None)
    montage: Montage | None = None


def mask_facts(
    predicted: Mask,
    true: Mask,
    n_findings: int,
    *,
    budget: Budget,
    spacing: NDArray[np.float64] | None = None,
    size: tuple[int, ...] = (),
) -> MaskFacts:
    """Compute what a report needs from the masks, without context, of an image or a volume.

    Parameters
    ----------
    predicted, true : array or None
        Masks (h, w) or (k, h, w), for volumes with d before h.
    n_findings : int
        Number of mask ids or channels that are findings.
    budget : Budget
        Limits of outlines and slices.
    spacing : array of shape (n_spatial,), optional
        In mm.
    size : tuple of int
        (d, h, w) of a volume; not needed for images.

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.array([[0, 1, 1, 0]])
    >>> mask_facts(mask, mask, n_findings=1, budget=Budget()).counts.T.tolist()
    [[2, 2, 2, 4]]
    """
    n_spatial = len(size) or N_SPATIAL
    counts, distances = _compared(predicted, true, n_findings, n_spatial, spacing)
    shown = None if n_spatial == N_SPATIAL else montage(predicted, true, size, budget.n_slices)
    said, outlined = (
        outlines(
            mask if shown is None else shown.mask(mask),
            longest_side=budget.longest_side,
            longest_path=budget.longest_path,
        )
        for mask in (predicted, true)
    )
    sizes = _size(predicted, spacing), _size(true, spacing)
    return MaskFacts(counts, said, outlined, distances, sizes, shown)


def without_context(mask: Mask, n_findings: int, n_spatial: int = N_SPATIAL) -> Mask:
    """Keep only findings: higher ids and later channels are context, which decides no label."""
    if mask is None:
        return None
    if is_multilabel(mask, n_spatial):
        return mask[:n_findings]
    return np.where(mask <= n_findings, mask, 0)


def _compared(
    predicted: Mask,
    true: Mask,
    n_findings: int,
    n_spatial: int,
    spacing: NDArray[np.float64] | None,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the counts and distances of `MaskFacts`."""
    counts, distances = np.zeros((4, n_findings), np.int64), np.full((2, n_findings), np.nan)
    if predicted is None or true is None:
        return counts, distances
    multilabel = is_multilabel(true, n_spatial)
    how: dict[str, Any] = {"n_classes": n_findings + (not multilabel), "n_spatial": n_spatial}
    pixels = count_pixels([true], [predicted], **how)
    pixels = pixels if multilabel else pixels.foreground()
    counts = np.concatenate([pixels.both, pixels.true, pixels.predicted, pixels.labeled])
    if spacing is not None:
        distances = _distances(true, predicted, spacing=spacing, **how)
    return counts, distances


def _distances(true: Mask, predicted: Mask, **how: Any) -> NDArray[np.float64]:
    found = surface_distances([true], [predicted], **how)
    both = np.concatenate([found.average(), found.hausdorff(95)])
    return np.where(found.true & found.predicted, both, np.nan)


def _size(mask: Mask, spacing: NDArray[np.float64] | None) -> float | None:
    if mask is None or spacing is None:
        return None
    target = (mask > 0).any(axis=0) if is_multilabel(mask, len(spacing)) else mask > 0
    return float(target.sum() * spacing.prod())
