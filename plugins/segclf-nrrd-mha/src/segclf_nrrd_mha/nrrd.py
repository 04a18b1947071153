"""NRRD, the format of Teem and 3D Slicer: ``.nrrd``, or ``.nhdr`` with data in another file."""

import os
import re

import numpy as np

from segclf.hookspecs import ImageData, ImageHeader, ReadPath
from segclf_nrrd_mha.volume_file import VolumeFile, data_beside, numbers, read_text

MAGIC = re.compile(rb"NRRD000[1-5]\r?\n")
END = rb"\r?\n\r?\n"
TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "signed long long", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
# Conversions to millimeters towards the right, front and head.
SPACES = {
    "right-anterior-superior": (1, 1, 1),
    "left-anterior-superior": (-1, 1, 1),
    "left-posterior-superior": (-1, -1, 1),
}
SHORT_SPACES = {"ras": SPACES["right-anterior-superior"], "las": (-1, 1, 1), "lps": (-1, -1, 1)}


class NrrdReader:
    """Reads images and volumes, raw or compressed by gzip."""

    def sniff(self, start: bytes) -> bool:
        """Recognize the format by its magic number."""
        return MAGIC.match(start) is not None

    def read_header(self, path: ReadPath) -> ImageHeader:
        """Read size, type, spacing and affine."""
        return _opened(path).header()

    def read(self, path: ReadPath) -> ImageData:
        """Read an image (h, w, c) or a volume (d, h, w, c)."""
        return _opened(path).read()

    def read_mask(self, path: ReadPath) -> ImageData:
        """Read ids (h, w) or (d, h, w)."""
        return _opened(path).read_mask()


def _opened(path: ReadPath) -> VolumeFile:
    path = os.fspath(path)
    text, length = read_text(path, END)
    fields = _fields(text)
    sizes = numbers(fields.get("sizes", ""), int, "sizes")
    if [len(sizes)] != numbers(fields.get("dimension", ""), int, "dimension"):
        raise ValueError(f"it has {len(sizes)} sizes, which does not agree with its dimension")
    name = fields.get("data file", fields.get("datafile"))
    if name is not None and (name.upper().startswith("LIST") or "%" in name):
        raise ValueError("its data are several files; expected one")
    channels = _channel_axis(fields, len(sizes))
    spatial = [axis for axis in range(len(sizes)) if axis != channels]
    directions, spacing = _geometry(fields, spatial, len(sizes))
    return VolumeFile(
        data=path if name is None else data_beside(path, name),
        offset=length if name is None else _skipped(fields),
        compressed=_is_compressed(fields),
        stored=_type(fields),
        shape=tuple(sizes[axis] for axis in spatial),
        n_channels=1 if channels is None else sizes[channels],
        channels_first=channels in (None, 0),
        affine=directions,
        spacing=spacing,
    )


def _fields(text: str) -> dict[str, str]:
    lines = text.splitlines()
    if not lines or not MAGIC.match(f"{lines[0]}\n".encode("latin-1")):
        raise ValueError("it does not begin with NRRD0001 to NRRD0005")
    fields = {}
    for line in lines[1:]:
        if line.startswith("#") or ":=" in line or not line.strip():
            continue
        name, separator, value = line.partition(":")
        if not separator:
            raise ValueError("it is not an NRRD header: a line has no ':'")
        fields[name.strip().lower()] = value.strip()
    return fields


def _type(fields: dict[str, str]) -> np.dtype:
    name = fields.get("type", "").lower()
    stored = next((kind for kind, names in TYPES.items() if name in names), None)
    if stored is None:
        raise ValueError(f"its type is {name[:40]!r}; expected one of real numbers")
    endian = fields.get("endian", "little").lower()
    if endian not in ("little", "big"):
        raise ValueError(f"its endian is {endian[:40]!r}; expected little or big")
    return np.dtype(stored).newbyteorder(">" if endian == "big" else "<")


def _is_compressed(fields: dict[str, str]) -> bool:
    encoding = fields.get("encoding", "").lower()
    if encoding not in ("raw", "gzip", "gz"):
        raise ValueError(f"its encoding is {encoding[:40]!r}; expected raw or gzip")
    return encoding != "raw"


def _skipped(fields: dict[str, str]) -> int | None:
    """Return the offset of the values in a separate file; None if they are at its end."""
    if fields.get("line skip", "0") != "0":
        raise ValueError("its line skip is not supported; expected only a byte skip")
    skip = numbers(fields.get("byte skip", "0"), int, "byte skip")[0]
    if skip < -1 or (skip and _is_compressed(fields)):
        raise ValueError(f"its byte skip is {skip}; expected -1 or more, and 0 for gzip")
    return None if skip == -1 else skip


def _channel_axis(fields: dict[str, str], n_axes: int) -> int | None:
    """Find the channel axis, by its kind or by its missing direction."""
    kinds = fields.get("kinds", "").lower().split()
    directions = _vectors(fields.get("space directions", ""))
    channels = {axis for axis, vector in enumerate(directions) if vector is None}
    channels |= {axis for axis, kind in enumerate(kinds) if kind not in ("domain", "space", "???")}
    if not channels and n_axes in (2, 3):
        return None
    if len(channels) != 1 or n_axes - 1 not in (2, 3) or not channels <= {0, n_axes - 1}:
        raise ValueError(
            f"it has {n_axes} axes, of which {len(channels)} are channels; expected 2 or 3 spatial "
            "axes, and at most one channel axis before or after them"
        )
    return channels.pop()


def _geometry(
    fields: dict[str, str], spatial: list[int], n_axes: int
) -> tuple[np.ndarray | None, tuple[float, ...] | None]:
    """Return the affine, if there are three axes in a known space, and the spacing."""
    vectors = _vectors(fields.get("space directions", ""))
    if not vectors:
        return None, _spacings(fields, spatial, n_axes)
    if len(vectors) != n_axes:
        raise ValueError(f"it has {len(vectors)} space directions for {n_axes} axes")
    columns = np.array([vectors[axis] for axis in spatial], dtype=float).T
    spacing = np.linalg.norm(columns, axis=0)
    if not (np.isfinite(spacing) & (spacing > 0)).all():
        raise ValueError("its space directions are linearly dependent")
    space = fields.get("space", "").lower()
    signs = SPACES.get(space, SHORT_SPACES.get(space))
    if signs is None or columns.shape != (3, 3):
        return None, tuple(spacing.tolist())
    affine, origin = np.eye(4), _vectors(fields.get("space origin", "(0,0,0)"))
    if len(origin) != 1 or origin[0] is None or len(origin[0]) != 3:
        raise ValueError("its space origin is not a vector of 3 numbers")
    affine[:3] = np.array(signs)[:, None] * np.column_stack([columns, origin[0]])
    return affine, tuple(spacing.tolist())


def _spacings(fields: dict[str, str], spatial: list[int], n_axes: int) -> tuple[float, ...] | None:
    if "spacings" not in fields:
        return None
    words = fields["spacings"].split()
    if len(words) != n_axes:
        raise ValueError(f"it has {len(words)} spacings for {n_axes} axes")
    spacing = numbers(" ".join(words[axis] for axis in spatial), float, "spacings")
    if min(spacing) <= 0:
        raise ValueError(f"its spacings are {spacing}; expected lengths above 0")
    return tuple(spacing)


def _vectors(text: str) -> list[list[float] | None]:
    """Return the vectors of a field, such as (1,0,0) or none."""
    found = re.findall(r"\(([^()]*)\)|(none)", text.lower())
    return [
        None if none else numbers(inside.replace(",", " "), float, "a vector")
        for inside, none in found
    ]
