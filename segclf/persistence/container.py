"""A safetensors file, judged before it is read: what it says of itself must fit its own bytes."""

import json
import math
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Of the header, in bytes: as safetensors itself has it.
_LONGEST_HEADER = 100_000_000
_DTYPES = {
    "BOOL": "?",
    **{f"I{8 * size}": f"<i{size}" for size in (1, 2, 4, 8)},
    **{f"U{8 * size}": f"<u{size}" for size in (1, 2, 4, 8)},
    **{f"F{8 * size}": f"<f{size}" for size in (2, 4, 8)},
    "C64": "<c8",
}


def read_container(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read the metadata and the arrays of a safetensors file.

    Nothing is allocated beyond the bytes that are there, and the file is read, not mapped: a mapped
    file that shrinks ends the process.

    Parameters
    ----------
    path : Path
        A regular file.

    Returns
    -------
    dict
        The metadata, as text.
    dict of array
        By name. They share the memory of the file's bytes, and cannot be written.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When it is no regular file, or what its header says does not fit its bytes.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is no regular file")
    content = path.read_bytes()
    if len(content) < 8:
        raise ValueError("it is too short")
    length = int.from_bytes(content[:8], "little")
    if length > min(_LONGEST_HEADER, len(content) - 8):
        raise ValueError(f"its header should have {length} bytes, of {len(content)} in all")
    header = json.loads(content[8 : 8 + length], object_pairs_hook=_without_repetition)
    if not isinstance(header, dict):
        raise ValueError("its header is no JSON object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict):
        raise ValueError("its metadata are no JSON object")
    _check_cover(header.values(), len(content) - 8 - length)
    first = 8 + length
    return metadata, {name: _array(each, content, first) for name, each in header.items()}


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in its header")
    return found


def _check_cover(entries: Iterable[Any], n_bytes: int) -> None:
    """Check that the tensors lie one behind the other, from the first byte to the last."""
    end = 0
    for start, stop in sorted(tuple(entry["data_offsets"]) for entry in entries):
        if start != end or stop < start:
            raise ValueError("its arrays overlap, or leave bytes out")
        end = stop
    if end != n_bytes:
        raise ValueError(f"its arrays should have {end} bytes, and there are {n_bytes}")


def _array(entry: dict[str, Any], content: bytes, first: int) -> NDArray[Any]:
    kind, shape = entry["dtype"], entry["shape"]
    if kind not in _DTYPES:
        raise ValueError(f"it holds an array of {kind}, which numpy does not know")
    if any(type(side) is not int or side < 0 for side in shape):
        raise ValueError(f"it holds an array of shape {shape}")
    start, stop = entry["data_offsets"]
    dtype, count = np.dtype(_DTYPES[kind]), math.prod(shape)
    if count * dtype.itemsize != stop - start:
        raise ValueError(f"an array of {kind} and shape {shape} does not fit its bytes")
    return np.frombuffer(content, dtype, count, offset=first + start).reshape(shape)
