"""Pixels of each class, counted one mask at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segclf.axes import N_SPATIAL, are_volumetric, is_mask, is_multilabel

Count = NDArray[Any]
#: As for masks in ``fit``: 255 means "foreground" in an 8-bit picture, or "void".
MAX_ID = 254


@dataclass(frozen=True)
class PixelCounts:
    """Counts of labeled pixels, by image (rows) and class (columns).

    Attributes
    ----------
    both : int64 array of shape (n, k)
        Pixels both true and predicted. All counts are float64 after `weighted`.
    true, predicted : int64 array of shape (n, k)
    labeled : int64 array of shape (n, k)
        Labeled pixels of any class; a class without any cannot be scored.
    multilabel : bool
        Whether columns are channels, not ids.
    """

    both: Count
    true: Count
    predicted: Count
    labeled: Count
    multilabel: bool

    def __add__(self, other: "PixelCounts") -> "PixelCounts":
        """Add the counts of another object of equal shape."""
        return PixelCounts(
            self.both + other.both,
            self.true + other.true,
            self.predicted + other.predicted,
            self.labeled + other.labeled,
            self.multilabel,
        )

    def foreground(self) -> "PixelCounts":
        """Drop the background column."""
        return self._map(lambda count: count[:, 1:])

    def total(self) -> "PixelCounts":
        """Sum the images to one row."""
        return self._map(lambda count: count.sum(axis=0, keepdims=True))

    def weighted(self, weights: ArrayLike | None) -> "PixelCounts":
        """Multiply each row by the weight of its image; None means 1.

        Raises
        ------
        ValueError
            If there is not one weight for each image.
        """
        if weights is None:
            return self
        column = np.asarray(weights, dtype=np.float64)
        if column.shape != (len(self.true),):
            raise ValueError(
                f"sample_weight has shape {column.shape}; expected one weight for each of the "
                f"{len(self.true)} images."
            )
        return self._map(lambda count: count * column[:, None])

    def _map(self, function: Callable[[Count], Count]) -> "PixelCounts":
        counts = (self.both, self.true, self.predicted, self.labeled)
        both, true, predicted, labeled = map(function, counts)
        return PixelCounts(both, true, predicted, labeled, self.multilabel)


def count_pixels(
    y_true: Sequence[NDArray[Any] | None] | NDArray[Any],
    y_pred: Sequence[NDArray[Any] | None] | NDArray[Any],
    *,
    n_classes: int | None = None,
    n_spatial: int = N_SPATIAL,
) -> PixelCounts:
    """Count the labeled pixels of every image, holding one pair of masks at a time.

    Parameters
    ----------
    y_true, y_pred : array or sequence of n masks (h, w) of ids, or (k, h, w) of 0 and 1
        -1 in `y_true` is unlabeled; None is an image without a mask.
    n_classes : int, optional
    n_spatial : int
        3 for masks of volumes, (d, h, w) or (k, d, h, w). `segclf.data.Masks` know it.

    Returns
    -------
    PixelCounts
        A row of zeros for every mask that is None.

    Raises
    ------
    ValueError
        If numbers, shapes or ids of masks do not fit.
    """
    if len(y_true) != len(y_pred):
        raise ValueError(f"Numbers of masks differ: {len(y_true)} true, {len(y_pred)} predicted.")
    n_spatial = getattr(y_true, "n_spatial", n_spatial)
    rows: list[Count] = []
    kinds: set[bool] = set()
    for index in range(len(y_true)):
        truth = y_true[index]
        if truth is None:
            rows.append(np.zeros((4, 0), dtype=np.int64))
            continue
        truth, prediction = _checked(np.asarray(truth), y_pred[index], index, n_spatial)
        kinds.add(is_multilabel(truth, n_spatial))
        count = _count_channels if is_multilabel(truth, n_spatial) else _count_ids
        rows.append(count(truth, prediction, index))
    if len(kinds) > 1:
        raise ValueError(f"Masks must all be {_forms(n_spatial, ' or all be ')}, got some of each.")
    return _stacked(rows, n_classes, multilabel=kinds == {True})


def _checked(
    truth: NDArray[Any], prediction: NDArray[Any] | None, index: int, n_spatial: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    if prediction is None:
        raise ValueError(f"Sample {index} has a true mask but its predicted mask is None.")
    prediction = np.asarray(prediction)
    if not is_mask(truth, n_spatial) or truth.shape != prediction.shape:
        volumes = " For volumes, set n_spatial=3." * are_volumetric([truth])
        raise ValueError(
            f"Masks of a sample must both be {_forms(n_spatial)}, got {truth.shape} (true) and "
            f"{prediction.shape} (predicted) for sample {index}.{volumes}"
        )
    return _whole_numbers(truth, "true", index), _whole_numbers(prediction, "predicted", index)


def _forms(n_spatial: int, between: str = " or ") -> str:
    size = "h, w" if n_spatial == N_SPATIAL else "d, h, w"
    return f"({size}){between}(k, {size})"


def _whole_numbers(mask: NDArray[Any], name: str, index: int) -> NDArray[Any]:
    if mask.dtype.kind in "iu":
        return mask
    if mask.dtype.kind not in "bf" or not np.array_equal(mask, np.rint(mask)):
        raise ValueError(
            f"Masks must hold whole numbers; the {name} mask of sample {index} does not "
            f"(dtype {mask.dtype}). Threshold probabilities first."
        )
    return mask.astype(np.int64)


def _count_ids(truth: NDArray[Any], prediction: NDArray[Any], index: int) -> Count:
    labeled = truth >= 0
    if truth.max(initial=0) > MAX_ID:
        raise ValueError(
            f"The true mask of sample {index} holds {truth.max()}; expected ids up to {MAX_ID}. "
            "Change 255 to 1 if it means foreground, to -1 if it means void."
        )
    if not labeled.all():
        truth, prediction = truth[labeled], prediction[labeled]
    if prediction.size and prediction.min() < 0:
        raise ValueError(
            f"Ids must not be negative; the predicted mask of sample {index} has negative ids."
        )
    agreed = truth[truth == prediction]
    length = int(max(truth.max(), prediction.max())) + 1 if truth.size else 0
    counts = [np.bincount(ids.ravel(), minlength=length) for ids in (agreed, truth, prediction)]
    return np.stack([*counts, np.full(length, truth.size)])


def _count_channels(truth: NDArray[Any], prediction: NDArray[Any], index: int) -> Count:
    """Count the pixels of each channel of masks (k, h, w)."""
    labeled = truth >= 0
    if truth.max(initial=0) > 1 or (~np.isin(prediction, (0, 1)) & labeled).any():
        raise ValueError(f"Multi-label masks must hold 0 and 1; sample {index} has other values.")
    true, predicted = truth == 1, (prediction == 1) & labeled
    return np.stack(
        [
            mask.reshape(len(mask), -1).sum(axis=1)
            for mask in (true & predicted, true, predicted, labeled)
        ]
    )


def _stacked(rows: list[Count], n_classes: int | None, *, multilabel: bool) -> PixelCounts:
    """Pad the rows to equal numbers of classes and stack them."""
    lengths = [row.shape[1] for row in rows]
    k = n_classes or max([*lengths, 1 if multilabel else 2])
    for index, (row, length) in enumerate(zip(rows, lengths, strict=True)):
        if length > k or (multilabel and length not in (0, k)):
            found = f"{length} channels" if multilabel else f"id {length - 1}"
            raise ValueError(f"Expected {k} classes, got {found} in sample {index}.")
        rows[index] = np.pad(row, ((0, 0), (0, k - length)))
        if length and not multilabel:
            rows[index][3] = row[3, 0]
    counts = np.stack(rows, axis=1) if rows else np.zeros((4, 0, k), dtype=np.int64)
    both, true, predicted, labeled = counts
    return PixelCounts(both, true, predicted, labeled, multilabel)
