"""Several files make one image: ``"case_{0000,0001}.nii.gz"`` is the channels of each, in order."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.hookspecs import ImageData, ImageHeader, Reader, ReadPath

__all__ = ["ChannelReader", "channel_files", "join_channel_files"]

_BRACES = re.compile(r"([^{}]*)\{([^{},]+(?:,[^{},]+)+)\}([^{}]*)", re.DOTALL)
# A fraction of a pixel; nnU-Net's own limits are as wide.
_TOLERANCE = 1e-3


def channel_files(name: str) -> list[str] | None:
    """List the files that a name with braces stands for, unless a file has that very name.

    Parameters
    ----------
    name : str

    Returns
    -------
    list of str, or None
        None for any other name.

    Examples
    --------
    >>> channel_files("case_{0000,0001}.png")
    ['case_0000.png', 'case_0001.png']
    """
    found = _BRACES.fullmatch(name) if "{" in name else None
    if found is None or os.path.exists(name):
        return None
    return [f"{found[1]}{part}{found[3]}" for part in found[2].split(",")]


def join_channel_files(paths: Sequence[str]) -> str:
    """Name one image of several files; the inverse of `channel_files`.

    Parameters
    ----------
    paths : sequence of str
        One for each channel, or a single one.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If a name contains braces or commas, or occurs twice.

    Examples
    --------
    >>> join_channel_files(["case_0000.png", "case_0001.png"])
    'case_{0000,0001}.png'
    """
    if len(paths) == 1:
        return paths[0]
    start = _boundary(paths[0][: _n_common(paths)])
    tails = [path[len(start) :] for path in paths]
    n_end = _n_common([tail[::-1] for tail in tails])
    end = _boundary(tails[0][: len(tails[0]) - n_end - 1 : -1])[::-1] if n_end else ""
    parts = [tail[: len(tail) - len(end)] for tail in tails]
    name = f"{start}{{{','.join(parts)}}}{end}"
    found = _BRACES.fullmatch(name)
    if found is None or found[2].split(",") != parts or len(set(parts)) < len(parts):
        raise ValueError(
            f"{', '.join(map(repr, paths))} cannot be the channels of one image: a name contains "
            "braces or commas, or occurs twice. Rename them."
        )
    return name


def _n_common(texts: Sequence[str]) -> int:
    columns = enumerate(zip(*texts, strict=False))
    shortest = min(map(len, texts))
    return next((n for n, letters in columns if len(set(letters)) > 1), shortest)


def _boundary(text: str) -> str:
    """Cut off the letters and digits at the end: they belong to the part that differs."""
    return re.sub(r"[^\W_]+$", "", text)


class ChannelReader:
    """Reads several files as one image that has the channels of each, in their order.

    Parameters
    ----------
    reader : Reader
        Reads each file.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def sniff(self, start: bytes) -> bool:
        """Ask the reader of each file."""
        return self._reader.sniff(start)

    def read_header(self, path: ReadPath) -> ImageHeader:
        """Read all headers, which must agree in size and position."""
        files = _files(path)
        headers = [self._reader.read_header(each) for each in files]
        for name, header in zip(files, headers, strict=True):
            _require_same(header, headers[0], name, files[0])
        return headers[0]._replace(
            n_channels=sum(header.n_channels for header in headers),
            dtype=np.result_type(*(header.dtype for header in headers)),
        )

    def read(self, path: ReadPath) -> ImageData:
        """Read an image (h, w, c) or a volume (d, h, w, c)."""
        self.read_header(path)
        return _joined([self._reader.read(each) for each in _files(path)])

    def read_mask(self, path: ReadPath) -> ImageData:
        """Refuse: a mask is one file."""
        raise ValueError("several files are channels of an image; a mask is one file")

    def read_slice(self, path: ReadPath, z: int, *, mask: bool) -> ImageData:
        """Read one slice of each."""
        if mask:
            self.read_mask(path)
        self.read_header(path)
        return _joined([self._slice(each, z) for each in _files(path)])

    def _slice(self, path: Any, z: int) -> ImageData:
        read_slice = getattr(self._reader, "read_slice", None)
        if read_slice is not None:
            return read_slice(path, z, mask=False)
        return ImageData(self._reader.read(path).array[z], "hwc")


def _files(path: ReadPath) -> list[str]:
    return path if isinstance(path, list) else [os.fspath(path)]


def _joined(parts: list[ImageData]) -> ImageData:
    arrays: list[NDArray[Any]] = [part.array for part in parts]
    return parts[0]._replace(array=np.concatenate(arrays, axis=-1))


def _require_same(header: ImageHeader, first: ImageHeader, name: str, first_name: str) -> None:
    sizes = [(each.depth, each.height, each.width) for each in (header, first)]
    if sizes[0] != sizes[1]:
        given, expected = (" x ".join(str(n) for n in size if n is not None) for size in sizes)
        raise ValueError(
            f"its channels differ in size: {name!r} has {given} pixels, {first_name!r} {expected}"
        )
    if header.affine is None or first.affine is None:
        return
    corner = np.array([*(n or 1 for n in sizes[0]), 1.0])
    apart = np.abs((header.affine - first.affine) @ np.diag(corner)).sum(axis=1).max()
    if apart > _TOLERANCE * np.linalg.norm(first.affine[:3, 1]):
        raise ValueError(f"its channels are {apart:.3g} mm apart: {name!r} and {first_name!r}")
