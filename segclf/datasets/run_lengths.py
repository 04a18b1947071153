"""Masks as COCO run lengths: plain numbers, or a compressed text."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["check_runs", "decode_text", "encode_text", "mask_of_runs", "runs_of_mask"]

# This number of 5-bit letters is enough for the pixels of any image.
_MOST_LETTERS = 7


def check_runs(counts: Any, n_pixels: int, where: str) -> NDArray[np.int64]:
    """Return the run lengths as an array, after checking their sum.

    Parameters
    ----------
    counts : list of int, or array
        Numbers of pixels of 0, 1, 0 and so on.
    n_pixels : int
        Number of pixels of the mask.
    where : str
        Description of the source, for the error message.

    Raises
    ------
    ValueError
        If a length is not a whole number of at least 0, or the sum is not `n_pixels`.
    """
    try:
        given = np.asarray(counts)
    except (ValueError, OverflowError):
        given = np.asarray(None)
    if len(given.shape) != 1 or given.dtype.kind not in "iu" or (given < 0).any():
        raise ValueError(f"{where}: run lengths are {counts!r:.80}; expected whole numbers from 0.")
    # A length above n_pixels is an error by itself; the sum with it could overflow.
    total = n_pixels + 1 if (given > n_pixels).any() else int(given.sum(dtype=np.int64))
    if total != n_pixels:
        more = "more than " * (total > n_pixels and bool((given > n_pixels).any()))
        raise ValueError(
            f"{where}: its runs have {more}{total - bool(more):,} pixels; expected {n_pixels:,}."
        )
    return given.astype(np.int64)


def decode_text(text: str, where: str) -> NDArray[np.int64]:
    """Return the run lengths in a compressed COCO text.

    The code of a letter minus 48 has 5 bits of a number, the lowest letter first. Bit 32 means
    that more letters follow; bit 16 of the last letter means a negative number. From the fourth
    number on, each is the difference from the number two before.

    Raises
    ------
    ValueError
        For invalid letters, and for numbers that are too long or incomplete.
    """
    codes = np.frombuffer(text.encode("utf-8", "replace"), dtype=np.uint8).astype(np.int64) - 48
    last = np.flatnonzero(codes < 32)
    broken = len(codes) and (codes.min() < 0 or codes.max() > 63 or codes[-1] >= 32)
    starts = np.concatenate([[0], last[:-1] + 1])[: len(last)]
    n_letters = last - starts + 1
    if broken or (n_letters > _MOST_LETTERS).any():
        raise ValueError(f"{where}: {text!r:.80} is not a text of run lengths.")
    if len(codes) == 0:
        return np.zeros(0, dtype=np.int64)
    places = np.arange(len(codes)) - np.repeat(starts, n_letters)
    numbers = np.add.reduceat((codes & 31) << (5 * places), starts)
    numbers -= np.where(codes[last] & 16, np.int64(1) << (5 * n_letters), 0)
    for first in (1, 2):
        numbers[first::2] = np.cumsum(numbers[first::2])
    return numbers


def encode_text(counts: NDArray[np.integer[Any]]) -> str:
    """Return run lengths as a compressed COCO text; the inverse of `decode_text`."""
    numbers = np.asarray(counts, dtype=np.int64).copy()
    numbers[3:] -= np.asarray(counts, dtype=np.int64)[1:-2]
    letters = []
    for number in numbers.tolist():
        more = True
        while more:
            bits = number & 31
            number >>= 5
            more = number != (-1 if bits & 16 else 0)
            letters.append(bits + (32 if more else 0) + 48)
    return bytes(letters).decode("ascii")


def mask_of_runs(
    counts: NDArray[np.int64], size: tuple[int, int], *, by_columns: bool
) -> NDArray[np.bool_]:
    """Return the mask (h, w) of run lengths from `check_runs`.

    Parameters
    ----------
    counts : array of shape (n,)
        Run lengths of 0, 1, 0 and so on.
    size : (int, int)
        Height and width.
    by_columns : bool
        True if runs go down the columns, as in COCO; False if along the rows.
    """
    values = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return values.reshape(size, order="F" if by_columns else "C")


def runs_of_mask(
    patch: NDArray[np.bool_], size: tuple[int, int] | None = None, top: int = 0, left: int = 0
) -> NDArray[np.int64]:
    """Return run lengths down the columns, starting with a run of 0.

    Parameters
    ----------
    patch : array of bool, shape (m, n)
        The mask, or the part of it that contains all pixels of 1.
    size : (int, int), optional
        Size of the mask; by default that of the patch.
    top, left : int
        Position of the patch in the mask.

    Returns
    -------
    array of int
    """
    height, width = patch.shape if size is None else size
    steps = np.diff(np.pad(patch.T.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    starts, ends = (
        (left + columns) * height + top + rows
        for columns, rows in (np.nonzero(steps == step) for step in (1, -1))
    )
    apart = starts[1:] != ends[:-1]  # a run that continues in the next column is one run
    starts = starts[np.concatenate([[True], apart])[: len(starts)]]
    ends = ends[np.concatenate([apart, [True]])[: len(ends)]]
    places = np.concatenate([[0], np.c_[starts, ends].ravel(), [height * width]])
    counts = np.diff(places)
    return counts if counts[-1] or len(counts) == 1 else counts[:-1]
