"""Sliding windows over images and volumes, whose outputs are blended where they overlap.

Finished rows or slices are yielded in order, so that only as much of a large volume is in memory as
a window is deep.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from segclf.axes import N_SPATIAL
from segclf.data.loader import one_ahead
from segclf.progress import counted

OVERLAP = 0.25
# The Gaussian's deviation as a share of a window's side, as in nnU-Net; the smallest weight.
_DEVIATION, _LEAST = 0.125, 1e-3

Corner = tuple[int, ...]


class Slab(NamedTuple):
    """Finished maps (k, stop - start, ...) of the rows or slices from `start` to `stop`."""

    start: int
    stop: int
    maps: Tensor


def slide(
    read: Callable[[Sequence[Corner]], Tensor],
    predict: Callable[[Tensor], Tensor],
    size: Sequence[int],
    window: Sequence[int],
    length: int,
) -> Iterator[Slab]:
    """Yield blended maps, slab by slab from the first row or slice on.

    Parameters
    ----------
    read : callable
        From corners to windows (m, c, *window).
    predict : callable
        From windows to maps (m, k, *window).
    size : sequence of int
        Size of the whole: (h, w) or (d, h, w).
    window : sequence of int
        Size of a window, on no axis larger than the whole.
    length : int
        Number of windows predicted at once, at most.
    """
    starts = [_starts(*each) for each in zip(size, window, strict=True)]
    corners = list(product(*starts))
    groups = [corners[first : first + length] for first in range(0, len(corners), length)]
    blend: _Blend | None = None
    batches = one_ahead(lambda some: (some, read(some)), groups)
    for group, windows in counted(batches, "volume", total=len(groups), unit="batches of windows"):
        outputs = predict(windows).cpu()
        blend = _Blend(outputs, size, window) if blend is None else blend
        for corner, output in zip(group, outputs, strict=True):
            yield from blend.done(corner[0])
            blend.add(corner, output)
    assert blend is not None
    yield from blend.done(size[0])


class _Blend:
    """A weighted sum of windows, as deep as one of them."""

    def __init__(self, like: Tensor, size: Sequence[int], window: Sequence[int]) -> None:
        deep = (window[0], *size[1:])
        self._sum, self._weight = torch.zeros(like.shape[1], *deep), torch.zeros(deep)
        self._window, self._of_window = list(window), _window_weights(window)
        self._start = 0

    def add(self, corner: Corner, output: Tensor) -> None:
        """Add the maps (k, *window) of a window."""
        weighted = output * self._of_window
        first = (corner[0] - self._start, *corner[1:])
        places = tuple(slice(s, s + n) for s, n in zip(first, self._window, strict=True))
        self._sum[(slice(None), *places)] += weighted
        self._weight[places] += self._of_window

    def done(self, stop: int) -> Iterator[Slab]:
        """Yield the rows or slices that no window from `stop` on changes."""
        n_done = min(stop - self._start, self._window[0])
        if n_done <= 0:
            return
        yield Slab(self._start, self._start + n_done, self._sum[:, :n_done] / self._weight[:n_done])
        self._start += n_done
        for values, axis in ((self._sum, 1), (self._weight, 0)):
            kept = values.shape[axis] - n_done
            values.narrow(axis, 0, kept).copy_(values.narrow(axis, n_done, kept).clone())
            values.narrow(axis, kept, n_done).zero_()


def _starts(length: int, window: int) -> list[int]:
    """Evenly spread window positions that cover a length and overlap by at least a quarter."""
    n_windows = 1 + int(np.ceil((length - window) / (window * (1 - OVERLAP))))
    return [round(s) for s in np.linspace(0, length - window, n_windows)]


def _window_weights(window: Sequence[int]) -> Tensor:
    """Weigh the middle most: images by distance to the border, volumes by a Gaussian."""
    along = [_ramp(n) if len(window) == N_SPATIAL else _gaussian(n) for n in window]
    weights = torch.ones(())
    for each in along:
        weights = weights[..., None] * each
    return weights if len(window) == N_SPATIAL else weights.clamp(min=_LEAST)


def _ramp(length: int) -> Tensor:
    """Weights that rise from the border to the middle, never 0."""
    distance = torch.arange(length) + 0.5
    return torch.minimum(distance, length - distance) / length


def _gaussian(length: int) -> Tensor:
    distance = torch.arange(length) - (length - 1) / 2
    return (-0.5 * (distance / (_DEVIATION * length)) ** 2).exp()
