"""The number of CPU threads, set for a single Python thread."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from segclf.isolation.shared import in_forked_child

_setting = threading.Lock()
_forked = False


@in_forked_child
def _after_fork() -> None:
    """Compute with one thread from now on: OpenMP would wait for others that were not forked.

    The lock may also have been held by a thread that was not forked.
    """
    global _setting, _forked
    _setting, _forked = threading.Lock(), True
    torch.set_num_threads(1)


@contextmanager
def threads(n_threads: int) -> Iterator[None]:
    """Compute with that number of threads in this Python thread, and restore the old one after.

    In a forked process it is always one.

    Parameters
    ----------
    n_threads : int
        Number of threads.

    Examples
    --------
    >>> before = torch.get_num_threads()
    >>> with threads(3):
    ...     torch.get_num_threads()
    3
    >>> torch.get_num_threads() == before
    True
    """
    before = _set(n_threads)
    try:
        yield
    finally:
        _set(before)


def _set(n_threads: int) -> int:
    """Set the number in this thread, and return the old one.

    OpenMP has a number for each thread. Torch also stores the last number that was set, for threads
    that have not computed yet; a new thread reads that number, and restores it.
    """
    n_threads = 1 if _forked else n_threads
    with _setting:
        before = torch.get_num_threads()
        if n_threads != before:
            with _note_of_new_threads():
                torch.set_num_threads(n_threads)
    return before


@contextmanager
def _note_of_new_threads() -> Iterator[None]:
    seen, changed = threading.Event(), threading.Event()

    def look_and_put_back() -> None:
        note = torch.get_num_threads()
        seen.set()
        changed.wait()
        torch.set_num_threads(note)

    keeper = threading.Thread(target=look_and_put_back)
    keeper.start()
    seen.wait()
    try:
        yield
    finally:
        changed.set()
        keeper.join()
