"""Find incomplete files that end properly, which decoders silently fill up.

The checks look at bytes only, and raise a ValueError.
"""

import re
import zlib
from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

__all__ = ["check_png", "check_tiff", "without_end"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Samples per pixel by colour type.
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# Adam7: first row and column of each pass, and its steps.
_PASSES = (
    *((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4)),
    *((2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)),
)
_ONCE = ((0, 0, 1, 1),)
# A JPEG marker that is neither a restart nor a stuffed byte.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_START_OF_SCAN, _END = b"\xff\xda", b"\xff\xd9"
# A decoder that has all it needs looks no further ahead than this.
_AHEAD = b"\x00" * 8


def check_png(data: bytes) -> None:
    """Check the checksum of every chunk of a PNG file, and that all its rows are there.

    Raises
    ------
    ValueError
        If the file is damaged or incomplete.
    """
    header, expected, found = b"", 0, 0
    inflate = zlib.decompressobj()
    for kind, content in _chunks(data):
        if kind == b"IHDR":
            header, expected = content, _n_bytes(content)
        elif kind == b"IDAT" and found < expected:
            found += _n_inflated(inflate, content, expected - found)
    if not header:
        raise ValueError("it is damaged: it has no header")
    if found < expected:
        raise ValueError(f"it is truncated: {found} of {expected} bytes of pixels are there")


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(_SIGNATURE)
    while place + 12 <= len(data):
        stop = place + 8 + int.from_bytes(data[place : place + 4], "big")
        kind, content = data[place + 4 : place + 8], data[place + 8 : stop]
        if int.from_bytes(data[stop : stop + 4], "big") != zlib.crc32(content, zlib.crc32(kind)):
            raise ValueError(f"it is damaged: the checksum of a chunk {kind!r} is wrong")
        yield kind, content
        if kind == b"IEND":
            return
        place = stop + 4
    raise ValueError("it is truncated: its end is missing")


def _n_inflated(inflate: "zlib._Decompress", content: bytes, wanted: int) -> int:
    """Return how many of the wanted bytes a chunk decompresses to; they are not kept."""
    try:
        return len(inflate.decompress(content, wanted))
    except zlib.error as error:
        raise ValueError(f"it is damaged: {error}") from error


def _n_bytes(header: bytes) -> int:
    """Return the length of all rows, each with the byte that names its filter."""
    width, height = (int.from_bytes(header[i : i + 4], "big") for i in (0, 4))
    bits = header[8] * _SAMPLES.get(header[9], 1)
    n_bytes = 0
    for top, left, rows, columns in _PASSES if header[12] else _ONCE:
        n_rows, n_columns = ceil(max(0, height - top) / rows), ceil(max(0, width - left) / columns)
        n_bytes += n_rows * (1 + ceil(n_columns * bits / 8)) if n_columns else 0
    return n_bytes


def without_end(data: bytes) -> bytes:
    """Return a JPEG file without its end marker, so that no decoder can fill it up.

    A decoder that meets the end marker too early makes up the rest. Without the marker it asks for
    more data, and Pillow reports a truncated file. Files with several scans (progressive ones), and
    files without an end marker, are not changed.
    """
    start = data.find(_START_OF_SCAN)
    end = _MARKER.search(data, start + 2 + int.from_bytes(data[start + 2 : start + 4], "big"))
    if start < 0 or end is None or end[0] != _END:
        return data
    return data[: end.start()] + _AHEAD


def check_tiff(tags: Mapping[int, Any]) -> None:
    """Check that a TIFF lists all the strips or tiles that its size requires.

    Raises
    ------
    ValueError
        If it does not; decoders would leave the missing ones black.
    """
    height, width = int(tags[257]), int(tags[256])
    planes = int(tags.get(277, 1)) if tags.get(284) == 2 else 1
    if 324 in tags:
        wanted = ceil(height / int(tags[323])) * ceil(width / int(tags[322]))
    else:
        wanted = ceil(height / max(1, min(height, int(tags.get(278, height)))))
    offsets = tags.get(324, tags.get(273, ()))
    given = len(offsets) if isinstance(offsets, tuple) else 1
    if given < wanted * planes:
        raise ValueError(f"it is truncated: {given} of {wanted * planes} strips or tiles are there")
