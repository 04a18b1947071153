"""Progress of long computations, as one line on standard error.

Code that may take long counts its steps here. They are shown inside of `show_progress` only.
"""

import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Self, TextIO, TypeVar

T = TypeVar("T")

# Seconds between two lines, where one is written over the other and where they are kept.
_EVERY = {True: 0.2, False: 10.0}


@contextmanager
def show_progress(*, after: float = 2.0, file: TextIO | None = None) -> Iterator[None]:
    """Show the progress of every long computation inside of the ``with`` block.

    Training, prediction, bootstraps, comparisons and reports get a bar with their speed and the
    time left, after the names of the computations around them. A terminal and a notebook show one
    line that is updated; a log gets a line every ten seconds. Only the thread that entered the
    block is followed; workers of ``n_jobs`` show nothing.

    Parameters
    ----------
    after : float
        Seconds before a computation is shown.
    file : text file, optional
        Where to write; standard error by default.

    See Also
    --------
    sklearn.callback.ProgressBar : Shows the epochs of a fit, and the candidates of a search.

    Examples
    --------
    >>> import sys
    >>> import segclf
    >>> from sklearn.metrics import accuracy_score
    >>> with segclf.show_progress(after=0, file=sys.stdout):
    ...     interval = segclf.metrics.confidence_interval(
    ...         accuracy_score, [0, 1] * 50, [0, 1, 0, 1, 1] * 20, random_state=0
    ...     )
    [####################] bootstrap: 1,000 of 1,000 resamples, ... a second
    """
    from segclf.distributed import is_first  # which imports torch

    line = _Line(sys.stderr if file is None else file, after) if is_first() else None
    token = _LINE.set(line)
    try:
        yield
    finally:
        _LINE.reset(token)


class Task:
    """A long computation whose units are counted: a context manager.

    It is not shown inside of another task with the same unit.

    Parameters
    ----------
    name : str
        Of the computation, such as "training".
    total : int, optional
        Number of units; None if nothing is counted.
    unit : str
        Plural, such as "images".
    done : int
        Number of units that were done earlier.

    Attributes
    ----------
    n_failed : int
        Number of units that failed, of those that are done.

    Examples
    --------
    >>> from segclf.progress import Task
    >>> with Task("bootstrap", total=1000, unit="resamples") as task:
    ...     task.add(10)
    >>> task
    bootstrap: 10 of 1,000 resamples
    """

    def __init__(self, name: str, total: int | None = None, unit: str = "", done: int = 0) -> None:
        self.name, self.total, self.unit = name, total, unit
        self.n_failed, self._done, self._before = 0, done, done
        self._started = time.monotonic()
        self._line: _Line | None = None

    def add(self, n_done: int = 1, n_failed: int = 0) -> None:
        """Add finished and failed units."""
        self.reach(self._done + n_done + n_failed, self.n_failed + n_failed)

    def reach(self, n_done: int, n_failed: int = 0) -> None:
        """Set the number of units that are done."""
        self._done, self.n_failed = n_done, n_failed
        if self._line is not None:
            self._line.update()

    def __enter__(self) -> Self:
        """Begin."""
        line = _LINE.get()
        self._line = line if line is not None and line.begin(self) else None
        return self

    def __exit__(self, *_: Any) -> None:
        """End."""
        if self._line is not None:
            self._line.end(self)

    def __repr__(self) -> str:
        if self.total is None:
            return self.name
        return f"{self.name}: {self._done:,} of {self.total:,} {self.unit}"

    def bar(self) -> str:
        """Return the bar, the speed and the time left as text."""
        seconds = time.monotonic() - self._started
        if self.total is None:
            return f"{self.name}, {_clock(seconds)}"
        rate = (self._done - self._before) / max(seconds, 1e-9)
        bar = ("#" * round(20 * self._done / max(1, self.total))).ljust(20, ".")
        text = f"[{bar}] {self!r}, {rate:,.{0 if rate >= 10 else 1}f} a second"
        if self.n_failed:
            text += f", {self.n_failed:,} damaged"
        if rate and self._done < self.total:
            text += f", {_clock((self.total - self._done) / rate)} left"
        return text


def counted(
    items: Iterable[T],
    name: str,
    *,
    total: int,
    unit: str,
    size: Callable[[T], int] = lambda _: 1,
) -> Iterator[T]:
    """Yield items, and count each one when the next is requested.

    Parameters
    ----------
    items : iterable
        Such as batches.
    name : str
        Of the computation, such as "prediction".
    total : int
        Number of units of all items.
    unit : str
        Plural, such as "images".
    size : callable
        Number of units of an item; one by default.

    Yields
    ------
    object
        The items.

    Examples
    --------
    >>> from segclf.progress import counted
    >>> sum(counted([1, 2, 3], "sum", total=3, unit="numbers"))
    6
    """
    with Task(name, total, unit) as task:
        for item in items:
            yield item
            task.add(size(item))


class _Line:
    """One line for all running tasks, the outermost first."""

    def __init__(self, file: TextIO, after: float) -> None:
        self._file, self._after = file, after
        self._tasks: list[Task] = []
        self._shown, self._said = False, 0.0
        self._rewritten = file.isatty() or type(file).__module__.startswith("ipykernel.")

    def begin(self, task: Task) -> bool:
        """Add a task, unless one around it has the same unit; return whether it was added."""
        if task.unit and any(task.unit == each.unit for each in self._tasks):
            return False
        if not self._tasks:
            self._said, self._shown = task._started, False
        self._tasks.append(task)
        return True

    def update(self) -> None:
        """Show all tasks, if enough time has passed."""
        now = time.monotonic()
        waits = now - self._tasks[0]._started < self._after
        if waits or now - self._said < _EVERY[self._rewritten]:
            return
        self._said, self._shown = now, True
        *around, last = self._tasks
        self._write(" > ".join([*map(repr, around), last.bar()]), "\r" if self._rewritten else "\n")

    def end(self, task: Task) -> None:
        """Remove a task; the last line of an outermost one that took long stays."""
        self._tasks.remove(task)
        if self._tasks:
            return
        if self._shown or time.monotonic() - task._started >= self._after:
            self._write(task.bar(), "\n")

    def _write(self, text: str, end: str) -> None:
        if self._rewritten:
            width = shutil.get_terminal_size((100, 24)).columns - 1
            text = text[-width:].ljust(width)
        print(text, end=end, file=self._file, flush=True)


_LINE: ContextVar[_Line | None] = ContextVar("segclf_progress", default=None)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
