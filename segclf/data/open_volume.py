"""A volume to read parts of, on its own grid or on another one."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.data.arrays import is_mapped, native, require_finite, to_float
from segclf.data.regridding import regridded_part
from segclf.data.resize import Size

__all__ = ["OpenVolume"]


class OpenVolume:
    """A volume in memory, in a mapped file, or decoded from a file.

    Parameters
    ----------
    array : array of shape (d, h, w, c)
        Not copied.
    size : (int, int, int) or None
        Size of the grid for the parts; None is the volume's own.
    name : str or None
        Name of the volume, if its values are still to be checked: in files.

    Attributes
    ----------
    own_size, size : (int, int, int)
        Size of the volume, and of the grid.
    nbytes : int
        Memory that belongs to it alone, in bytes.
    """

    def __init__(
        self, array: NDArray[Any], size: Size | None = None, name: str | None = None
    ) -> None:
        self.own_size: Size = array.shape[:3]
        self.size: Size = self.own_size if size is None else tuple(size)
        self._array, self._name = array, name
        self.nbytes = 0 if name is None or is_mapped(array) else array.nbytes

    def part(self, corner: Sequence[int], size: Sequence[int]) -> NDArray[np.float32]:
        """Return a part (d, h, w, c) from its first voxel on, reading only what it needs.

        Raises
        ------
        ValueError
            If it is not finite; the message has the volume's name.
        """
        return regridded_part(self._read, self.own_size, self.size, corner, size)

    def every(self, step: int) -> NDArray[np.float32]:
        """Return every `step`-th slice, row and column of the volume, on its own grid."""
        return to_float(native(self._array[::step, ::step, ::step]))

    def _read(self, corner: tuple[int, ...], size: tuple[int, ...]) -> NDArray[Any]:
        places = tuple(slice(s, s + n) for s, n in zip(corner, size, strict=True))
        values = native(self._array[places])
        if self._name is not None:
            require_finite(values[None], np.array([self._name]), "Image")
        return to_float(values)
