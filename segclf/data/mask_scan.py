"""One look at every mask: is it sound, what is its shape, which is the highest id."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from segclf.data.arrays import chunks, to_numpy, unwrap
from segclf.data.mask_checks import require_ids, require_shape
from segclf.data.readers import read_mask

__all__ = ["items_of", "read_item", "scan"]

_EXPECTED = (
    "an array (n, h, w) of ids, a multi-label array (n, k, h, w) of 0, 1 and -1, or a list of "
    "arrays (h, w) or (k, h, w), paths to PNG or TIFF masks, and None"
)


def items_of(masks: object) -> NDArray[Any] | list[Any]:
    """Return one array, or a list of whatever there is; a whole array's shape is checked.

    Parameters
    ----------
    masks : object

    Returns
    -------
    array of shape (n, h, w) or (n, k, h, w), or list

    Raises
    ------
    ValueError
        If it is neither.
    """
    values = unwrap(masks)
    if isinstance(values, torch.Tensor):
        values = to_numpy(values)
    if isinstance(values, np.ndarray) and not (values.ndim == 1 and values.dtype.kind in "OUST"):
        if values.ndim not in (3, 4):
            raise ValueError(f"masks have shape {values.shape}; expected {_EXPECTED}.")
        if len(values):
            require_shape(values.shape[1:], "masks")
        return np.asarray(values)
    if isinstance(values, np.ndarray | list | tuple):
        return list(values)
    raise ValueError(f"masks is a {type(masks).__name__}; expected {_EXPECTED}.")


def scan(items: NDArray[Any] | list[Any]) -> tuple[NDArray[np.intp], int]:
    """Look at every mask once, holding one (or some 16 MiB of one array) at a time.

    Parameters
    ----------
    items : array or list
        From `items_of`.

    Returns
    -------
    shapes : array of shape (n, 3)
        Depth, height and width of each mask: -1 where nobody said anything, depth 0 for ids.
    highest : int
        The highest id.

    Raises
    ------
    ValueError
        Naming the first mask that is not valid.
    """
    return _scan_array(items) if isinstance(items, np.ndarray) else _scan_list(items)


def read_item(item: object, number: int) -> NDArray[Any]:
    """Return one mask as it lies in an array, a tensor or a file.

    Parameters
    ----------
    item : array, tensor or path
    number : int
        Of the sample, for errors.

    Returns
    -------
    array of shape (h, w) or (k, h, w)

    Raises
    ------
    ValueError
        If it is something else, or the file cannot be read.
    """
    if isinstance(item, str | os.PathLike):
        try:
            return read_mask(item)
        except (OSError, ValueError) as error:
            raise ValueError(f"Mask {number}: {error}") from error
    if isinstance(item, np.ndarray | torch.Tensor):
        return to_numpy(item)
    raise ValueError(
        f"Mask {number} is a {type(item).__name__}; expected an array (h, w) or (k, h, w), a path "
        "or None."
    )


def _scan_array(array: NDArray[Any]) -> tuple[NDArray[np.intp], int]:
    shapes = np.full((len(array), 3), -1, dtype=np.intp)
    highest = -1
    for part in chunks(array.shape, array.itemsize):
        tops = require_ids(array[part], part.start)
        shapes[part][tops >= 0] = _shape_of(array[0])
        highest = max(highest, int(tops.max()))
    return shapes, highest


def _scan_list(items: list[Any]) -> tuple[NDArray[np.intp], int]:
    shapes = np.full((len(items), 3), -1, dtype=np.intp)
    highest, first = -1, None
    for number, item in enumerate(items):
        if item is None:
            continue
        mask = read_item(item, number)
        require_shape(mask.shape, f"Mask {number}")
        top = int(require_ids(mask[None], number, _path_of(item))[0])
        depth = _shape_of(mask)[0]
        if first is None:
            first = number, depth
        elif depth != first[1]:
            raise ValueError(
                f"Mask {number} has {_describe(depth)}, mask {first[0]} {_describe(first[1])}; "
                "expected one kind."
            )
        if top >= 0:
            shapes[number] = _shape_of(mask)
        highest = max(highest, top)
    return shapes, highest


def _shape_of(mask: NDArray[Any]) -> tuple[int, ...]:
    return mask.shape if mask.ndim == 3 else (0, *mask.shape)


def _describe(depth: int) -> str:
    return f"{depth} multi-label channel(s), (k, h, w)" if depth else "exclusive ids, (h, w)"


def _path_of(item: object) -> str:
    return f" ({str(os.fspath(item))!r})" if isinstance(item, str | os.PathLike) else ""
