"""TensorFlow's "same" padding as constants, while a network is traced."""

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch.fx.experimental.symbolic_shapes import statically_known_true

from segclf.isolation import Shared


def _constant_paddings() -> Callable[[], None]:
    """Replace timm's formula where a stride divides the traced size; return what undoes it.

    Networks pad images to whole strides first, so that this holds in each of their layers. Tracing
    the formula itself, in every layer a function of that of the layer before, takes minutes.
    """
    padding: Any = sys.modules.get("timm.layers.padding")
    if padding is None:
        return lambda: None
    of_any_size = padding.get_same_padding

    def get_same_padding(size: Any, kernel_size: int, stride: int, dilation: int) -> Any:
        if isinstance(size, torch.SymInt) and statically_known_true(size % stride == 0):
            return max((kernel_size - 1) * dilation + 1 - stride, 0)
        return of_any_size(size, kernel_size, stride, dilation)

    def undo() -> None:
        padding.get_same_padding = of_any_size

    padding.get_same_padding = get_same_padding
    return undo


constant_paddings = Shared(_constant_paddings)
