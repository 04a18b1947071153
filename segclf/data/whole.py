"""Values that scikit-learn must not split into folds, although they have as many rows as X."""

from dataclasses import dataclass
from typing import Any

__all__ = ["Whole", "unwrapped"]


@dataclass(frozen=True, eq=False)
class Whole:
    """An argument of `fit` that searches pass on unchanged.

    scikit-learn splits each argument of `fit` that is an array, list or the like and happens to
    have as many rows as X. This object has no length and no shape. Use it for `X_val`, `y_val`,
    `masks_val` and `labels_val` wherever folds are made.

    Parameters
    ----------
    values : object
        The wrapped value.

    Examples
    --------
    >>> from segclf.data import Whole
    >>> Whole([0, 1, 1]), hasattr(Whole([0, 1, 1]), "__len__")
    (Whole(list), False)
    """

    values: Any

    def __repr__(self) -> str:
        """Show the type of the values only: there may be many."""
        return f"Whole({type(self.values).__name__})"


def unwrapped(values: Any) -> Any:
    """Return the value of a `Whole`, and anything else unchanged."""
    return values.values if isinstance(values, Whole) else values
