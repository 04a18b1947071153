"""Masks that are made when they are looked at: of colours, polygons, run lengths."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from numpy.typing import NDArray

from segclf.axes import N_SPATIAL

__all__ = ["LazyMask"]


class LazyMask(ABC):
    """One mask that is made when it is looked at; an item of a list of masks as any other.

    It can be pickled, and its state decides what it shows: by that caches know it again.
    """

    @abstractmethod
    def read(self, n_spatial: int = N_SPATIAL) -> NDArray[Any]:
        """Make the mask.

        Parameters
        ----------
        n_spatial : int
            2 where a mask of an image is expected, 3 for one of a volume.

        Returns
        -------
        array of shape (h, w) or (k, h, w), of volumes with d before h
            Ids, or channels of 0, 1 and -1.

        Raises
        ------
        OSError, ValueError
            If it cannot be made.
        """

    @property
    def path(self) -> str | None:
        """The file whose pixels it is made of; None where there is none."""
        return None

    def watched(self) -> LazyMask:
        """Return the same mask, whose file, if it has one, must stay as it is now."""
        return self
