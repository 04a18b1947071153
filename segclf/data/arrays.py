"""Checks and conversions of input arrays and tensors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = [
    "chunks",
    "is_mapped",
    "native",
    "require_finite",
    "require_real",
    "require_unmasked",
    "to_float",
    "to_numpy",
    "unwrap",
]

# The sum of squares over 1e8 pixels of this size is the largest that float32 and bfloat16 hold.
_LARGEST = 1e15
_CHUNK_BYTES = 2**24


def unwrap(values: object) -> object:
    """Return the array inside a Series or another array-like; anything else unchanged.

    Parameters
    ----------
    values : object
        An object with `to_numpy` (pandas, polars, xarray) or `__array__`.

    Returns
    -------
    object
        Missing values of a pandas Series are None.
    """
    if isinstance(values, np.ndarray | torch.Tensor | list | tuple):
        return values
    if hasattr(values, "to_numpy"):
        array = values.to_numpy()
        if array.dtype == object and hasattr(values, "isna"):
            array = array.copy()
            array[np.asarray(values.isna(), dtype=bool)] = None
        return array
    return np.asarray(values) if hasattr(values, "__array__") else values


def to_numpy(values: NDArray[Any] | torch.Tensor) -> NDArray[Any]:
    """Return a numpy array, sharing memory if possible; bfloat16 becomes float32.

    Parameters
    ----------
    values : array or tensor

    Returns
    -------
    array
    """
    if isinstance(values, torch.Tensor):
        values = values.detach()
        return (values.float() if values.dtype == torch.bfloat16 else values).cpu().numpy()
    return np.asarray(values)


def native(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array in this machine's byte order, the only one that torch accepts.

    Parameters
    ----------
    array : array

    Returns
    -------
    array
    """
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def is_mapped(array: NDArray[Any]) -> bool:
    """Tell whether the array is backed by a file: a memmap, or a view of one.

    Parameters
    ----------
    array : array

    Returns
    -------
    bool
    """
    base: object = array
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap):
            return True
        base = base.base
    return False


def chunks(shape: tuple[int, ...], itemsize: int) -> Iterator[slice]:
    """Cut the first axis into slices of about 16 MiB.

    Parameters
    ----------
    shape : tuple of int
    itemsize : int
        Bytes per element.

    Yields
    ------
    slice
    """
    step = max(1, _CHUNK_BYTES // max(1, itemsize * int(np.prod(shape[1:]))))
    for start in range(0, shape[0], step):
        yield slice(start, min(start + step, shape[0]))


def require_real(dtype: np.dtype[Any], where: str) -> None:
    """Refuse complex numbers, objects, text and times.

    Parameters
    ----------
    dtype : numpy.dtype
    where : str
        What holds the values, as the error's first words.
    """
    if dtype.kind not in "buif":
        raise ValueError(
            f"{where} has dtype {dtype}; expected real numbers (bool, integer or float)."
        )


def require_finite(batch: NDArray[Any], rows: NDArray[np.intp], name: str) -> None:
    """Refuse NaN, infinity and numbers beyond 1e15, naming the first sample with one.

    With pixels that large, a network in float32 or bfloat16 computes infinity or NaN. Such values
    usually stand for "no data".

    Parameters
    ----------
    batch : array of shape (n, ...)
    rows : array of shape (n,)
        The samples' numbers.
    name : str
        Name of a sample, as the error's first word.
    """
    if batch.dtype.kind != "f" or batch.size == 0:
        return
    low, high = float(batch.min()), float(batch.max())
    if low >= -_LARGEST and high <= _LARGEST:  # False for NaN
        return
    good = (np.abs(batch).astype(np.float64) <= _LARGEST).reshape(len(batch), -1)
    bad = int(np.argmin(good.all(axis=1)))
    value = batch[bad].reshape(-1)[np.argmin(good[bad])]
    if np.isfinite(value):
        raise ValueError(
            f"{name} {rows[bad]} contains {value:.4g}; expected numbers up to {_LARGEST:g}, which "
            'float32 and bfloat16 can compute with. If it stands for "no data", replace it.'
        )
    found = "NaN" if np.isnan(batch[bad]).any() else "infinity"
    raise ValueError(f"{name} {rows[bad]} contains {found}; expected finite numbers.")


def require_unmasked(array: NDArray[Any], name: str) -> None:
    """Refuse a masked array with masked pixels, whose values below the mask are arbitrary.

    Parameters
    ----------
    array : array
    name : str
        What it is, as the error's first words.
    """
    if np.ma.is_masked(array):
        raise ValueError(
            f"{name} is a masked array with {np.ma.getmaskarray(array).sum()} masked pixels; fill "
            "them with numbers: .filled(value)."
        )


def to_float(array: NDArray[Any]) -> NDArray[np.float32]:
    """Return float32, with the range 0 to 1 for bool, uint8 and uint16; other types unscaled.

    A picture as uint8 and the same picture as float in [0, 1] therefore agree.

    Parameters
    ----------
    array : array of any shape
        Integers or floats.

    Returns
    -------
    array of float32, of the same shape
        The same array if it is float32 already.

    Examples
    --------
    >>> import numpy as np
    >>> to_float(np.array([0, 51, 255], dtype=np.uint8)).tolist()
    [0.0, 0.20000000298023224, 1.0]
    """
    if array.dtype == np.uint8 or array.dtype == np.uint16:
        top = np.float32(np.iinfo(array.dtype).max)
        return np.divide(array, top, dtype=np.float32)
    return array.astype(np.float32, copy=False)
