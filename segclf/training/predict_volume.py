"""Prediction of one volume in windows, slab by slab."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from segclf.data.open_volume import OpenVolume
from segclf.data.regridding import regridded_part
from segclf.data.resize import Size
from segclf.training.windows import Slab, slide

# Number of slices that are resized to the volume's own grid at once.
_SLICES = 16

Reduce = Callable[[Tensor], Tensor]


def predict_volume(
    volume: OpenVolume,
    predict: Callable[[Tensor], Tensor],
    window: Size,
    length: int,
    reduce: Reduce | None = None,
) -> Tensor:
    """Return the prediction for a volume, on its own grid.

    Parameters
    ----------
    volume : OpenVolume
        Read window by window.
    predict : callable
        From windows (m, c, d, h, w) to maps (m, k, d, h, w).
    window : (int, int, int)
        Size of a window, at most.
    length : int
        Number of windows predicted at once.
    reduce : callable, optional
        Function of maps (1, k, d, h, w), a few slices at a time, for example to masks, which are
        much smaller.

    Returns
    -------
    Tensor of shape (1, k, d, h, w), or what `reduce` makes of it
    """

    window = tuple(map(min, volume.size, window))

    def read(corners: Sequence[tuple[int, ...]]) -> Tensor:
        windows = np.stack([volume.part(corner, window) for corner in corners])
        return torch.from_numpy(windows).movedim(-1, 1)

    slabs = slide(read, predict, volume.size, window, length)
    if volume.size != volume.own_size:
        slabs = _on_own_grid(_joined(slabs, volume.size)[0], volume)
    if reduce is not None:
        slabs = (Slab(each.start, each.stop, reduce(each.maps[None])[0]) for each in slabs)
    return _joined(slabs, volume.own_size)


def _on_own_grid(maps: Tensor, volume: OpenVolume) -> Iterator[Slab]:
    values = maps.movedim(0, -1).numpy()
    depth, *plane = volume.own_size
    for start in range(0, depth, _SLICES):
        part = (min(_SLICES, depth - start), *plane)

        def read(corner: tuple[int, ...], size: tuple[int, ...]) -> NDArray[np.float32]:
            return values[tuple(slice(s, s + n) for s, n in zip(corner, size, strict=True))]

        slab = regridded_part(read, volume.size, volume.own_size, (start, 0, 0), part)
        yield Slab(start, start + part[0], torch.from_numpy(slab).movedim(-1, 0))


def _joined(slabs: Iterator[Slab], size: Size) -> Tensor:
    """Put maps (k, n, h, w) or masks (n, h, w) of slabs together to (1, ..., d, h, w)."""
    whole = None
    for start, stop, maps in slabs:
        if whole is None:
            lead = maps.shape[: -len(size)]
            whole = torch.empty((1, *lead, *size), dtype=maps.dtype)
        whole[0, ..., start:stop, :, :] = maps
    assert whole is not None
    return whole
