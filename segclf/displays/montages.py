"""Slices of a volume side by side, as one image."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segclf.axes import is_multilabel

Mask = NDArray[Any] | None
FEW = 6


class Montage(NamedTuple):
    """Which slices of a volume are shown, and how they lie side by side.

    Parameters
    ----------
    numbers : array of int, shape (s,)
        The slices, from the first to the last.
    largest : int
        Which of them, counted from 0, shows the largest finding.
    depth : int
        How many slices the volume has.
    n_columns : int
        Of the grid, which is filled row by row.
    """

    numbers: NDArray[np.intp]
    largest: int
    depth: int
    n_columns: int

    @property
    def caption(self) -> str:
        """Say which slices they are, counted from 0."""
        shown = self.numbers.tolist()
        if len(shown) == 1:
            return f"slice {shown[0]}"
        if len(shown) <= FEW:
            return f"slices {', '.join(map(str, shown))}"
        return f"{len(shown)} slices, most in {shown[self.largest]}"

    @property
    def n_rows(self) -> int:
        """How many rows the grid has."""
        return -(-len(self.numbers) // self.n_columns)

    def image(self, slices: NDArray[Any]) -> NDArray[Any]:
        """Put slices (s, h, w, c) together; what of the grid is left is as dark as they get."""
        n_left = self.n_rows * self.n_columns - len(slices)
        blank = np.full((n_left, *slices.shape[1:]), slices.min())
        grid = np.concatenate([slices, blank.astype(slices.dtype)])
        grid = grid.reshape(self.n_rows, self.n_columns, *slices.shape[1:])
        rows, columns, height, width, n_channels = grid.shape
        return grid.swapaxes(1, 2).reshape(rows * height, columns * width, n_channels)

    def mask(self, mask: Mask) -> Mask:
        """Put the slices of a mask (d, h, w) or (k, d, h, w) together, as (h, w) or (k, h, w)."""
        if mask is None:
            return None
        parts = mask[..., self.numbers, :, :]
        if is_multilabel(mask, n_spatial=3):
            return np.moveaxis(self.image(np.moveaxis(parts, 0, -1)), -1, 0)
        return self.image(parts[..., None])[..., 0]


def montage(predicted: Mask, true: Mask, size: tuple[int, ...], n_slices: int) -> Montage:
    """Choose slices of a volume: the one with the largest finding, others with one, and a few more.

    Half of the others show something that was predicted or is true, as far as there is such; the
    rest is spread evenly from the first to the last.

    Parameters
    ----------
    predicted, true : array of shape (d, h, w) or (k, d, h, w), or None
    size : tuple of int
        (d, h, w) of the volume.
    n_slices : int
        How many slices are shown, at most.

    Returns
    -------
    Montage
        About as high as it is wide.

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.zeros((20, 8, 8), dtype=np.uint8)
    >>> mask[11:15, 2] = mask[13, 3] = 1
    >>> chosen = montage(mask, None, mask.shape, n_slices=6)
    >>> chosen.numbers.tolist(), chosen.numbers[chosen.largest].item(), chosen.n_columns
    ([0, 8, 11, 13, 14, 19], 13, 3)
    """
    depth, height, width = size
    areas = [_areas(mask, depth) for mask in (predicted, true)]
    shown = next((each for each in areas if each.any()), None)
    largest = depth // 2 if shown is None else int(np.argmax(shown))
    chosen = {largest, *_spread(np.flatnonzero(areas[0] + areas[1]), (n_slices - 1) // 2)}
    others = np.setdiff1d(np.arange(depth), list(chosen))
    chosen.update(_spread(others, n_slices - len(chosen)))
    numbers = np.array(sorted(chosen), dtype=np.intp)
    at = int(np.searchsorted(numbers, largest))
    return Montage(numbers, at, depth, _n_columns(len(numbers), height / width))


def _n_columns(n_slices: int, ratio: float) -> int:
    """Make the grid about as high as it is wide, and rather wide."""
    columns = np.arange(n_slices, 0, -1)
    stretch = np.abs(np.log(-(-n_slices // columns) * ratio / columns))
    return int(columns[stretch.round(6).argmin()])


def _areas(mask: Mask, depth: int) -> NDArray[np.intp]:
    """Count the voxels of findings in each slice."""
    if mask is None:
        return np.zeros(depth, dtype=np.intp)
    return np.array([(mask[..., z, :, :] > 0).sum() for z in range(depth)])


def _spread(numbers: NDArray[np.intp], most: int) -> list[int]:
    """Return so many of the numbers, evenly from the first to the last."""
    if len(numbers) <= most:
        return numbers.tolist()
    places = np.linspace(0, len(numbers) - 1, max(most, 0)).round().astype(int)
    return numbers[places].tolist()
