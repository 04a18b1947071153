"""Test-time flips: the mean prediction over orientations of an image, each turned back."""

from collections.abc import Callable
from functools import reduce

import torch
from torch import Tensor

from segclf.axes import are_maps
from segclf.data.memory_order import channels_last

_BOTH = ((), (-1,), (-2,), (-2, -1))
# Axes to flip for each orientation. Quarter turns are these, without and after a transposition.
FLIPS: dict[str, tuple[tuple[int, ...], ...]] = {
    "horizontal": ((), (-1,)),
    "vertical": ((), (-2,)),
    "both": _BOTH,
    "quarter_turns": _BOTH,
}


def mean_over_flips(
    predict: Callable[[Tensor], Tensor], images: Tensor, flips: str | None
) -> Tensor:
    """Return the mean prediction for images over several orientations.

    Parameters
    ----------
    predict : callable
        From images (n, c, h, w) to maps (n, k, h, w), which are turned back, or to (n, k).
    images : Tensor of shape (n, c, h, w)
        The images; of volumes (n, c, d, h, w) each slice is flipped.
    flips : {"horizontal", "vertical", "both", "quarter_turns"} or None
        Orientations besides the image's own: mirrored left and right; top and bottom; both of these
        and turned by 180 degrees; or, with quarter turns, all eight (four if images are not
        square). None uses the image's own orientation only.

    Returns
    -------
    Tensor of shape (n, k, h, w) or (n, k)
        For a flipped image it is the flipped result.

    Examples
    --------
    >>> image = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
    >>> mean_over_flips(lambda x: x * torch.tensor([1.0, 0.0]), image, "horizontal").tolist()
    [[[[0.0, 0.5], [1.0, 1.5]]]]
    """
    if flips is None:
        return predict(images)
    turns = flips == "quarter_turns" and images.shape[-2] == images.shape[-1]
    ways = [(turned, axes) for turned in (False, True)[: 1 + turns] for axes in FLIPS[flips]]
    outputs = (_back(predict(_laid(images, *way)), *way) for way in ways)
    return reduce(torch.add, outputs) / len(ways)


def _laid(images: Tensor, turned: bool, axes: tuple[int, ...]) -> Tensor:
    laid = images.transpose(-2, -1) if turned else images
    return channels_last(laid.flip(axes))


def _back(output: Tensor, turned: bool, axes: tuple[int, ...]) -> Tensor:
    if not are_maps(output):
        return output
    output = output.flip(axes)
    return output.transpose(-2, -1) if turned else output
