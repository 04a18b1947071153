"""Read images in several threads while the caller computes, with a memory limit."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segclf.data.image_sequence import Images

__all__ = ["ReadImages", "read_ahead"]

_TASK = 4  # images that a thread reads at once
_TASKS_AHEAD = 64
_BYTES_AHEAD = 2**29
_BYTES_AT_ONCE = 2**26

# A number, and the image or its error.
_Read = tuple[int, NDArray[Any] | str]


class ReadImages(NamedTuple):
    """Some images of a block, in memory, and the errors of those that could not be read.

    Attributes
    ----------
    indices : array of shape (n,)
        Numbers of the images.
    images : Images
        The n images.
    errors : dict of int to str
        Errors of other images, by their number.
    block : int
        The number of the block.
    last : bool
        Whether the block ends with them.
    """

    indices: NDArray[np.intp]
    images: Images
    errors: dict[int, str]
    block: int
    last: bool


def read_ahead(
    images: Images, blocks: Iterable[range], *, n_threads: int = 1
) -> Iterator[ReadImages]:
    """Read blocks of images in order, ahead of the caller; damaged images do not end it.

    Up to half a GiB of images is read ahead, but at least a few images for each thread. A block of
    more than 64 MiB is returned in parts, which depend only on its images.

    Parameters
    ----------
    images : Images
        Images of any kind; files are decoded.
    blocks : iterable of range
        The numbers of the images to read.
    n_threads : int
        Number of threads that read.

    Yields
    ------
    ReadImages

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.data import as_images, read_ahead
    >>> images = as_images(np.zeros((5, 8, 8), np.uint8))
    >>> [read.indices.tolist() for read in read_ahead(images, [range(0, 3), range(3, 5)])]
    [[0, 1, 2], [3, 4]]
    """
    errors: dict[int, str] = {}
    found: list[tuple[int, NDArray[Any]]] = []
    for number, last, results in _in_order(images, blocks, n_threads):
        for index, result in results:
            if isinstance(result, str):
                errors[index] = result
            else:
                found.append((index, result))
        if last or sum(array.nbytes for _, array in found) >= _BYTES_AT_ONCE:
            indices = np.array([index for index, _ in found], dtype=np.intp)
            loaded = images.loaded(indices, [array for _, array in found])
            yield ReadImages(indices, loaded, errors, number, last)
            found, errors = [], {}


def _in_order(
    images: Images, blocks: Iterable[range], n_threads: int
) -> Iterator[tuple[int, bool, list[_Read]]]:
    """Yield the images of each task, with the number of its block, and whether the block ends."""
    pending: deque[tuple[int, bool, Future[list[_Read]]]] = deque()
    limit = n_threads + 1
    pool = ThreadPoolExecutor(n_threads)
    try:
        for number, last, rows in _tasks(blocks):
            pending.append((number, last, pool.submit(_read, images, rows)))
            while len(pending) > limit:
                done = _finished(pending)
                limit = _limit(done[2], n_threads)
                yield done
        while pending:
            yield _finished(pending)
    finally:
        pool.shutdown(cancel_futures=True)


def _tasks(blocks: Iterable[range]) -> Iterator[tuple[int, bool, range]]:
    for number, block in enumerate(blocks):
        for start in range(0, len(block), _TASK):
            yield number, start + _TASK >= len(block), block[start : start + _TASK]


def _finished(
    pending: deque[tuple[int, bool, Future[list[_Read]]]],
) -> tuple[int, bool, list[_Read]]:
    number, last, future = pending.popleft()
    return number, last, future.result()


def _limit(results: list[_Read], n_threads: int) -> int:
    """Return how many tasks may be pending, by the size of the images just read."""
    n_bytes = sum(result.nbytes for _, result in results if isinstance(result, np.ndarray))
    return max(n_threads, min(_TASKS_AHEAD, _BYTES_AHEAD // max(1, n_bytes)))


def _read(images: Images, rows: range) -> list[_Read]:
    read: list[_Read] = []
    for index in rows:
        try:
            read.append((index, images[index]))
        except (OSError, ValueError) as error:
            read.append((index, str(error)))
    return read
