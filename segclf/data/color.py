"""Changes of brightness, contrast and color that do not depend on the units of an image.

Everything is relative to the image's own mean, standard deviation and extremes over its pixels and
channels. So ``a * image + b`` with ``a > 0`` changes as ``image`` does, whether it holds values in
[0, 1] or raw scanner units. Nothing is clipped. A volume (n, c, d, h, w) is one image.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from segclf.axes import axes_from


class Recoloring(NamedTuple):
    """How the colors of each image change.

    Attributes
    ----------
    brightness, noise : Tensor of shape (n,)
        The offset, and the standard deviation of Gaussian noise, in standard deviations.
    contrast, saturation : Tensor of shape (n,)
        Factors; 1 changes nothing and 0 removes all.
    hue : Tensor of shape (n,)
        Rotation of the colors around gray, in degrees.
    """

    brightness: Tensor
    contrast: Tensor
    saturation: Tensor
    hue: Tensor
    noise: Tensor


def moments(image: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the mean and the standard deviation of each image.

    Parameters
    ----------
    image : Tensor of shape (n, c, h, w)
        In any units.

    Returns
    -------
    mean, deviation : Tensor of shape (n, 1, 1, 1)
        Over the pixels and channels of each image, in its units.
    """
    of_one = axes_from(1, image)
    mean = image.mean(dim=of_one, keepdim=True)
    # Two passes: torch.std_mean takes twenty times as long on CPU.
    norm = torch.linalg.vector_norm(image - mean, dim=of_one, keepdim=True)
    return mean, norm / math.sqrt(math.prod(image.shape[1:]))


def extremes(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return the smallest and the largest value of each image, each (n, 1, 1, 1)."""
    dimensions = axes_from(1, image)
    return image.amin(dimensions, keepdim=True), image.amax(dimensions, keepdim=True)


def recolor(
    image: Tensor, change: Recoloring, mean: Tensor, deviation: Tensor, *, chroma: bool
) -> Tensor:
    """Stretch each image around its mean, rotate and stretch its colors around gray, and shift it.

    Parameters
    ----------
    image : Tensor of shape (n, c, h, w)
        With c = 3 if `chroma`.
    change : Recoloring
        The changes; :func:`add_noise` adds its noise.
    mean, deviation : Tensor of shape (n, 1, 1, 1)
        The value that contrast does not change, and the unit of brightness.
    chroma : bool
        Whether saturation and hue change too. Gray is the mean of the channels.

    Returns
    -------
    Tensor of shape (n, c, h, w)
        The changed images.
    """
    contrast = change.contrast.reshape(mean.shape)
    offset = mean * (1 - contrast) + deviation * change.brightness.reshape(mean.shape)
    if not chroma:
        return torch.addcmul(offset, image, contrast)
    # Each row of the matrix sums to 1, so the mean of the image does not change.
    matrix = contrast.reshape(-1, 1, 1) * chroma_matrix(change.saturation, change.hue)
    return torch.baddbmm(offset.reshape(-1, 1, 1), matrix, image.flatten(2)).reshape(image.shape)


def chroma_matrix(saturation: Tensor, hue: Tensor) -> Tensor:
    """Return matrices that scale and rotate colors in the plane perpendicular to the gray axis.

    Parameters
    ----------
    saturation, hue : Tensor of shape (n,)
        A factor, and degrees; 120 degrees turn red into green.

    Returns
    -------
    Tensor of shape (n, 3, 3)
        Matrices for the three channels; each row sums to 1.
    """
    gray = hue.new_full((3, 3), 1 / 3)
    turn = hue.new_tensor([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    angle = hue.deg2rad()
    keep, move = saturation * angle.cos(), saturation * angle.sin()
    across = torch.eye(3, device=hue.device) - gray
    return gray + keep[:, None, None] * across + move[:, None, None] * turn


def add_noise(image: Tensor, deviation: Tensor, generator: torch.Generator) -> Tensor:
    """Add independent Gaussian noise to every value.

    Parameters
    ----------
    image : Tensor of shape (n, c, h, w)
        In any units.
    deviation : Tensor of shape (n, 1, 1, 1)
        The standard deviation of the noise, in the image's units.
    generator : torch.Generator
        Samples on its own device, so that a CPU generator gives every device the same noise.

    Returns
    -------
    Tensor of shape (n, c, h, w)
        The noisy images.
    """
    noise = torch.randn(image.shape, generator=generator, device=generator.device)
    return torch.addcmul(image, noise.to(image.device), deviation)


def grayscale(image: Tensor) -> Tensor:
    """Replace each channel by the mean of all, (n, c, h, w)."""
    return image.mean(dim=1, keepdim=True).expand_as(image)


def solarize(image: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Invert the values above the middle between `low` and `high`.

    Parameters
    ----------
    image : Tensor of shape (n, c, h, w)
        In any units.
    low, high : Tensor of shape (n, 1, 1, 1)
        The extremes of each image; with 0 and 1, values above 0.5 become 1 minus themselves.

    Returns
    -------
    Tensor of shape (n, c, h, w)
        The darker of each value and its mirror image.
    """
    return torch.minimum(image, low + high - image)
