"""Files of `torch.save`: zips, and the format before torch 1.6."""

import io
import math
import os
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segclf.files import StoredTensor, open_regular, read_program
from segclf.networks.stored import Stored

# Largest sizes in bytes, of the description (a pickle) and of a zip's list of records.
_LONGEST_PROGRAM = 16_000_000
_LONGEST_LIST = 2_000_000
# Limits for names in nested dicts: number, depth, and characters in all.
_MOST_NAMES, _DEEPEST, _MOST_CHARACTERS = 100_000, 8, 16_000_000
# Largest number of times that a whole file is read, since tensors may share a storage.
_TIMES = 8
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_STORAGES = {
    "BFloat16Storage": torch.bfloat16,
    "BoolStorage": torch.bool,
    "ByteStorage": torch.uint8,
    "CharStorage": torch.int8,
    "ComplexDoubleStorage": torch.complex128,
    "ComplexFloatStorage": torch.complex64,
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "IntStorage": torch.int32,
    "LongStorage": torch.int64,
    "ShortStorage": torch.int16,
    "UntypedStorage": torch.uint8,
}


# Start, number of bytes and checksum (if any) of each storage.
_Places = dict[str, tuple[int, int, int | None]]


def torch_tensors(path: Path, file: BufferedReader, n_bytes: int) -> dict[str, Stored]:
    """Return the tensors of an open file by name; see :func:`segclf.networks.stored_tensors`."""
    is_zip = zipfile.is_zipfile(file)
    file.seek(0)
    program, places = _of_zip(file, n_bytes) if is_zip else _of_old(file, n_bytes)
    storages = _Storages(path, places, n_bytes)
    return {name: _stored(each, storages) for name, each in _flat(program).items()}


def _of_zip(file: BufferedReader, n_bytes: int) -> tuple[Any, _Places]:
    """Read the description in a file of torch 1.6 or later, and find its storages."""
    listing = _ShortReads(file)
    with zipfile.ZipFile(listing) as archive:
        listing.longest = n_bytes
        infos = {info.filename: info for info in archive.infolist()}
        _check_records(archive.infolist(), n_bytes)
        programs = [name for name in infos if name.endswith("/data.pkl")]
        if len(programs) != 1 or any(name.endswith("/constants.pkl") for name in infos):
            raise ValueError("it is a zip file, but not one of tensors by torch.save")
        root = programs[0].removesuffix("data.pkl")
        order = f"{root}byteorder"
        if order in infos and archive.read(order) != sys.byteorder.encode():
            raise ValueError("its byte order differs from this machine's")
        if infos[programs[0]].file_size > _LONGEST_PROGRAM:
            raise ValueError(f"its description has more than {_LONGEST_PROGRAM} bytes")
        program = read_program(io.BytesIO(archive.read(programs[0])))
    prefix = f"{root}data/"
    found = {n.removeprefix(prefix): each for n, each in infos.items() if n.startswith(prefix)}
    return program, {key: (_start(file, i), i.file_size, i.CRC) for key, i in found.items()}


class _ShortReads(io.RawIOBase):
    """A file that refuses a long list of records, which `zipfile` would read at once."""

    def __init__(self, file: BufferedReader) -> None:
        self._file = file
        self.longest = _LONGEST_LIST
        self.seek, self.tell = file.seek, file.tell  # type: ignore[method-assign]

    def seekable(self) -> bool:
        return True

    def read(self, n_bytes: int = -1) -> bytes:
        if n_bytes > self.longest:
            raise ValueError(f"its list of records has {n_bytes} bytes")
        return self._file.read(n_bytes)


def _check_records(infos: list[zipfile.ZipInfo], n_bytes: int) -> None:
    """Raise if unpacked data would exceed the file; torch does not compress."""
    for info in infos:
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise ValueError(f"its record {info.filename!r:.80} is compressed, unlike torch.save's")
    if len({info.filename for info in infos}) < len(infos):
        raise ValueError("it has two records of one name")
    total = sum(info.file_size for info in infos)
    if total > n_bytes:
        raise ValueError(f"its records should have {total} bytes, but the file has {n_bytes}")


def _start(file: BufferedReader, info: zipfile.ZipInfo) -> int:
    """Find the start of a record's bytes, after a header of 30 bytes, a name and an extra field."""
    file.seek(info.header_offset + 26)
    lengths = file.read(4)
    return (
        file.tell() + int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
    )


def _of_old(file: BufferedReader, n_bytes: int) -> tuple[Any, _Places]:
    """Read a file from before torch 1.6: five pickles, then the storages one after the other."""
    if (read_program(file), read_program(file)) != (_MAGIC, _PROTOCOL):
        raise ValueError("it was not written by torch.save")
    system = read_program(file)
    if not (isinstance(system, dict) and system.get("little_endian", True)):
        raise ValueError("its byte order differs from this machine's")
    program, keys = read_program(file), read_program(file)
    sizes = {each.storage: _itemsize(each) for each in _flat(program).values()}
    return program, dict(_in_sequence(file, keys, sizes, n_bytes))


def _in_sequence(
    file: BufferedReader, keys: Any, sizes: Mapping[str, int], n_bytes: int
) -> Iterator[tuple[str, tuple[int, int, None]]]:
    for key in keys:
        length = int.from_bytes(file.read(8), "little") * sizes[key]
        if file.tell() + length > n_bytes:
            raise ValueError(f"a storage should have {length} bytes, but the file has {n_bytes}")
        yield key, (file.tell(), length, None)
        file.seek(length, os.SEEK_CUR)


class _Storages:
    """Reads storages: a repeated one in a row only once, and the whole file only a few times."""

    def __init__(self, path: Path, places: _Places, n_bytes: int) -> None:
        self.places = places
        self._path, self._left = path, _TIMES * n_bytes
        self._latest: tuple[str, bytearray] = ("", bytearray())

    def read(self, key: str) -> bytearray:
        if self._latest[0] != key:
            start, length, checksum = self.places[key]
            self._left -= length
            if self._left < 0:
                raise ValueError("its tensors are scattered over its storages")
            self._latest = key, _bytes_at(self._path, start, length, checksum)
        return self._latest[1]


def _bytes_at(path: Path, start: int, length: int, checksum: int | None) -> bytearray:
    content = bytearray(length)
    with open_regular(path) as file:
        file.seek(start)
        if file.readinto(content) != length:
            raise ValueError("it was truncated while it was read")
    if checksum is not None and zlib.crc32(content) != checksum:
        raise ValueError("it is damaged: a checksum does not match")
    return content


def _flat(program: Any) -> dict[str, StoredTensor]:
    """Collect tensors from nested dicts, which may contain one another many times."""
    found: dict[str, StoredTensor] = {}
    waiting, n_names, n_characters = [("", program, 0)], 0, 0
    while waiting:
        prefix, value, depth = waiting.pop()
        if isinstance(value, StoredTensor):
            found[prefix] = value
        for key, each in reversed(value.items()) if isinstance(value, dict) else ():
            name = f"{prefix}.{key}" if prefix else str(key)
            n_names, n_characters = n_names + 1, n_characters + len(name)
            if n_names > _MOST_NAMES or n_characters > _MOST_CHARACTERS or depth > _DEEPEST:
                raise ValueError("it nests more names than a network can have")
            waiting.append((name, each, depth + 1))
    return found


def _stored(tensor: StoredTensor, storages: _Storages) -> Stored:
    """Check that a tensor lies within its storage, and return how to read it."""
    dtype, itemsize = _dtype(tensor), _itemsize(tensor)
    _, n_bytes, _ = storages.places.get(tensor.storage, (0, -1, None))
    if n_bytes != tensor.length * itemsize:
        raise ValueError(f"its storage {tensor.storage!r:.80} does not have the declared size")
    steps = zip(tensor.shape, tensor.stride, strict=True)
    last = tensor.offset + sum((side - 1) * step for side, step in steps)
    if math.prod(tensor.shape) and (last + 1) * dtype.itemsize > n_bytes:
        raise ValueError(f"a tensor of shape {tensor.shape} reaches beyond its storage")

    def read() -> Tensor:
        if not math.prod(tensor.shape):
            return torch.empty(tensor.shape, dtype=dtype)
        numbers = torch.frombuffer(storages.read(tensor.storage), dtype=dtype)
        taken = numbers.as_strided(tensor.shape, tensor.stride, tensor.offset)
        return taken if taken.numel() == len(numbers) else taken.clone()

    return Stored(torch.Size(tensor.shape), dtype, read)


def _itemsize(tensor: StoredTensor) -> int:
    """Return the size of one element of the storage in bytes."""
    if tensor.kind not in _STORAGES:
        raise ValueError(f"it holds a {tensor.kind}, which is not supported")
    return _STORAGES[tensor.kind].itemsize


def _dtype(tensor: StoredTensor) -> torch.dtype:
    if tensor.dtype is None:
        return _STORAGES[tensor.kind]
    dtype = getattr(torch, tensor.dtype, None)
    if not isinstance(dtype, torch.dtype):
        raise ValueError(f"it holds a tensor of {tensor.dtype}, which is not a numeric type")
    return dtype
