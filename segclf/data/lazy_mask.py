"""Masks that are made when they are read: from colours, polygons or run lengths."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from numpy.typing import NDArray

from segclf.axes import N_SPATIAL

__all__ = ["LazyMask"]


class LazyMask(ABC):
    """One mask that is made when it is read; an item of a list of masks like any other.

    It can be pickled, and its state determines its pixels, so that caches can identify it.
    """

    @abstractmethod
    def read(self, n_spatial: int = N_SPATIAL) -> NDArray[Any]:
        """Make the mask.

        Parameters
        ----------
        n_spatial : int
            2 if the mask of an image is expected, 3 for that of a volume.

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
        """The file from whose pixels it is made; None if there is none."""
        return None

    def watched(self) -> LazyMask:
        """Return the same mask; its file, if any, must not change from now on."""
        return self
