"""Affine transforms of images: where each output pixel comes from, and how to sample it.

Every parameter is a tensor with one value per image, so that a batch is transformed at once, each
image in its own way. Coordinates are those of :func:`torch.nn.functional.grid_sample` with
``align_corners=False``: -1 and 1 are the outer edges of the image, x points right and y down.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from segclf.data.orientation import Orientation

_ASPECT_RATIO = 4 / 3


class Placement(NamedTuple):
    """How the content of each image moves: sheared, scaled, rotated, shifted, then cropped.

    Attributes
    ----------
    angle, shear : Tensor of shape (n,)
        Counterclockwise rotation and horizontal shear, in degrees, for square pixels.
    scale : Tensor of shape (n,)
        Magnification; 2 doubles all lengths.
    shift : Tensor of shape (n, 2)
        Movement to the right and down, as a fraction of width and height.
    window, center : Tensor of shape (n, 2)
        Width and height of the crop as fractions of the image, and its center in [-1, 1].
    """

    angle: Tensor
    shear: Tensor
    scale: Tensor
    shift: Tensor
    window: Tensor
    center: Tensor


def crop_window(area: Tensor, ratio: Tensor, position: Tensor) -> tuple[Tensor, Tensor]:
    """Place a window of a given area in the image.

    The window's aspect ratio, relative to the image's own, lies between 3/4 and 4/3, and closer to
    1 if the window would not fit otherwise. So the area is exact, and nothing is sampled again.

    Parameters
    ----------
    area : Tensor of shape (n,)
        Fraction of the image, in (0, 1].
    ratio : Tensor of shape (n,)
        In [0, 1], from the narrowest to the widest window.
    position : Tensor of shape (n, 2)
        In [0, 1], from the left to the right and from the top to the bottom.

    Returns
    -------
    window, center : Tensor of shape (n, 2)
        See :class:`Placement`.
    """
    narrowest = area.clamp(min=1 / _ASPECT_RATIO).log()
    widest = (1 / area).clamp(max=_ASPECT_RATIO).log()
    aspect = (narrowest + ratio * (widest - narrowest)).exp()
    window = torch.stack([area * aspect, area / aspect], dim=1).sqrt().clamp(max=1)
    return window, (1 - window) * (2 * position - 1)


def sampling_matrix(placement: Placement, size: tuple[int, int]) -> Tensor:
    """Map each position in the result to its position in the image.

    Rotation and shear act on pixels, so that images that are not square are not distorted.

    Parameters
    ----------
    placement : Placement
        How the content moves.
    size : tuple (h, w)
        The image's height and width.

    Returns
    -------
    Tensor of shape (n, 2, 3)
        The matrices to apply to (x, y, 1).
    """
    height, width = size
    angle, slope = placement.angle.deg2rad(), placement.shear.deg2rad().tan()
    cos, sin = angle.cos() / placement.scale, angle.sin() / placement.scale
    row_x = torch.stack([cos - slope * sin, -(sin + slope * cos) * height / width], dim=1)
    row_y = torch.stack([sin * width / height, cos], dim=1)
    linear = torch.stack([row_x, row_y], dim=1)
    start = placement.center - 2 * placement.shift
    offset = (linear * start[:, None]).sum(dim=2, keepdim=True)
    return torch.cat([linear * placement.window[:, None], offset], dim=2)


def oriented_matrix(matrix: Tensor, orientation: Orientation) -> Tensor:
    """Apply the orientation of :func:`reorient` before the transform that `matrix` describes."""
    transpose, flip_x, flip_y = orientation
    sign = 1 - 2 * torch.stack([flip_x, flip_y], dim=1).to(matrix.dtype)
    matrix = matrix * sign[:, :, None]
    return torch.where(transpose[:, None, None], matrix.flip(1), matrix)


def sampling_grid(matrix: Tensor, size: tuple[int, int]) -> Tensor:
    """Apply each matrix to the centers of all pixels.

    Written out because `torch.nn.functional.affine_grid` multiplies matrices, which is four times
    slower here and, with reduced matmul precision, would move pixels.

    Parameters
    ----------
    matrix : Tensor of shape (n, 2, 3)
        From :func:`sampling_matrix`.
    size : tuple (h, w)
        Height and width of the result.

    Returns
    -------
    Tensor of shape (n, h, w, 2)
        The (x, y) at which to sample each pixel.
    """
    y, x = ((2 * torch.arange(s, device=matrix.device) + 1) / s - 1 for s in size)
    along_x = matrix[:, None, None, :, 0] * x[:, None]
    along_y = matrix[:, None, None, :, 1] * y[:, None, None] + matrix[:, None, None, :, 2]
    return along_x + along_y


def resample(image: Tensor, grid: Tensor) -> Tensor:
    """Sample each pixel from the image; beyond its edges, the image is mirrored.

    Parameters
    ----------
    image : Tensor of shape (n, ..., h, w)
        With any axes in between, such as channels and slices, which are sampled alike. Floats are
        interpolated bilinearly. Integers, such as masks, take the nearest pixel; ids are exact up
        to 2 ** 24.
    grid : Tensor of shape (n, h, w, 2)
        From :func:`sampling_grid`.

    Returns
    -------
    Tensor
        The result with the dtype of `image` and, except for the grid's height and width, its shape.
    """
    mode = "bilinear" if image.is_floating_point() else "nearest"
    source = image.unsqueeze(1).flatten(1, -3)
    # On CPU, sampling a contiguous image after copying it is faster than a channels-last one.
    result = functional.grid_sample(
        source.to(grid.dtype).contiguous(),
        grid,
        mode=mode,
        padding_mode="reflection",
        align_corners=False,
    )
    return result.reshape(*image.shape[:-2], *grid.shape[1:3]).to(image.dtype)
