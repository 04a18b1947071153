"""Read every mask once: check it, and record its shape and its ids."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from segclf.axes import N_SPATIAL, N_SPATIAL_OF_VOLUMES, are_multilabel
from segclf.data.arrays import chunks, to_numpy, unwrap
from segclf.data.lazy_mask import LazyMask
from segclf.data.mask_checks import require_ids, require_shape, stands_255_for_1
from segclf.data.mask_forms import channels_last, in_our_form
from segclf.data.readers import load_mask, read_mask
from segclf.data.watched_file import WatchedFile

__all__ = ["Scan", "items_of", "read_item", "scan"]

_EXPECTED = {
    N_SPATIAL: "an array (n, h, w) of ids, a multi-label array (n, k, h, w) of 0, 1 and -1, or a "
    "list of arrays (h, w) or (k, h, w), paths to PNG or TIFF masks, and None",
    N_SPATIAL_OF_VOLUMES: "of volumes an array (n, d, h, w) of ids, a multi-label array "
    "(n, k, d, h, w) of 0, 1 and -1, or a list of arrays (d, h, w) or (k, d, h, w), paths and None",
}
# Up to this number of values are searched one by one, which is faster than counting all.
_FEW = 8


class Scan(NamedTuple):
    """What is recorded about n masks.

    Attributes
    ----------
    shapes : array of shape (n, 3) or (n, 4)
        Channels, height and width of each mask, or channels, slices, height and width: -1 without a
        mask, 0 channels for ids.
    counts : array of shape (n, m)
        Number of pixels of each id, 0 to m - 1, or channel in each mask.
    n_open : array of shape (n, 1) or (n, m)
        Number of pixels of -1, in the mask or in each channel.
    of_255 : bool
        Whether 255 means 1 in all of them.
    """

    shapes: NDArray[np.intp]
    counts: NDArray[np.int32]
    n_open: NDArray[np.int32]
    of_255: bool

    @property
    def shows(self) -> NDArray[np.bool_]:
        """Which ids or channels each mask shows."""
        return self.counts > 0

    @property
    def open(self) -> NDArray[np.bool_]:
        """Whether a pixel is -1, in each mask or channel."""
        return self.n_open > 0

    def subset(self, rows: NDArray[np.intp]) -> Scan:
        """Return the records of some of the masks."""
        return Scan(self.shapes[rows], self.counts[rows], self.n_open[rows], self.of_255)

    def without(self, hidden: NDArray[np.bool_]) -> Scan:
        """Return the same as if some of the masks were missing."""
        shapes = np.where(hidden[:, None], -1, self.shapes)
        counts = np.where(hidden[:, None], 0, self.counts)
        return Scan(shapes, counts, np.maximum(self.n_open, hidden[:, None]), self.of_255)


def items_of(masks: object, n_spatial: int = N_SPATIAL) -> NDArray[Any] | list[Any]:
    """Return one array, or a list of the items; the shape of an array is checked.

    Parameters
    ----------
    masks : object
    n_spatial : int
        2 for masks of images, 3 for those of volumes.

    Returns
    -------
    array of shape (n, h, w) or (n, k, h, w), or list; for volumes with d before h

    Raises
    ------
    ValueError
        If it is neither.
    """
    values = unwrap(masks)
    if isinstance(values, torch.Tensor):
        values = to_numpy(values)
    if isinstance(values, np.ndarray) and not (values.ndim == 1 and values.dtype.kind in "OUST"):
        if values.ndim not in (n_spatial + 1, n_spatial + 2):
            raise ValueError(f"masks have shape {values.shape}; expected {_EXPECTED[n_spatial]}.")
        if len(values):
            require_shape(values.shape[1:], "masks", n_spatial)
        in_list = n_spatial == N_SPATIAL and channels_last(values.shape[1:])
        return list(values) if in_list else np.asarray(values)
    if isinstance(values, np.ndarray | list | tuple):
        return [_watched(item) for item in values]
    raise ValueError(f"masks is a {type(masks).__name__}; expected {_EXPECTED[n_spatial]}.")


def scan(items: NDArray[Any] | list[Any], n_spatial: int = N_SPATIAL) -> Scan:
    """Read every mask once, holding one (or about 16 MiB of one array) at a time.

    Parameters
    ----------
    items : array or list
        From `items_of`.
    n_spatial : int
        See `items_of`.

    Returns
    -------
    Scan

    Raises
    ------
    ValueError
        With the number of the first mask that is not valid.
    """
    looks = list(_looks(items, n_spatial))
    n_channels = max((look.seen.shape[1] for look in looks), default=1)
    n_values = max((look.seen.shape[2] for look in looks), default=2)
    shapes = np.full((len(items), 1 + n_spatial), -1, dtype=np.intp)
    seen = np.zeros((len(items), n_channels, n_values), dtype=np.int32)
    for look in looks:
        rows = slice(look.start, look.start + len(look.seen))
        seen[rows, :, : look.seen.shape[2]], shapes[rows] = look.seen, look.shape
    of_255 = stands_255_for_1(seen > 0, paths_of(items))
    shapes[~seen[:, :, 1:].any(axis=(1, 2))] = -1
    return _summed_up(shapes, seen, of_255)


def read_item(item: object, number: int, n_spatial: int = N_SPATIAL) -> NDArray[Any]:
    """Return one mask from an array, a tensor or a file, as (h, w) or (k, h, w).

    Parameters
    ----------
    item : array, tensor, WatchedFile or LazyMask
        From `items_of`.
    number : int
        Number of the sample, for errors.
    n_spatial : int
        2 for a mask of an image, 3 for one of a volume, with channels first.

    Returns
    -------
    array of shape (h, w) or (k, h, w)

    Raises
    ------
    ValueError
        If it is something else, or the file cannot be read.
    """
    try:
        if isinstance(item, WatchedFile):
            return item.read(read_mask if n_spatial == N_SPATIAL else _read_volume)
        if isinstance(item, LazyMask):
            return item.read(n_spatial)
        if isinstance(item, np.ndarray | torch.Tensor):
            array = to_numpy(item)
            return in_our_form(array) if n_spatial == N_SPATIAL else array
    except (OSError, ValueError) as error:
        path = _path_of(item) if isinstance(item, LazyMask) else ""
        raise ValueError(f"Mask {number}{path}: {error}") from error
    raise ValueError(
        f"Mask {number} is a {type(item).__name__}; expected an array (h, w) or (k, h, w), a path "
        "or None."
    )


class _Look(NamedTuple):
    """Number of pixels of -1, 0, 1, ... in masks of one shape: (m, 1 or k, values)."""

    start: int
    shape: tuple[int, ...]
    seen: NDArray[np.int32]


def _looks(items: NDArray[Any] | list[Any], n_spatial: int) -> Iterator[_Look]:
    if isinstance(items, np.ndarray):
        for part in chunks(items.shape, items.itemsize):
            yield _look(items[part], part.start, "", n_spatial)
        return
    first: tuple[int, int] | None = None
    for number, item in enumerate(items):
        if item is None:
            continue
        mask = read_item(item, number, n_spatial)
        require_shape(mask.shape, f"Mask {number}", n_spatial)
        look = _look(mask[None], number, _path_of(item), n_spatial)
        first = first or (number, look.shape[0])
        if look.shape[0] != first[1]:
            raise ValueError(
                f"Mask {number} has {_describe(look.shape[0])}, mask {first[0]} "
                f"{_describe(first[1])}; expected one kind."
            )
        yield look


def _look(masks: NDArray[Any], start: int, path: str, n_spatial: int) -> _Look:
    multilabel = are_multilabel(masks, n_spatial)
    require_ids(masks, start, path, multilabel=multilabel)
    shape = masks.shape[1:] if multilabel else (0, *masks.shape[1:])
    flat = masks.reshape(len(masks), max(shape[0], 1), -1)
    low, high = int(flat.min()), int(flat.max())
    seen = np.zeros((*flat.shape[:2], high + 2), dtype=np.int32)
    if high - low < _FEW:
        for value in range(low, high + 1):
            seen[..., value + 1] = np.count_nonzero(flat == value, axis=-1)
    else:
        for index in np.ndindex(seen.shape[:2]):
            seen[index] = np.bincount(flat[index].astype(np.intp) + 1, minlength=high + 2)
    return _Look(start, shape, seen)


def _summed_up(shapes: NDArray[np.intp], seen: NDArray[np.int32], of_255: bool) -> Scan:
    """Combine the counts; ids and channels are told apart by a depth above 0."""
    if of_255:
        seen = np.concatenate([seen[..., :2], seen[..., -1:]], axis=-1)
    if seen.shape[1] == 1 and not (shapes[:, 0] > 0).any():
        return Scan(shapes, seen[:, 0, 1:], seen[:, 0, :1], of_255)
    counts = seen[..., 2:].sum(axis=-1, dtype=np.int32)
    return Scan(shapes, counts, seen[..., 0], of_255)


def paths_of(items: NDArray[Any] | list[Any]) -> list[str]:
    """Return the text that errors add to the number of each mask: its file."""
    return [""] * len(items) if isinstance(items, np.ndarray) else [_path_of(i) for i in items]


def _describe(depth: int) -> str:
    return f"{depth} multi-label channel(s), (k, h, w)" if depth else "exclusive ids, (h, w)"


def _watched(item: Any) -> Any:
    """Return the item; its file, if any, must not change from now on."""
    if isinstance(item, LazyMask):
        return item.watched()
    return WatchedFile.of(item) if isinstance(item, str | os.PathLike) else item


def _read_volume(path: str | os.PathLike[str]) -> NDArray[Any]:
    return load_mask(path).array


def _path_of(item: object) -> str:
    source = item.path if isinstance(item, LazyMask) else item
    return f" ({str(os.fspath(source))!r})" if isinstance(source, str | os.PathLike) else ""
