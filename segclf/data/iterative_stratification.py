"""Divide groups of multi-label samples so that each part has its share of every label.

Sechidis, Tsoumakas and Vlahavas, "On the stratification of multi-label data", ECML PKDD 2011,
algorithm 1, with groups in place of samples; it is the same if each sample is a group.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.data.labels import in_order_of_appearance

Indices = NDArray[np.intp]


def deal(
    counts: NDArray[np.int64],
    sizes: NDArray[np.int64],
    shares: NDArray[np.float64],
    random: np.random.RandomState | None = None,
) -> Indices:
    """Assign units to parts, those of the rarest label first.

    A unit goes to the part that lacks most samples of that label. Ties go to the part that lacks
    most samples of any label, then to a random one.

    Parameters
    ----------
    counts : array of shape (u, k), int
        Number of samples of each label in a unit.
    sizes : array of shape (u,), int
        Number of samples in a unit.
    shares : array of shape (p,)
        Share of all samples that each part should have; the sum is 1.
    random : RandomState, optional
        Breaks ties; without it the first part wins.

    Returns
    -------
    array of shape (u,)
        The part of each unit.

    Examples
    --------
    >>> labels = np.array([[1, 0], [1, 0], [1, 1], [1, 1]])
    >>> deal(labels, np.ones(4, int), np.array([0.5, 0.5])).tolist()
    [0, 1, 0, 1]
    """
    lacking = Lacking(counts, sizes, shares, random)
    parts = np.full(len(counts), -1, dtype=np.intp)
    left = counts.sum(axis=0)
    while left.any():
        label = int(np.where(left > 0, left, np.inf).argmin())
        for unit in np.flatnonzero((parts < 0) & (counts[:, label] > 0)).tolist():
            parts[unit] = lacking.give(unit, label)
            left = left - counts[unit]
    for unit in np.flatnonzero(parts < 0).tolist():
        parts[unit] = lacking.give(unit)
    return parts


class Lacking:
    """The number of samples that each part lacks, of each label and of all.

    Parameters
    ----------
    counts, sizes, shares, random
        See `deal`.
    """

    def __init__(
        self,
        counts: NDArray[np.int64],
        sizes: NDArray[np.int64],
        shares: NDArray[np.float64],
        random: np.random.RandomState | None,
    ) -> None:
        self._counts = np.column_stack([counts, sizes])  # the last column counts all samples
        self._wanted = np.outer(shares, self._counts.sum(axis=0))
        self._given = np.zeros(self._wanted.shape, dtype=np.int64)
        self._random = random

    def give(self, unit: int, label: int = -1) -> int:
        """Assign a unit to the part that lacks most of a label, by default of all; return it."""
        lacking = self._wanted - self._given
        ties = np.flatnonzero(lacking[:, label] == lacking[:, label].max())
        ties = ties[lacking[ties, -1] == lacking[ties, -1].max()]
        part = int(ties[0] if self._random is None else self._random.choice(ties))
        self._given[part] += self._counts[unit]
        return part


def units_of(
    indicator: NDArray[Any], groups: NDArray[Any] | None
) -> tuple[Indices, NDArray[np.int64], NDArray[np.int64]]:
    """Return the unit of each sample, and counts and sizes of the units, as `deal` takes them.

    Parameters
    ----------
    indicator : array of shape (n, k), bool
        Which labels each sample has.
    groups : array of shape (n,) or None
        Samples of one group are a unit; if None, each sample is one. Units are in order of
        appearance.
    """
    n_samples = len(indicator)
    if groups is None:
        return np.arange(n_samples), indicator.astype(np.int64), np.ones(n_samples, np.int64)
    units = in_order_of_appearance(groups)
    counts = np.zeros((units.max() + 1, indicator.shape[1]), dtype=np.int64)
    np.add.at(counts, units, indicator)
    return units, counts, np.bincount(units)


def shuffled(n_units: int, random: np.random.RandomState | None) -> Indices:
    """Return units in random order, or unchanged without a generator."""
    return np.arange(n_units) if random is None else random.permutation(n_units)
