"""The eight exact orientations of an image: flips and quarter turns, without interpolation.

For volumes also the flip of slices.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Orientation(NamedTuple):
    """One of the eight orientations of a square: first transposed, then flipped; each (n,) bool."""

    transpose: Tensor
    flip_x: Tensor
    flip_y: Tensor


def orientation(flip_x: Tensor, flip_y: Tensor, turns: Tensor) -> Orientation:
    """Combine flips, and quarter turns after them, into one orientation.

    Parameters
    ----------
    flip_x, flip_y : Tensor of shape (n,), bool
        Mirror left and right, top and bottom.
    turns : Tensor of shape (n,), int64
        Counterclockwise quarter turns, 0 to 3.

    Returns
    -------
    Orientation
        The same transform, as at most one transposition followed by flips.
    """
    transpose = turns % 2 == 1
    # Flipping before a transposition equals flipping the other axis after it.
    first_x = torch.where(transpose, flip_y, flip_x)
    first_y = torch.where(transpose, flip_x, flip_y)
    turned_x, turned_y = turns >= 2, (turns == 1) | (turns == 2)
    return Orientation(transpose, first_x ^ turned_x, first_y ^ turned_y)


def undone(orientation: Orientation) -> Orientation:
    """Return the inverse orientation.

    Examples
    --------
    >>> ways = orientation(*torch.tensor([[False, True], [True, True]]), torch.tensor([1, 3]))
    >>> image = torch.arange(18.0).reshape(2, 3, 3)
    >>> bool((reorient(reorient(image, ways), undone(ways)) == image).all())
    True
    """
    transpose, flip_x, flip_y = orientation
    # Flipping before a transposition equals flipping the other axis after it.
    back_x, back_y = torch.where(transpose, flip_y, flip_x), torch.where(transpose, flip_x, flip_y)
    return Orientation(transpose, back_x, back_y)


def reorient(image: Tensor, orientation: Orientation) -> Tensor:
    """Flip and transpose each image exactly, without interpolation.

    Parameters
    ----------
    image : Tensor of shape (n, ..., h, w)
        Square if any image is transposed.
    orientation : Orientation
        Orientation of each image.

    Returns
    -------
    Tensor of shape (n, ..., h, w)
        `image` itself if nothing changes.
    """
    steps: tuple[tuple[Tensor, Callable[[Tensor], Tensor]], ...] = (
        (orientation.transpose, lambda x: x.transpose(-2, -1)),
        (orientation.flip_x, lambda x: x.flip(-1)),
        (orientation.flip_y, lambda x: x.flip(-2)),
    )
    for chosen, step in steps:
        if chosen.any():
            chosen = chosen.reshape(-1, *[1] * (image.ndim - 1)).to(image.device)
            image = torch.where(chosen, step(image), image)
    return image


def flip_slices(volume: Tensor, chosen: Tensor) -> Tensor:
    """Reverse the order of slices of the chosen volumes (n, ..., d, h, w); `chosen` is (n,) bool.

    Examples
    --------
    >>> flip_slices(torch.arange(4.0).reshape(2, 2, 1, 1), torch.tensor([True, False])).flatten()
    tensor([1., 0., 2., 3.])
    """
    of_each = chosen.reshape(-1, *[1] * (volume.ndim - 1)).to(volume.device)
    return torch.where(of_each, volume.flip(-3), volume)
