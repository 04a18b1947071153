"""PBM, PGM and PPM, plain and raw: Pillow's reader halves the bits of 16 bit colours."""

import re
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["PNMHeader", "decode_pnm", "read_pnm_header"]

_TOKEN = re.compile(rb"(?:\s|#[^\n]*\n)*(\d+)")
_LONGEST_HEADER = 4096


class PNMHeader(NamedTuple):
    """Kind ("1" to "6"), size, the value of white, and the position of the pixels."""

    kind: int
    height: int
    width: int
    white: int
    offset: int

    @property
    def n_channels(self) -> int:
        """Three for PPM."""
        return 3 if self.kind in (3, 6) else 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type for one bit, one byte or two bytes."""
        if self.kind in (1, 4):
            return np.dtype(bool)
        return np.dtype(np.uint8 if self.white < 256 else np.uint16)


def read_pnm_header(file: IO[bytes]) -> PNMHeader:
    """Read kind, size and range.

    Raises
    ------
    ValueError
        If it is damaged.
    """
    start = file.read(_LONGEST_HEADER)
    kind, numbers, place = int(start[1:2]), [], 2
    for _ in range(2 if kind in (1, 4) else 3):
        token = _TOKEN.match(start, place)
        if token is None:
            raise ValueError("its PNM header is damaged")
        numbers.append(int(token[1]))
        place = token.end()
    width, height, white = (*numbers, 1)[:3]
    if not 1 <= white <= 65535 or not start[place : place + 1].isspace():
        raise ValueError(f"its PNM header is damaged, or its white, {white}, not from 1 to 65535")
    return PNMHeader(kind, height, width, white, place + 1)


def decode_pnm(file: IO[bytes], *, shown: bool) -> NDArray[Any]:
    """Decode an open file.

    Parameters
    ----------
    file : binary file
    shown : bool
        True for display values: white is 255, or 65535 if more than 8 bits are stored, and True for
        a bit. False for the stored values, in which a set bit is black.

    Returns
    -------
    array of shape (h, w) or (h, w, 3)

    Raises
    ------
    ValueError
        If it is truncated or damaged, or holds several images.
    """
    file.seek(0)
    header = read_pnm_header(file)
    file.seek(header.offset)
    body = file.read()
    values = _plain(body, header) if header.kind < 4 else _raw(body, header)
    if header.dtype == bool:
        return ~values.astype(bool) if shown else values.astype(bool)
    if values.max(initial=0) > header.white:
        raise ValueError(f"it is damaged: a value is above its white, {header.white}")
    top = np.iinfo(header.dtype).max
    if shown and header.white != top:
        values = np.rint(values / header.white * top)
    return values.astype(header.dtype)


def _plain(body: bytes, header: PNMHeader) -> NDArray[Any]:
    shape = _shape(header)
    body = re.sub(rb"#[^\n]*", b"", body)
    if header.kind == 1:
        values = np.frombuffer(body, np.uint8)
        values = values[(values == ord("0")) | (values == ord("1"))] - ord("0")
    else:
        values = np.array(body.split(), dtype=np.int64)
    _check_length(len(values), int(np.prod(shape)), "values")
    return values.reshape(shape)


def _raw(body: bytes, header: PNMHeader) -> NDArray[Any]:
    shape = _shape(header)
    if header.kind == 4:
        n_bytes = (header.width + 7) // 8
        _check_length(len(body), header.height * n_bytes, "bytes")
        packed = np.frombuffer(body, np.uint8).reshape(header.height, n_bytes)
        return np.unpackbits(packed, axis=1)[:, : header.width]
    stored = header.dtype.newbyteorder(">")
    _check_length(len(body), int(np.prod(shape)) * stored.itemsize, "bytes")
    return np.frombuffer(body, stored).reshape(shape)


def _shape(header: PNMHeader) -> tuple[int, ...]:
    colours = (3,) if header.n_channels == 3 else ()
    return (header.height, header.width, *colours)


def _check_length(given: int, expected: int, what: str) -> None:
    if given < expected:
        raise ValueError(f"it is truncated: {given:,} of {expected:,} {what} are there")
    if given > expected:
        raise ValueError(
            f"it holds {given:,} {what}, expected {expected:,}; it may hold several images"
        )
