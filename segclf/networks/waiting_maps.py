"""Images that are needed twice, for their mask and for features, are encoded once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor

#: Memory that maps waiting for their second use may take, 256 MB.
WAITING_BYTES = 2**28


class _Waiting:
    """Maps of batches, each released when it is used again."""

    def __init__(self) -> None:
        self._left = WAITING_BYTES
        self._batches: list[tuple[Any, Tensor, Any, int]] = []

    def maps(self, encoder: Callable[[Tensor], Any], prepared: Tensor) -> Any:
        for number, (of, images, maps, n_bytes) in enumerate(self._batches):
            if of is encoder and images.shape == prepared.shape and torch.equal(images, prepared):
                del self._batches[number]
                self._left += n_bytes
                return maps
        maps = encoder(prepared)
        n_bytes = _n_bytes(maps)
        if n_bytes <= self._left:
            self._left -= n_bytes
            self._batches.append((encoder, prepared, maps, n_bytes))
        return maps


_WAITING: ContextVar[_Waiting | None] = ContextVar("encoded_once", default=None)


@contextmanager
def encoded_once() -> Iterator[None]:
    """Make networks in this thread reuse the maps of a batch when they see it a second time.

    This holds only in inference, and the second use releases the maps. Use it around code that
    reads the same images twice in the same batches, but not around a ``yield``, after which other
    code runs.

    Examples
    --------
    >>> import torch
    >>> from segclf.networks import encoded_once, segmentation_network
    >>> network = segmentation_network(encoder="tiny", n_classes=2, in_channels=3).eval()
    >>> with torch.inference_mode(), encoded_once():  # the encoder computes once for both
    ...     scores, again = network(torch.zeros(1, 3, 16, 16)), network(torch.zeros(1, 3, 16, 16))
    >>> bool((scores == again).all())
    True
    """
    token = _WAITING.set(_Waiting())
    try:
        yield
    finally:
        _WAITING.reset(token)


def encoded(encoder: Callable[[Tensor], Any], prepared: Tensor) -> Any:
    """Return an encoder's maps of images, reused if they were computed just before."""
    waiting = _WAITING.get()
    if waiting is None or not torch.is_inference_mode_enabled():
        return encoder(prepared)
    return waiting.maps(encoder, prepared)


def _n_bytes(maps: Any) -> int:
    if isinstance(maps, Tensor):
        return maps.nbytes
    return sum(map(_n_bytes, maps)) if isinstance(maps, list | tuple) else 0
