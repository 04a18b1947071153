"""Process-wide changes that last while any thread is in a context; and hooks for forks."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

_Function = TypeVar("_Function", bound=Callable[[], None])


def in_forked_child(function: _Function) -> _Function:
    """Call a function in each process forked from this one, before anything else.

    Other threads are not forked, so a lock that one of them holds would never be released.
    """
    if hasattr(os, "register_at_fork"):  # Windows has no fork
        os.register_at_fork(after_in_child=function)
    return function


class Shared:
    """A context for all threads: the first to enter makes a change, the last to leave undoes it.

    A forked process is outside of it, unless the thread that was forked was inside.

    Parameters
    ----------
    change : callable
        Makes the change, and returns a function that undoes it.

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
        """Enter the context."""
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
