"""What scikit-learn must not cut into folds, although it has as many rows as X."""

from dataclasses import dataclass
from typing import Any

__all__ = ["Whole", "unwrapped"]


@dataclass(frozen=True, eq=False)
class Whole:
    """Any argument of `fit` that searches hand on as it is.

    scikit-learn cuts each argument of `fit` that is an array, list or the like and happens to have
    as many rows as X. This has no length and no shape. `X_val`, `y_val`, `masks_val` and
    `labels_val` may be given so, and should be wherever folds are cut.

    Parameters
    ----------
    values : object
        What it holds.

    Examples
    --------
    >>> from segclf.data import Whole
    >>> Whole([0, 1, 1]), hasattr(Whole([0, 1, 1]), "__len__")
    (Whole(list), False)
    """

    values: Any

    def __repr__(self) -> str:
        """Name the kind of the values: there may be many."""
        return f"Whole({type(self.values).__name__})"


def unwrapped(values: Any) -> Any:
    """Return what a `Whole` holds, and anything else as it is."""
    return values.values if isinstance(values, Whole) else values
