"""What an augmentation accepts: the limits of its settings, and the shapes of a batch."""

import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor

from segclf.axes import are_maps

_PROBABILITY = (0.0, 1.0)

_LIMITS: Mapping[str, tuple[float, float]] = {
    "horizontal_flip": _PROBABILITY,
    "vertical_flip": _PROBABILITY,
    "quarter_turns": _PROBABILITY,
    "slice_flip": _PROBABILITY,
    "rotation": (0, 180),
    "translation": (0, 1),
    "shear": (0, 60),
    "brightness": (0, math.inf),
    "contrast": (0, 1),
    "saturation": (0, 1),
    "hue": (0, 180),
    "noise": (0, math.inf),
    "affine_probability": _PROBABILITY,
    "color_probability": _PROBABILITY,
    "grayscale": _PROBABILITY,
    "blur_probability": _PROBABILITY,
    "solarize": _PROBABILITY,
    "output_scale": (0.01, 1),
}
_PAIR_LIMITS: Mapping[str, tuple[float, float]] = {
    "scale": (0.1, 10),
    "crop": (0.01, 1),
    "blur": (0, 100),
}


def check_settings(augmentation: Any) -> None:
    """Raise an error unless every setting lies within its limits.

    Parameters
    ----------
    augmentation : Augmentation
        With the settings as attributes.

    Raises
    ------
    ValueError
        Names the setting, its value and what was expected.
    """
    for name, (low, high) in _LIMITS.items():
        value = getattr(augmentation, name)
        if not (_is_number(value) and low <= value <= high):
            raise ValueError(f"{name} is {value!r}; expected a number from {low:g} to {high:g}.")
    for name, (low, high) in _PAIR_LIMITS.items():
        pair = getattr(augmentation, name)
        if not (_is_pair(pair) and low <= pair[0] <= pair[1] <= high):
            raise ValueError(
                f"{name} is {pair!r}; expected a pair (low, high) with "
                f"{low:g} <= low <= high <= {high:g}."
            )
    size = augmentation.blur_reference_size
    is_whole = isinstance(size, Integral) and not isinstance(size, bool)
    if size is not None and not (is_whole and int(size) >= 1):
        raise ValueError(
            f"blur_reference_size is {size!r}; expected a whole number of pixels, at least 1, or "
            "None for blurs that do not follow the image."
        )


def check_batch(image: Tensor, mask: Tensor | None) -> None:
    """Raise an error unless image and mask have the shapes and dtypes of a batch.

    Parameters
    ----------
    image : Tensor
        Expected: (n, c, h, w), or (n, c, d, h, w) of volumes, float32.
    mask : Tensor or None
        Expected: (n, h, w) or (n, k, h, w) with the image's n, h and w, int64; likewise of volumes.

    Raises
    ------
    ValueError
        Says what was given and what was expected.
    """
    if not are_maps(image) or image.dtype != torch.float32:
        raise ValueError(
            f"image is {_described(image)}; expected (n, c, h, w) of torch.float32, or volumes "
            "(n, c, d, h, w)."
        )
    if mask is None:
        return
    n, _, *size = image.shape
    shapes = ((n, *size), (n, *mask.shape[1:2], *size))
    if tuple(mask.shape) not in shapes or mask.dtype != torch.int64:
        sides = ", ".join(map(str, size))
        raise ValueError(
            f"mask is {_described(mask)}; expected ({n}, {sides}) or ({n}, k, {sides}) of "
            f"torch.int64, as the image is {_described(image)}."
        )


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _is_pair(value: object) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2 and all(map(_is_number, value))


def _described(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} of {tensor.dtype}"
