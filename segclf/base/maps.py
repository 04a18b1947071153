"""Maps of many images, of one size or of several."""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from segclf.axes import N_SPATIAL
from segclf.data import Images
from segclf.data.mask_checks import MAX_ID
from segclf.training import available_memory

# Memory is not checked below this size.
CHECKED_BYTES = 2**26
Maps = NDArray[Any] | list[NDArray[Any]]
#: Indices of images, and their maps or masks, (b, ...).
MapBatches = Iterator[tuple[NDArray[np.intp], NDArray[Any]]]


def collect_maps(
    images: Images,
    outputs: Iterable[tuple[NDArray[np.intp], Tensor | NDArray[Any]]],
    function: Callable[[NDArray[Any]], NDArray[Any]] = np.asarray,
) -> Maps:
    """Apply a function to the maps (b, k, h, w) of each batch; return all in the images' order.

    The result is one array if all images have one size, else a list.

    Raises
    ------
    MemoryError
        If memory is too small for all results; raised before the rest is predicted.
    """
    collected: Any = [None] * len(images)
    for number, (indices, output) in enumerate(outputs):
        values = function(np.asarray(output))
        if number == 0:
            check_memory(images, values, images.n_spatial)
            if images.size is not None:  # known by now, also for files
                collected = np.empty((len(images), *values.shape[1:]), values.dtype)
        for index, value in zip(indices, values, strict=True):
            collected[index] = value
    return collected


def check_memory(images: Images, values: NDArray[Any], n_spatial: int) -> None:
    """Refuse maps that will not fit in memory, estimated from the first maps or slices.

    Parameters
    ----------
    images : Images
        The images whose maps are requested.
    values : array (b, ...)
        The first maps; their last `n_spatial` axes are those of an image, or of a slice.
    n_spatial : int
        3 for volumes, 2 for images and slices.

    Raises
    ------
    MemoryError
        If all maps need more memory than is available.
    """
    n_pixels = images.sizes().prod(axis=1).sum()
    n_bytes = round(n_pixels * values[0].nbytes / math.prod(values.shape[-n_spatial:]))
    available = available_memory() if n_bytes >= CHECKED_BYTES else None
    if available is not None and n_bytes > available:
        kind = "image" if images.n_spatial == N_SPATIAL else "volume"
        kind += "s"[: len(images) > 1]
        raise MemoryError(
            f"The predictions for {len(images)} {kind} take {n_bytes:,} bytes, but only "
            f"{available:,} are available. Predict fewer at a time; a segmenter's "
            "predict_proba_batches holds only one batch, and segclf.datasets.write_masks writes "
            "masks to files one by one."
        )


def stack_maps(maps: list[NDArray[Any]]) -> Maps:
    """Return maps as one array if all have one size, else unchanged.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.base import stack_maps
    >>> stack_maps([np.zeros((2, 8, 8)), np.zeros((2, 8, 8))]).shape
    (2, 2, 8, 8)
    >>> len(stack_maps([np.zeros((2, 8, 8)), np.zeros((2, 9, 8))]))
    2
    """
    return np.stack(maps) if len({each.shape for each in maps}) == 1 else maps


def as_probabilities(scores: Tensor, *, multilabel: bool) -> Tensor:
    """Turn pixel scores (n, k, h, w) into probabilities."""
    return torch.sigmoid(scores) if multilabel else torch.softmax(scores, dim=1)


def to_masks(probabilities: NDArray[Any], *, multilabel: bool) -> NDArray[np.uint8]:
    """Turn probabilities (n, k, h, w) into masks: ids (n, h, w), or 0 and 1 (n, k, h, w)."""
    if multilabel:
        return (probabilities >= 0.5).astype(np.uint8)
    return probabilities.argmax(axis=1).astype(np.uint8)


def masks_of(probabilities: Tensor, *, multilabel: bool) -> Tensor:
    """Turn probabilities (n, k, d, h, w) into masks likewise, with little extra memory."""
    return torch.from_numpy(to_masks(probabilities.numpy(), multilabel=multilabel))


def processed(masks: NDArray[np.uint8], function: Callable[[Any], Any]) -> NDArray[np.uint8]:
    """Apply a post-processing function to each mask.

    Raises
    ------
    ValueError
        If a result is not a mask of the same shape.
    """
    made = [np.asarray(function(mask)) for mask in masks]
    for each in made:
        if each.shape != masks.shape[1:] or not np.isin(each, np.arange(MAX_ID + 1)).all():
            raise ValueError(
                f"post_processing={function!r:.80} gives {each.shape} of {each.dtype} for a mask "
                f"{masks.shape[1:]}; expected the same shape, with ids of 0 or more."
            )
    return np.stack(made).astype(np.uint8)
