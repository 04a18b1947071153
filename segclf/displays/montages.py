"""Slices of a volume side by side, as one image."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segclf.axes import is_multilabel

Mask = NDArray[Any] | None
FEW = 6


class Montage(NamedTuple):
    """The slices of a volume that are shown, and their layout side by side.

    Parameters
    ----------
    numbers : array of int, shape (s,)
        Numbers of the slices, in increasing order.
    largest : int
        Index into `numbers` of the slice with the largest finding.
    depth : int
        Number of slices in the volume.
    n_columns : int
        Number of columns of the grid, which is filled row by row.
    """

    numbers: NDArray[np.intp]
    largest: int
    depth: int
    n_columns: int

    @property
    def caption(self) -> str:
        """List the slices, counted from 0."""
        shown = self.numbers.tolist()
        if len(shown) == 1:
            return f"slice {shown[0]}"
        if len(shown) <= FEW:
            return f"slices {', '.join(map(str, shown))}"
        return f"{len(shown)} slices, most in {shown[self.largest]}"

    @property
    def n_rows(self) -> int:
        """Number of rows of the grid."""
        return -(-len(self.numbers) // self.n_columns)

    def image(self, slices: NDArray[Any]) -> NDArray[Any]:
        """Combine slices (s, h, w, c) to one image; empty cells get the darkest value."""
        n_left = self.n_rows * self.n_columns - len(slices)
        blank = np.full((n_left, *slices.shape[1:]), slices.min())
        grid = np.concatenate([slices, blank.astype(slices.dtype)])
        grid = grid.reshape(self.n_rows, self.n_columns, *slices.shape[1:])
        rows, columns, height, width, n_channels = grid.shape
        return grid.swapaxes(1, 2).reshape(rows * height, columns * width, n_channels)

    def mask(self, mask: Mask) -> Mask:
        """Combine the slices of a mask (d, h, w) or (k, d, h, w) to (h, w) or (k, h, w)."""
        if mask is None:
            return None
        parts = mask[..., self.numbers, :, :]
        if is_multilabel(mask, n_spatial=3):
            return np.moveaxis(self.image(np.moveaxis(parts, 0, -1)), -1, 0)
        return self.image(parts[..., None])[..., 0]


def montage(predicted: Mask, true: Mask, size: tuple[int, ...], n_slices: int) -> Montage:
    """Choose slices of a volume: the one with the largest finding, others with one, and a few more.

    Up to half of the others show a predicted or true finding; the rest are spread evenly from the
    first slice to the last.

    Parameters
    ----------
    predicted, true : array of shape (d, h, w) or (k, d, h, w), or None
    size : tuple of int
        (d, h, w) of the volume.
    n_slices : int
        Largest number of slices.

    Returns
    -------
    Montage
        Its grid is about square.

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
    """Choose the columns of an about square grid, rather wide than high."""
    columns = np.arange(n_slices, 0, -1)
    stretch = np.abs(np.log(-(-n_slices // columns) * ratio / columns))
    return int(columns[stretch.round(6).argmin()])


def _areas(mask: Mask, depth: int) -> NDArray[np.intp]:
    """Count the voxels of findings in each slice."""
    if mask is None:
        return np.zeros(depth, dtype=np.intp)
    return np.array([(mask[..., z, :, :] > 0).sum() for z in range(depth)])


def _spread(numbers: NDArray[np.intp], most: int) -> list[int]:
    """Return at most `most` of the numbers, spread evenly from the first to the last."""
    if len(numbers) <= most:
        return numbers.tolist()
    places = np.linspace(0, len(numbers) - 1, max(most, 0)).round().astype(int)
    return numbers[places].tolist()
