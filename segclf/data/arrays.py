"""What the front door asks of arrays and tensors, and how it says no."""

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
    "require_channels",
    "require_finite",
    "require_real",
    "to_numpy",
    "unwrap",
]

_MOST_CHANNELS = 512
_CHUNK_BYTES = 2**24


def unwrap(values: object) -> object:
    """Return the array inside a Series or anything else that is array-like; the rest as it is.

    Parameters
    ----------
    values : object
        What has `to_numpy` (pandas, polars, xarray) or `__array__`.

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
    """Return numpy, sharing memory where it can; bfloat16, which numpy lacks, becomes float32.

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
    """Return the array in this machine's byte order, which is all that torch takes.

    Parameters
    ----------
    array : array

    Returns
    -------
    array
    """
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def is_mapped(array: NDArray[Any]) -> bool:
    """Say whether the array lies in a file: a memmap, or a view of one.

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
    """Cut the first axis into slices of some 16 MiB.

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
        What holds them, as the error's first words.
    """
    if dtype.kind not in "buif":
        raise ValueError(
            f"{where} has dtype {dtype}; expected real numbers (bool, integer or float)."
        )


def require_channels(shape: tuple[int, ...], where: str, *, first: bool) -> None:
    """Refuse zero-size images and channels on the wrong side.

    Parameters
    ----------
    shape : tuple of int
        Of one image.
    where : str
        What has it, as the error's first words.
    first : bool
        True if channels stand first, (c, h, w), as in torch; False if last, as in numpy.
    """
    n_channels, height, width = shape if first else (shape[2], shape[0], shape[1])
    given = f"{where} has {n_channels} channels of {height} x {width} pixels"
    if min(shape) < 1:
        raise ValueError(f"{given}; expected at least one of each.")
    # the other convention would have put the channels there
    elsewhere, rest = (width, height) if first else (height, width)
    if n_channels > _MOST_CHANNELS or (elsewhere in (1, 3, 4) and min(rest, n_channels) > 16):
        right = "torch tensors are (n, c, h, w)" if first else "arrays are (n, h, w, c)"
        raise ValueError(f"{given}; are the channels on the wrong side? Here {right}.")


def require_finite(batch: NDArray[Any], rows: NDArray[np.intp], name: str) -> None:
    """Refuse NaN and infinity, naming the first sample with one.

    Parameters
    ----------
    batch : array of shape (n, ...)
    rows : array of shape (n,)
        The samples' numbers.
    name : str
        What they are called, as the error's first word.
    """
    if batch.dtype.kind != "f" or np.isfinite(batch).all():
        return
    bad = int(np.argmin(np.isfinite(batch.reshape(len(batch), -1)).all(axis=1)))
    found = "NaN" if np.isnan(batch[bad]).any() else "infinity"
    raise ValueError(f"{name} {rows[bad]} contains {found}; expected finite numbers.")
