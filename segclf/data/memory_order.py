"""The memory order in which convolutions are fastest: channels last."""

import torch
from torch import Tensor

__all__ = ["channels_last", "is_channels_last"]

_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


def channels_last(images: Tensor) -> Tensor:
    """Return images (n, c, h, w) or volumes (n, c, d, h, w) with their channels last in memory."""
    return images.contiguous(memory_format=_FORMATS[images.ndim])


def is_channels_last(images: Tensor) -> bool:
    """Tell whether these are images or volumes, and their channels are last in memory."""
    order = _FORMATS.get(images.ndim)
    return order is not None and images.is_contiguous(memory_format=order)
