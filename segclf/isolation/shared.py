"""What is changed for a whole process while any of its threads is within; what a fork leaves."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

_Function = TypeVar("_Function", bound=Callable[[], None])


def in_forked_child(function: _Function) -> _Function:
    """Call a function in each process that is forked from this one, before anything else.

    Threads do not come along, so that a lock that one of them holds would never be released.
    """
    if hasattr(os, "register_at_fork"):  # Windows knows no fork
        os.register_at_fork(after_in_child=function)
    return function


class Shared:
    """A context of all threads: the first one in changes something, the last one out undoes it.

    In a forked process it is over, unless the thread that came along was within.

    Parameters
    ----------
    change : callable
        Changes it, and returns what undoes that.

    Examples
    --------
    >>> calls = []
    >>> def change():
    ...     calls.append("changed")
    ...     return lambda: calls.append("undone")
    >>> shared = Shared(change)
    >>> with shared(), shared():
    ...     calls.append("within")
    >>> calls
    ['changed', 'within', 'undone']
    """

    def __init__(self, change: Callable[[], Callable[[], Any]]) -> None:
        self._change, self._undo = change, change
        self._n_within, self._mine = 0, threading.local()
        self._lock = threading.Lock()
        in_forked_child(self._after_fork)

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Be within."""
        with self._lock:
            if not self._n_within:
                self._undo = self._change()
            self._count(1)
        try:
            yield
        finally:
            with self._lock:
                self._count(-1)
                if not self._n_within:
                    self._undo()

    def _count(self, more: int) -> None:
        self._n_within += more
        self._mine.n_within = getattr(self._mine, "n_within", 0) + more

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        mine = getattr(self._mine, "n_within", 0)
        if self._n_within and not mine:
            self._undo()
        self._n_within = mine
