"""A tensor of a file that is not read yet."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Stored(NamedTuple):
    """One tensor of a file, not read yet."""

    shape: torch.Size
    dtype: torch.dtype
    read: Callable[[], Tensor]

    @property
    def meta(self) -> Tensor:
        """Return a tensor of that type and shape, without memory."""
        return torch.empty(self.shape, dtype=self.dtype, device="meta")

    @property
    def nbytes(self) -> int:
        """Return the memory that it takes once read, in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize


def in_memory(tensor: Tensor) -> Stored:
    """Wrap a tensor in memory as one of a file."""
    return Stored(tensor.shape, tensor.dtype, lambda: tensor)
