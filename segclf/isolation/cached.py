"""A property that is computed once, without a lock."""

import functools
from typing import Any, TypeVar

_Value = TypeVar("_Value")


class cached_property(functools.cached_property[_Value]):
    """``functools.cached_property`` as in Python 3.12.

    While Python 3.11 computes the property of one instance, it locks that of all instances: threads
    wait for one another, and a process that is forked meanwhile waits forever.

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
        """Return the value computed first, even if several threads compute it at once."""
        if instance is None:
            return self
        return vars(instance).setdefault(self.attrname, self.func(instance))
