"""Hostile files of weights for `encoder_weights=` and `pretrainer=`."""

import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save as pack

from benchmarks.hostile import models
from benchmarks.hostile.models import Payload
from benchmarks.hostile.worker import Case
from segclf.networks import classification_network, segmentation_network
from segclf.networks._transfer import transfer

Tensors = dict[str, torch.Tensor]


def prepare(folder: Path) -> Tensors:
    """Make the weights of a small encoder."""
    torch.manual_seed(0)
    return dict(classification_network(encoder="tiny").encoder.state_dict())


def make(honest: Tensors, folder: Path, number: int, rng: np.random.Generator) -> Case:
    family = list(FAMILIES)[number % len(FAMILIES)] if number >= 0 else "honest"
    suffix = [".pth", ".safetensors", ".bin"][number // len(FAMILIES) % 3]
    content = _file(honest, suffix) if number < 0 else FAMILIES[family](honest, suffix, rng)
    path = folder / f"weights{suffix}"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content(path)
    return Case(family, path.name, int(rng.integers(3)))


def run(honest: Tensors, folder: Path, case: Case) -> str:
    path = folder / case.name
    if case.more == 0:
        network = classification_network(encoder="tiny", encoder_weights=path)
    elif case.more == 1:
        network = segmentation_network(encoder="tiny", encoder_weights=path, in_channels=1)
    else:
        network = classification_network(encoder="tiny")
        transfer(path, network)
    finite = all(tensor.isfinite().all() for tensor in network.state_dict().values())
    return "accepted" if finite else "wrong"


def _file(tensors: Any, suffix: str, *, zipped: bool = True) -> bytes:
    if suffix == ".safetensors":
        return pack({name: tensor.contiguous() for name, tensor in tensors.items()})
    file = io.BytesIO()
    torch.save(tensors, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


def _of_bytes(change: Callable[..., bytes]) -> Callable[..., bytes]:
    def changed(honest: Tensors, suffix: str, rng: np.random.Generator) -> bytes:
        zipped = bool(rng.integers(2))
        return change(_file(honest, suffix, zipped=zipped), rng)

    return changed


def _of_tensors(change: Callable[..., None]) -> Callable[..., bytes]:
    def changed(honest: Tensors, suffix: str, rng: np.random.Generator) -> bytes:
        tensors = {name: tensor.clone() for name, tensor in honest.items()}
        change(tensors, str(rng.choice(list(tensors))), rng)
        return _file(tensors, suffix, zipped=bool(rng.integers(2)))

    return changed


def _not_finite(tensors: Tensors, name: str, rng: np.random.Generator) -> None:
    tensors[name].view(-1)[0] = float(rng.choice([np.nan, np.inf, -np.inf]))


def _other_shape(tensors: Tensors, name: str, rng: np.random.Generator) -> None:
    shape = [[], [0], [1], [3, 5], [2] * 9, list(reversed(tensors[name].shape))]
    tensors[name] = torch.zeros(shape[int(rng.integers(len(shape)))])


def _other_type(tensors: Tensors, name: str, rng: np.random.Generator) -> None:
    kinds = [torch.int64, torch.bool, torch.float16, torch.bfloat16, torch.float8_e4m3fn]
    tensors[name] = tensors[name].to(kinds[int(rng.integers(len(kinds)))])


def _missing(tensors: Tensors, name: str, rng: np.random.Generator) -> None:
    del tensors[name]


def _renamed(tensors: Tensors, name: str, rng: np.random.Generator) -> None:
    tensors[str(rng.choice(["", ".", "x" * 5000, "a.b.c", "../x"]))] = tensors.pop(name)


def _much_beside(tensors: Tensors, name: str, rng: np.random.Generator) -> None:
    tensors["head.weight"] = torch.full((40_000_000,), np.nan, dtype=torch.float16)


def _expanded(honest: Tensors, suffix: str, rng: np.random.Generator) -> bytes:
    """A single number, expanded to a billion by its strides."""
    tensors = {**honest, "head.weight": torch.zeros(1).expand(10**9)}
    return _file(tensors, ".pth", zipped=bool(rng.integers(2)))


def _objects(*values: Any) -> Callable[..., bytes]:
    def made(honest: Tensors, suffix: str, rng: np.random.Generator) -> bytes:
        value = values[int(rng.integers(len(values)))]
        return _file({**honest, "more": value() if callable(value) else value}, ".pth")

    return made


def _program(*programs: bytes) -> Callable[..., bytes]:
    def made(honest: Tensors, suffix: str, rng: np.random.Generator) -> bytes:
        content = b"\x80\x02" + programs[int(rng.integers(len(programs)))] + b"."
        return _archive({"archive/data.pkl": content}) if rng.integers(2) else content

    return made


def _archive(records: dict[str, bytes], packed: bool = False) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED if packed else 0) as archive:
        for name, content in records.items():
            archive.writestr(name, content)
    return file.getvalue()


def _zip_bomb(honest: Tensors, suffix: str, rng: np.random.Generator) -> bytes:
    """The same file, packed, with 200 MB of zeros in it."""
    with zipfile.ZipFile(io.BytesIO(_file(honest, ".pth"))) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    name = str(rng.choice(list(records)))
    return _archive({**records, name: bytes(200_000_000)}, packed=True)


def _records(honest: Tensors, suffix: str, rng: np.random.Generator) -> bytes:
    """The same file with another record of many empty ones, names twice, or others' names."""
    with zipfile.ZipFile(io.BytesIO(_file(honest, ".pth"))) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    root = next(iter(records)).partition("/")[0]
    more = [
        {f"{root}/data/{number}x": b"" for number in range(30_000)},
        {f"{root}/constants.pkl": b""},
        {f"{root}/../../outside": b"x", "/etc/hostile": b"x"},
        {f"{root}/byteorder": b"big"},
        {f"{root}/code/__torch__.py": b"import os"},
    ]
    return _archive({**records, **more[int(rng.integers(len(more)))]})


def _header(data: bytes, rng: np.random.Generator) -> bytes:
    lengths = [0, 7, 2**31, 2**63, 2**64 - 1]
    return struct.pack("<Q", lengths[int(rng.integers(len(lengths)))]) + data[8:]


def _no_file(honest: Tensors, suffix: str, rng: np.random.Generator) -> Callable[[Path], Any]:
    device = lambda path: path.symlink_to("/dev/zero")  # noqa: E731
    makers = [os.mkfifo, device, lambda path: path.mkdir(), _sparse]
    return makers[int(rng.integers(len(makers)))]


def _sparse(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(2**42)


def _text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def _called(*names: str) -> list[bytes]:
    return [f"c{name}\n".encode() + b"(" + _text("mkdir hostile") + b"tR" for name in names]


_LARGE = b"\n(J\xff\xff\xff\x7ftR"
_DEEP = b"(" * 200_000 + b"t" * 200_000
_LAUGHS = b"}q\x00" + (b"}" + _text("a") + b"h\x00s" + _text("b") + b"h\x00sq\x00") * 60
_KEYS = b"K\x01" + b"\x85" * 200_000 + b"q\x01}h\x01K\x01s"
FAMILIES: dict[str, Callable[..., Any]] = {
    "cut": _of_bytes(models._cut),
    "flipped": _of_bytes(models._flipped),
    "longer": _of_bytes(lambda data, rng: data + rng.bytes(99)),
    "random": _of_bytes(lambda data, rng: rng.bytes(int(rng.integers(0, 5000)))),
    "length": _of_bytes(_header),
    "not finite": _of_tensors(_not_finite),
    "other shapes": _of_tensors(_other_shape),
    "other types": _of_tensors(_other_type),
    "missing": _of_tensors(_missing),
    "other names": _of_tensors(_renamed),
    "much beside": _of_tensors(_much_beside),
    "expanded": _expanded,
    "payload": _objects(Payload),
    "payload alone": lambda honest, suffix, rng: pickle.dumps(Payload(), int(rng.integers(6))),
    "objects": _objects(np.float64(3), np.zeros(3), Path("x"), {1, 2}, b"x", torch.float16),
    "modules": _objects(lambda: torch.nn.Linear(2, 2), lambda: torch.Generator()),
    "sparse tensors": _objects(torch.eye(3).to_sparse, torch.eye(3).to_sparse_csr),
    "imports": _program(*_called("os\nsystem", "posix\nsystem", "nt\nsystem")),
    "functions of torch": _program(*_called("torch\nload", "torch.hub\nload")),
    "storages made": _program(b"ctorch\nFloatStorage" + _LARGE, b"ctorch\nTensor" + _LARGE),
    "long values": _program(
        b"X\xff\xff\xff\x7f", b"\x8d" + b"\xff" * 7 + b"\x00", b"\x96" + bytes(6) + b"\x01\x00"
    ),
    "nested tuples": _program(_DEEP),
    "nested keys": _program(_KEYS),
    "nested dicts": _program(_LAUGHS),
    "the memo": _program(b"Nr\xff\xff\xff\x7f", b"j\xff\xff\xff\x7f"),
    "no operations": _program(b"", b"0", b"R", b"t", b"(u", b"}(K\x01u", b"Q", b"b", b"s", b"a"),
    "many lists": _program(b"]" * 3_000_000),
    "zip bomb": _zip_bomb,
    "records": _records,
    "no file": _no_file,
    "containers": lambda honest, suffix, rng: models._shape(b"", rng),
    "offsets": lambda honest, suffix, rng: models._offsets(b"", rng),
    "headers": lambda honest, suffix, rng: models._nested(b"", rng),
    "types of numbers": lambda honest, suffix, rng: models._dtype(b"", rng),
}  # fmt: skip
