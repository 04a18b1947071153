"""The image size in compressed pixel data, read before a decoder allocates memory."""

import struct

__all__ = ["codestream_size"]

_J2K = b"\xff\x4f\xff\x51"
_JP2 = b"\0\0\0\x0cjP  "
# Frame markers of JPEG and JPEG-LS, without tables (C4), extension (C8) and arithmetic coding (CC).
_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_ALONE = {0x01, *range(0xD0, 0xD9)}


def codestream_size(data: bytes) -> tuple[int, int] | None:
    """Return (rows, columns) of a JPEG, JPEG-LS or JPEG 2000 stream; None if not found."""
    if data.startswith(_JP2):
        data = data[max(data.find(_J2K, 0, 2**16), 0) :]
    if data.startswith(_J2K) and len(data) >= 24:
        right, bottom, left, top = struct.unpack(">4I", data[8:24])
        return bottom - top, right - left
    return _jpeg_size(data) if data.startswith(b"\xff\xd8") else None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    place = 2
    while place + 9 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker in _FRAMES:
            rows, columns = struct.unpack(">2H", data[place + 5 : place + 9])
            return rows, columns
        if marker == 0xFF:
            place += 1
        else:
            place += (
                2 if marker in _ALONE else 2 + int.from_bytes(data[place + 2 : place + 4], "big")
            )
    return None
