"""Label Studio's brush masks: the pixels of a picture, packed bit by bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.datasets.drawn_masks import Patch, Shape

__all__ = ["BrushRuns", "as_brush"]

_N_CHANNELS = 4  # red, green, blue, alpha
_WORD = 8
_HEAD = 32 + 5 + 4 * 4
# Painted pixels have an alpha of 255; partly transparent pixels count as painted, too.
_HALF = 128


@dataclass(frozen=True, eq=False)
class BrushRuns(Shape):
    """A picture of 8-bit red, green, blue and alpha, whose alpha channel is the mask.

    The bits are packed with the highest bit of each byte first. The header has the number of
    values (32 bits), the bits per value minus 1 (5 bits), and four possible bit widths of lengths,
    each minus 1 (4 times 4 bits). Blocks follow until all values are read: one bit, which is 1 for
    a run; 2 bits that choose a width; the length minus 1 in that width; and the single value of
    the run, or all values of the block.

    Parameters
    ----------
    packed : bytes
    size : (int, int)
        Height and width.
    where : str
        Description of the source, for error messages.
    """

    packed: bytes
    size: tuple[int, int]
    where: str

    def patches(self, size: tuple[int, int]) -> list[Patch]:
        """Unpack the mask."""
        values = self._unpacked().reshape(*self.size, _N_CHANNELS)
        return [(0, 0, values[..., -1] >= _HALF)]

    def _unpacked(self) -> NDArray[np.uint8]:
        n_values = self.size[0] * self.size[1] * _N_CHANNELS
        values = np.empty(n_values, dtype=np.uint8)
        lengths = [self._read(37 + 4 * which, 4) + 1 for which in range(4)]
        at, done = _HEAD, 0
        while done < n_values:
            n_bits = lengths[self._read(at + 1, 2)]
            is_run, until = self._read(at, 1), done + 1 + self._read(at + 3, n_bits)
            at += 3 + n_bits
            if until > n_values:
                raise self._error(f"it holds more than {n_values:,} values")
            if is_run:
                values[done:until] = self._read(at, _WORD)
                at += _WORD
            else:
                values[done:until] = self._words(at, until - done)
                at += _WORD * (until - done)
            done = until
        return values

    def _read(self, at: int, n_bits: int) -> int:
        first, last = at // 8, (at + n_bits + 7) // 8
        if last > len(self.packed):
            raise self._error("it ends in the middle")
        bits = int.from_bytes(self.packed[first:last], "big") >> (8 * last - at - n_bits)
        return bits & ((1 << n_bits) - 1)

    def _words(self, at: int, n_words: int) -> NDArray[np.uint8]:
        first, last = at // 8, (at + _WORD * n_words + 7) // 8
        if last > len(self.packed):
            raise self._error("it ends in the middle")
        packed = np.frombuffer(self.packed[first:last], dtype=np.uint8)
        shift = np.uint8(at % 8)
        if shift == 0:
            return packed
        return (packed[:-1] << shift) | (packed[1:] >> (np.uint8(8) - shift))

    def _error(self, reason: str) -> ValueError:
        return ValueError(f"{self.where}: its brush mask is damaged: {reason}.")


def as_brush(values: Any, size: tuple[int, int], where: str) -> BrushRuns:
    """Check the header of a brush mask without unpacking it.

    Parameters
    ----------
    values : list of int
        Bytes as integers.
    size : (int, int)
        Height and width of the image.
    where : str
        Description of the source, for error messages.

    Raises
    ------
    ValueError
        If the values are not bytes, or the picture has another size or values not of 8 bits.
    """
    try:
        packed = bytes(values) if isinstance(values, list) else b""
    except (TypeError, ValueError):
        packed = b""
    if not packed:
        raise ValueError(f"{where}: its rle is {values!r:.80}; expected a list of bytes.")
    brush = BrushRuns(packed, size, where)
    n_values, expected = brush._read(0, 32), size[0] * size[1] * _N_CHANNELS
    if n_values != expected or brush._read(32, 5) + 1 != _WORD:
        raise ValueError(
            f"{where}: its brush mask has {n_values:,} values of {brush._read(32, 5) + 1} bits; "
            f"expected {expected:,} of {_WORD}, for {size[0]} x {size[1]} pixels."
        )
    brush._read(37, 16)
    return brush
