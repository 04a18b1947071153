"""A property that is computed once, without a lock."""

import functools
from typing import Any, TypeVar

_Value = TypeVar("_Value")


class cached_property(functools.cached_property[_Value]):
    """``functools.cached_property`` as Python 3.12 has it.

    Python 3.11 locks the property of all instances while one of them computes it: threads wait
    for one another, and a process that is forked meanwhile waits forever.

    Examples
    --------
    >>> class Squares:
    ...     @cached_property
    ...     def first(self):
    ...         return [n * n for n in range(3)]
    >>> squares = Squares()
    >>> squares.first is squares.first
    True
    """

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
        """Return what was computed first, also where several threads ask at once."""
        if instance is None:
            return self
        return vars(instance).setdefault(self.attrname, self.func(instance))
