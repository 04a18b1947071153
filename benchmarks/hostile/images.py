"""Damaged images: formats times kinds of damage."""

import io
import os
import struct
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.hostile.worker import Case
from segclf.data.readers import read_image, read_image_header, read_mask

HEIGHT, WIDTH = 40, 48
# Formats whose completeness is known before decoding. Decoders of the others allocate
# the memory in the header, which may be a quarter of a GiB of pixels of three bytes.
_COUNTED = ("png", "bmp", "ppm")
_DECODED = 768 * 2**20
# Formats without a checksum of pixels, so a changed byte gives another picture.
_UNCHECKED = ("jpeg", "tiff", "bmp", "webp", "ppm")
_CHANGES = ("bit", "bits", "zeros", "noise", "insert", "delete", "swap", "sizes", "head and noise")


def prepare(folder: Path) -> dict[str, bytes]:
    """Encode one picture, smooth with noise, in every format."""
    rng = np.random.default_rng(0)
    smooth = np.add.outer(np.arange(HEIGHT), np.arange(WIDTH))[..., None] * [2, 1, 1.5]
    rgb = (smooth + rng.integers(0, 40, (HEIGHT, WIDTH, 3))).clip(0, 255).astype(np.uint8)
    gray, wide = Image.fromarray(rgb[..., 0]), Image.fromarray(rgb[..., 0].astype(np.uint16) * 257)
    color = Image.fromarray(rgb)
    made = {
        "png-rgb": (color, {}),
        "png-gray": (gray, {}),
        "png-16bit": (wide, {}),
        "png-1bit": (gray.convert("1"), {}),
        "png-palette": (color.quantize(16), {}),
        "png-rgba": (color.convert("RGBA"), {}),
        "png-gray-alpha": (gray.convert("LA"), {}),
        "jpeg-rgb": (color, {"quality": 90}),
        "jpeg-gray": (gray, {"quality": 80}),
        "jpeg-444": (color, {"quality": 95, "subsampling": 0}),
        "jpeg-optimized": (color, {"quality": 70, "optimize": True}),
        "jpeg-restarts": (color, {"quality": 85, "restart_marker_blocks": 2}),
        "jpeg-progressive": (color, {"quality": 85, "progressive": True}),
        "jpeg-cmyk": (color.convert("CMYK"), {"quality": 85}),
        "tiff-raw": (color, {}),
        "tiff-gray": (gray, {}),
        "tiff-16bit": (wide, {}),
        "tiff-lzw": (color, {"compression": "tiff_lzw"}),
        "tiff-deflate": (color, {"compression": "tiff_adobe_deflate"}),
        "tiff-packbits": (gray, {"compression": "packbits"}),
        "tiff-1bit": (gray.convert("1"), {"compression": "group4"}),
        "bmp-rgb": (color, {}),
        "bmp-gray": (gray, {}),
        "webp-lossless": (color, {"lossless": True}),
        "webp-lossy": (color, {"quality": 90}),
        "ppm-rgb": (color, {}),
        "ppm-gray": (gray, {}),
    }
    return {name: _encoded(image, name, options) for name, (image, options) in made.items()}


def make(honest: dict[str, bytes], folder: Path, number: int, rng: np.random.Generator) -> Case:
    names = list(honest)
    name = names[number % len(names)]
    if number < 0:
        kind, content = "honest", honest[name]
    else:
        kind = list(DAMAGE)[number // len(names) % len(DAMAGE)]
        content = DAMAGE[kind](honest[name], rng, name)
    path = folder / f"image.{name.partition('-')[0]}"
    _put(path, content)
    more = 0 if name.startswith(_COUNTED) else _DECODED
    return Case(f"{name} {kind}", path.name, (name, kind, len(content)), more)


def run(honest: dict[str, bytes], folder: Path, case: Case) -> str:
    name, kind, length = case.more
    path = folder / case.name
    masks = name.startswith("png") and length % 2
    given = [read(path) for read in (read_image_header, read_mask if masks else read_image)][-1]
    (folder / "right").mkdir()
    whole = folder / "right" / case.name
    whole.write_bytes(honest[name])
    expected = (read_mask if masks else read_image)(whole)
    if np.array_equal(given, expected):
        return "accepted"
    return "documented" if _is_documented(name, kind, length, len(honest[name])) else "wrong"


def _is_documented(name: str, kind: str, length: int, whole: int) -> bool:
    """Return whether a wrong picture is of a kind that SECURITY.md documents."""
    if name.startswith(_UNCHECKED) and kind in _CHANGES:
        return True
    return kind in ("cut", "closed") and (
        name == "jpeg-progressive" or (name.startswith("jpeg") and length > 0.97 * whole)
    )


def _encoded(image: Image.Image, name: str, options: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    image.save(file, name.partition("-")[0].upper(), **options)
    return file.getvalue()


def _put(path: Path, content: bytes | str) -> None:
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "pipe":
        os.mkfifo(path)
    elif content == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()


def _place(data: bytes, rng: np.random.Generator, least: int = 0) -> int:
    return int(rng.integers(least, len(data)))


def _cut(data: bytes, rng: np.random.Generator, _: str) -> bytes:
    return data[: _place(data, rng)]


def _closed(data: bytes, rng: np.random.Generator, name: str) -> bytes:
    """Truncate within the pixels, and append the end marker of the format."""
    start = {"png": data.find(b"IDAT"), "jpe": data.find(b"\xff\xda") + 14}.get(name[:3], 20)
    kept = data[: int(rng.integers(start, len(data) - 2))]
    if name.startswith("jpeg"):
        return kept + b"\xff\xd9"
    if name.startswith("png"):
        body = kept[start + 4 :]
        sized = kept[: start - 4] + struct.pack(">I", len(body)) + b"IDAT" + body
        return sized + struct.pack(">I", zlib.crc32(b"IDAT" + body)) + data[-12:]
    return kept + bytes(int(rng.integers(0, 8)))


def _bit(data: bytes, rng: np.random.Generator, _: str) -> bytes:
    return _changed(data, {_place(data, rng): 1 << int(rng.integers(8))})


def _bits(data: bytes, rng: np.random.Generator, _: str) -> bytes:
    places = rng.integers(0, len(data), int(rng.integers(2, 60)))
    return _changed(data, {int(each): int(rng.integers(1, 256)) for each in places})


def _changed(data: bytes, masks: dict[int, int]) -> bytes:
    out = bytearray(data)
    for place, mask in masks.items():
        out[place] ^= mask
    return bytes(out)


def _zeros(data: bytes, rng: np.random.Generator, _: str) -> bytes:
    start, length = _place(data, rng), int(rng.integers(1, 512))
    return data[:start] + bytes(min(length, len(data) - start)) + data[start + length :]


def _noise(data: bytes, rng: np.random.Generator, _: str) -> bytes:
    start = _place(data, rng)
    noise = rng.bytes(int(rng.integers(1, 64)))
    return (data[:start] + noise + data[start + len(noise) :])[: len(data)]


def _insert(data: bytes, rng: np.random.Generator, _: str) -> bytes:
    start = _place(data, rng)
    return data[:start] + rng.bytes(int(rng.integers(1, 64))) + data[start:]


def _delete(data: bytes, rng: np.random.Generator, _: str) -> bytes:
    start = _place(data, rng)
    return data[:start] + data[start + int(rng.integers(1, 64)) :]


def _swap(data: bytes, rng: np.random.Generator, _: str) -> bytes:
    a, b = sorted(int(each) for each in rng.integers(0, len(data) - 32, 2))
    if b - a < 32:
        return data[: len(data) // 2]
    return data[:a] + data[b : b + 32] + data[a + 32 : b] + data[a : a + 32] + data[b + 32 :]


def _sizes(data: bytes, rng: np.random.Generator, name: str) -> bytes:
    """Change the height, by one row up to very many, with valid checksums."""
    larger = int(rng.choice([HEIGHT + 1, 2 * HEIGHT, 3000, 30_000, 60_000]))
    if name.startswith("png"):
        head = data[12:20] + struct.pack(">I", larger) + data[24:29]
        return data[:12] + head + struct.pack(">I", zlib.crc32(head)) + data[33:]
    if name.startswith("jpeg"):
        start = next(data.find(m) for m in (b"\xff\xc0", b"\xff\xc2") if m in data)
        return data[: start + 5] + struct.pack(">H", larger) + data[start + 7 :]
    return data.replace(
        struct.pack("<HHIHH", 257, 4, 1, HEIGHT, 0),
        struct.pack("<HHIHH", 257, 4, 1, larger % 65536, 0),
    )


def _random(data: bytes, rng: np.random.Generator, _: str) -> bytes:
    return rng.bytes(int(rng.integers(0, 3000)))


def _head_and_noise(data: bytes, rng: np.random.Generator, _: str) -> bytes:
    head = int(rng.integers(4, 40))
    return data[:head] + rng.bytes(int(rng.integers(0, 3000)))


def _bomb(data: bytes, rng: np.random.Generator, name: str) -> bytes:
    """Pack 200 MB of zeros behind the rows of a PNG; others get a megabyte behind their end."""
    if not name.startswith("png"):
        return data + bytes(10**6)
    start = data.find(b"IDAT") - 4
    length = int.from_bytes(data[start : start + 4], "big")
    packer = zlib.compressobj(1)
    rows = packer.compress(zlib.decompress(data[start + 8 : start + 8 + length]))
    packed = rows + packer.flush(zlib.Z_FULL_FLUSH) + _packed_zeros()
    chunk = struct.pack(">I", len(packed)) + b"IDAT" + packed
    return data[:start] + chunk + struct.pack(">I", zlib.crc32(b"IDAT" + packed)) + data[-12:]


@cache
def _packed_zeros() -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    return packer.compress(bytes(200_000_000)) + packer.flush()


def _no_file(data: bytes, rng: np.random.Generator, _: str) -> str:
    return str(rng.choice(["pipe", "device", "folder"]))


DAMAGE: dict[str, Any] = {
    "cut": _cut,
    "closed": _closed,
    "bit": _bit,
    "bits": _bits,
    "zeros": _zeros,
    "noise": _noise,
    "insert": _insert,
    "delete": _delete,
    "swap": _swap,
    "sizes": _sizes,
    "random": _random,
    "head and noise": _head_and_noise,
    "bomb": _bomb,
    "no file": _no_file,
}
