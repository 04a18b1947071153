"""Masks by a pseudo-labeler: predicted, checked, and filtered by confidence."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing

from segclf.axes import across, axes_from
from segclf.base import Supervision

Mask = NDArray[Any]


@contextmanager
def blamed(labeler: Any, phase: str) -> Iterator[None]:
    """Name the phase and the labeler in any error.

    Raises
    ------
    RuntimeError
        From the error, with its text.
    """
    try:
        yield
    except Exception as error:
        raise RuntimeError(
            f"The pseudo-labeler {labeler!r:.120} failed while {phase}: "
            f"{type(error).__name__}: {error}"
        ) from error


def predict_masks(labeler: Any, supervision: Supervision, rows: NDArray[np.intp]) -> list[Mask]:
    """Predict the masks of some images with a fitted labeler.

    Parameters
    ----------
    labeler : pseudo-labeler
        Fitted.
    supervision : Supervision
        All n images, opened, with their annotations.
    rows : array of int, shape (m,)
        Images to predict masks for.

    Returns
    -------
    list of m arrays
        int8 or int16: ids, or (k, h, w) if multi-label; -1 is an undecided pixel.

    Raises
    ------
    RuntimeError
        If the labeler fails or a mask is invalid; names the labeler and the sample.
    """
    predicted = _asked(labeler, supervision.X, rows, supervision.labels)
    if len(predicted) != len(rows):
        raise RuntimeError(
            f"The pseudo-labeler {labeler!r:.120} predicted {len(predicted)} masks for {len(rows)} "
            "images."
        )
    dtype, shapes = np.min_scalar_type(-supervision.n_ids), supervision.shapes
    masks = []
    for row, mask in zip(rows.tolist(), predicted, strict=True):
        with blamed(labeler, f"predicting the mask of sample {row}"):
            masks.append(_checked(np.asarray(mask), shapes[row], supervision.n_ids).astype(dtype))
    return masks


def heed_label(mask: Mask, label: Any) -> Mask:
    """Make a pseudo mask agree with the label of its image.

    Parameters
    ----------
    mask : array (h, w) or (k, h, w), or likewise (d, h, w) or (k, d, h, w)
        Ids, or 0 and 1; -1 where the labeler is undecided.
    label : int or array of shape (k,)
        -1 means "unlabeled".

    Returns
    -------
    array
        All -1 if no pixel has the class of the image's label. For multi-label masks, a channel is
        -1 if the image has that label but the channel no pixel, and 0 if it does not have the
        label.

    Examples
    --------
    >>> [heed_label(np.array([[0, 2, -1]]), label).tolist() for label in (1, 2)]
    [[[-1, -1, -1]], [[0, 2, -1]]]
    >>> heed_label(np.array([[[0, -1]], [[0, 1]], [[0, 1]]]), np.array([1, 1, 0])).tolist()
    [[[-1, -1]], [[0, 1]], [[0, 0]]]
    """
    if not isinstance(label, np.ndarray):
        return mask if label <= 0 or (mask == label).any() else np.full_like(mask, -1)
    found = (mask == 1).any(axis=axes_from(1, mask))
    said = np.where(label == 0, 0, np.where((label == 1) & ~found, -1, 1))
    return np.where(across(said < 1, mask), across(said, mask), mask).astype(mask.dtype)


def empty_by_label(supervision: Supervision) -> list[Mask | None]:
    """Return all masks, including empty ones for images labeled as negative."""
    masks, dtype = list(supervision.masks.as_given()), np.min_scalar_type(-supervision.n_ids)
    if supervision.labels is None:
        return masks
    shapes = supervision.shapes
    for row in np.flatnonzero(supervision.with_mask() & ~supervision.masks.labeled).tolist():
        masks[row] = np.zeros(shapes[row], dtype=dtype)
    return masks


def _asked(labeler: Any, X: Any, rows: NDArray[np.intp], labels: NDArray[np.int64] | None) -> Any:
    def ask(some: NDArray[np.intp]) -> Any:
        metadata = {} if labels is None else {"labels": labels[some]}
        return labeler.predict(_safe_indexing(X, some), **metadata)

    try:
        return ask(rows)
    except Exception as together:
        for row in rows.tolist():
            with blamed(labeler, f"predicting the mask of sample {row}"):
                ask(np.array([row]))
        message = f"predicting the masks of samples {rows[0]} to {rows[-1]} together"
        with blamed(labeler, f"{message}, though each alone succeeds"):
            raise together


def _checked(mask: Mask, shape: tuple[int, ...], n_ids: int) -> Mask:
    if mask.shape != shape:
        raise ValueError(f"it has shape {mask.shape}; expected {shape}, as the image has.")
    whole = np.rint(mask)
    if not np.array_equal(whole, mask) or mask.min() < -1 or mask.max() >= n_ids:
        raise ValueError(
            f"it holds {np.unique(mask)[[0, -1]].tolist()}; expected ids from 0 to {n_ids - 1}, "
            "and -1 where the labeler is undecided."
        )
    return whole


@dataclass(frozen=True)
class Selection:
    """Which pixels of pseudo masks are trusted.

    A pixel's confidence is the probability that the labeler gives to its predicted class.

    Parameters
    ----------
    min_confidence : float
        Pixels with a lower confidence are not trusted.
    kept_share : float
        Share of the pixels to keep, the most confident first.
    class_balanced : bool
        Whether that share applies to each class separately, or to all pixels together.
    """

    min_confidence: float = 0.0
    kept_share: float = 1.0
    class_balanced: bool = True

    @property
    def trusts_all(self) -> bool:
        """Whether all pixels are trusted."""
        return self.min_confidence <= 0 and self.kept_share >= 1

    def apply(self, masks: list[Mask], probabilities: Any) -> list[Mask]:
        """Return the masks with -1 at the pixels that are not trusted.

        Parameters
        ----------
        masks : list of m arrays (h, w) or (k, h, w)
            Ids, or (multi-label) 0 and 1; -1 stays.
        probabilities : array (m, n_classes, h, w), or list of m arrays (n_classes, h, w)
            Probabilities of each class; exclusive classes have the background first.

        Returns
        -------
        list of m arrays
            New ones.
        """
        pairs = zip(masks, probabilities, strict=True)
        confidences = [_confidence(mask, np.asarray(maps)) for mask, maps in pairs]
        several = [
            mask.shape == np.shape(maps) for mask, maps in zip(masks, probabilities, strict=True)
        ]
        kinds = [
            _kinds(mask, multilabel=each) if self.class_balanced else np.sign(mask + 1)
            for mask, each in zip(masks, several, strict=True)
        ]
        limits = self._limits(confidences, kinds)
        return [
            np.where(confidence >= limits[kind], mask, -1).astype(mask.dtype)
            for mask, confidence, kind in zip(masks, confidences, kinds, strict=True)
        ]

    def _limits(self, confidences: list[Mask], kinds: list[Mask]) -> NDArray[np.float64]:
        """Find the lowest trusted confidence for each kind of pixel; kind 0 is undecided."""
        limits = np.full(1 + max(int(kind.max()) for kind in kinds), self.min_confidence)
        for number in range(1, len(limits)) if self.kept_share < 1 else ():
            values = [c[kind == number] for c, kind in zip(confidences, kinds, strict=True)]
            pixels = np.concatenate(values)
            if len(pixels):
                least = np.quantile(pixels, 1 - self.kept_share, method="higher")
                limits[number] = max(self.min_confidence, float(least))
        return limits


def _confidence(mask: Mask, probabilities: Mask) -> Mask:
    if mask.shape == probabilities.shape:
        return np.where(mask == 1, probabilities, 1 - probabilities)
    return np.take_along_axis(probabilities, np.maximum(mask, 0)[None].astype(np.intp), 0)[0]


def _kinds(mask: Mask, *, multilabel: bool) -> NDArray[np.intp]:
    """Number the kinds of predicted pixels from 1: ids, or 0 and 1 of each channel."""
    kinds = mask.astype(np.intp) + 1
    if multilabel:
        kinds[kinds > 0] += 2 * np.nonzero(kinds > 0)[0]
    return kinds
