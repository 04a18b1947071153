"""Rows of a map-style Dataset, which stay lazy."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["DatasetRows"]


class DatasetRows:
    """Rows of a Dataset in a given order, which scikit-learn can split without loading any item.

    Parameters
    ----------
    dataset : object
        It has a length, and items from 0.
    rows : array of shape (n,), optional
        Row indices; all by default.

    Attributes
    ----------
    shape : tuple of int
        (n,).

    Examples
    --------
    >>> rows = DatasetRows(range(10, 20))
    >>> part = rows[np.array([3, 1])]
    >>> part.shape, part[0]
    ((2,), 13)
    """

    def __init__(self, dataset: Any, rows: Any = None) -> None:
        self._dataset = dataset
        self._rows = np.arange(len(dataset)) if rows is None else rows
        self.shape = (len(self._rows),)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        """Return one item; or, for a slice, a list or an array, those rows."""
        if isinstance(index, tuple) and len(index) == 2 and index[1] is Ellipsis:
            index = index[0]
        rows = self._rows[index]
        return self._dataset[int(rows)] if np.ndim(rows) == 0 else DatasetRows(self._dataset, rows)
