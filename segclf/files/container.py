"""A safetensors file that is validated before it is read: its header must match its bytes."""

import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from segclf.files.regular import open_regular

# Maximum length of the header in bytes, the same as in safetensors.
_LONGEST_HEADER = 100_000_000
_NUMPY = {
    "BOOL": "?",
    **{f"I{8 * size}": f"<i{size}" for size in (1, 2, 4, 8)},
    **{f"U{8 * size}": f"<u{size}" for size in (1, 2, 4, 8)},
    **{f"F{8 * size}": f"<f{size}" for size in (2, 4, 8)},
    "C64": "<c8",
}
_SIZES = {name: np.dtype(dtype).itemsize for name, dtype in _NUMPY.items()}
_SIZES |= {"BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1}


class Container:
    """The header of a safetensors file, and its arrays one by one.

    The file is read, not mapped: if a mapped file shrinks, the process ends.

    Parameters
    ----------
    path : Path
        A regular file.
    longest : int
        Maximum number of bytes of the header.

    Attributes
    ----------
    metadata : dict
        The metadata, as text.
    entries : dict of dict
        ``dtype``, ``shape`` and ``data_offsets`` of each array, which match the file's bytes.

    Raises
    ------
    OSError
        If there is no such file.
    ValueError
        If it is not a regular file, or its header does not match its bytes.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from safetensors.numpy import save
    >>> from segclf.files import Container
    >>> _ = Path("numbers.safetensors").write_bytes(save({"a": np.arange(3)}))
    >>> Container(Path("numbers.safetensors")).entries["a"]["shape"]
    [3]
    """

    def __init__(self, path: Path, *, longest: int = _LONGEST_HEADER) -> None:
        self._path = path
        with open_regular(path) as file:
            n_bytes = os.fstat(file.fileno()).st_size
            self.metadata, self.entries, self._first = _header(file, n_bytes, longest)

    def read(self, name: str) -> bytearray:
        """Return the bytes of one array.

        Raises
        ------
        ValueError
            If the file has changed since.
        """
        start, stop = self.entries[name]["data_offsets"]
        content = bytearray(stop - start)
        with open_regular(self._path) as file:
            file.seek(self._first + start)
            if file.readinto(content) != len(content):
                raise ValueError("it was truncated while it was read")
        return content


def read_container(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read the metadata and the arrays of a safetensors file.

    Memory is allocated only for bytes that exist.

    Parameters
    ----------
    path : Path
        A regular file.

    Returns
    -------
    dict
        The metadata, as text.
    dict of array
        The arrays by name. They share the memory of the file's bytes, and are read-only.

    Raises
    ------
    OSError
        If there is no such file.
    ValueError
        If it is not a regular file, or its header does not match its bytes.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from safetensors.numpy import save
    >>> from segclf.files import read_container
    >>> _ = Path("numbers.safetensors").write_bytes(save({"a": np.arange(3)}, {"made": "today"}))
    >>> read_container(Path("numbers.safetensors"))
    ({'made': 'today'}, {'a': array([0, 1, 2])})
    """
    with open_regular(path) as file:
        n_bytes = os.fstat(file.fileno()).st_size
        metadata, entries, _ = _header(file, n_bytes, _LONGEST_HEADER)
        content = file.read()
    return metadata, {name: _array(each, content) for name, each in entries.items()}


def _header(
    file: BinaryIO, n_bytes: int, longest: int
) -> tuple[dict[str, Any], dict[str, dict[str, Any]], int]:
    """Read the header; return the metadata, the entries, and where the arrays begin."""
    if n_bytes < 8:
        raise ValueError("it is too short")
    length = int.from_bytes(file.read(8), "little")
    if length > min(longest, n_bytes - 8):
        raise ValueError(f"its header should have {length} bytes, but the file has {n_bytes}")
    header = json.loads(file.read(length), object_pairs_hook=_without_repetition)
    if not isinstance(header, dict):
        raise ValueError("its header is not a JSON object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict):
        raise ValueError("its metadata are not a JSON object")
    _check_cover(header.values(), n_bytes - 8 - length)
    for entry in header.values():
        _check_entry(entry)
    return metadata, header, 8 + length


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name occurs twice in its header")
    return found


def _check_cover(entries: Iterable[Any], n_bytes: int) -> None:
    """Check that the arrays are contiguous, from the first byte to the last."""
    end = 0
    for start, stop in sorted(tuple(entry["data_offsets"]) for entry in entries):
        if start != end or stop < start:
            raise ValueError("its arrays overlap, or leave gaps")
        end = stop
    if end != n_bytes:
        raise ValueError(f"its arrays should have {end} bytes, but there are {n_bytes}")


def _check_entry(entry: dict[str, Any]) -> None:
    kind, shape = entry["dtype"], entry["shape"]
    if kind not in _SIZES:
        raise ValueError(f"it holds an array of {kind}, which is not supported")
    if any(type(side) is not int or side < 0 for side in shape):
        raise ValueError(f"it holds an array of shape {shape}")
    start, stop = entry["data_offsets"]
    if math.prod(shape) * _SIZES[kind] != stop - start:
        raise ValueError(f"an array of {kind} and shape {shape} does not match its bytes")


def _array(entry: dict[str, Any], content: bytes) -> NDArray[Any]:
    kind, shape = entry["dtype"], entry["shape"]
    if kind not in _NUMPY:
        raise ValueError(f"it holds an array of {kind}, which numpy does not support")
    start, _ = entry["data_offsets"]
    array = np.frombuffer(content, _NUMPY[kind], math.prod(shape), offset=start)
    return array.reshape(shape)
