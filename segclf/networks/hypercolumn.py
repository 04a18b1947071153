"""Hypercolumns with a few convolutions: a light head for encoders that are already good.

B. Hariharan, P. Arbeláez, R. Girshick, J. Malik: "Hypercolumns for Object Segmentation and
Fine-grained Localization", CVPR 2015. All maps of the encoder are resized to one grid, so that each
place has one long vector. Here small convolutions read it; the paper has classifiers on a grid of
places.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segclf.distributed import batch_moments

STRIDE = 4
# Small relative to a deviation of about 1; keeps channels that are constant in training small.
_LEAST_DEVIATION = 1e-3
_N_BATCHES = 32
_N_GROUPS = 8
# Dropout of whole channels; without it, more than 150 steps on 90 images make results worse.
_DROPOUT = 0.2


class HypercolumnDecoder(nn.Module):
    """Read each map on its own grid, resize all to one, and mix them by small convolutions.

    A map is standardized, then read by a 3 x 3 convolution, a group normalization and a ReLU. The
    results are resized to the grid and added up; a depthwise 3 x 3 and a 1 x 1 convolution follow.
    Before and after these, a fifth of the channels is dropped in training.

    The grid has stride 4, or that of the finest map if all are coarser, as in vision transformers.
    Finer maps are averaged, coarser ones interpolated bilinearly.

    Channels are standardized by their mean and standard deviation over the first 32 batches of
    training, in training and in evaluation. So the result for an image does not depend on other
    images.

    Parameters
    ----------
    encoder_channels : sequence of int
        Channels of the encoder's maps, finest first; the first is the image, which is not read.
    channels : int
        Channels of the returned map.
    stride : int
        Stride of the grid in pixels, if the encoder has maps that fine.

    Examples
    --------
    >>> decoder = HypercolumnDecoder([3, 16, 32, 64], 8)
    >>> sizes = [(3, 24, 40), (16, 12, 20), (32, 6, 10), (64, 3, 5)]
    >>> decoder([torch.zeros(1, *size) for size in sizes]).shape
    torch.Size([1, 8, 6, 10])
    """

    mean: Tensor
    variance: Tensor
    n_batches: Tensor

    def __init__(
        self, encoder_channels: Sequence[int], channels: int, *, stride: int = STRIDE
    ) -> None:
        super().__init__()
        self.out_channels = channels
        self.stride = stride
        self.widths = [width for width in encoder_channels[1:] if width]
        self.read = nn.ModuleList(_reader(width, channels) for width in self.widths)
        self.mix = nn.Sequential(
            nn.Dropout2d(_DROPOUT),
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels),
            PixelLinear(channels, channels),
            nn.ReLU(),
            nn.Dropout2d(_DROPOUT),
        )
        self.register_buffer("mean", torch.zeros(sum(self.widths)))
        self.register_buffer("variance", torch.ones(sum(self.widths)))
        self.register_buffer("n_batches", torch.zeros((), dtype=torch.int64))

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Return the map ``(n, c, h / stride, w / stride)`` that the head reads."""
        image, *rest = maps
        # Some encoders have an empty map in place of one of half the size.
        filled = [each for each in rest if each.shape[1]]
        stride = max(self.stride, image.shape[-1] // max(each.shape[-1] for each in filled))
        size = max(1, image.shape[-2] // stride), max(1, image.shape[-1] // stride)
        averaged = [_no_finer(each, size) for each in filled]
        if self.training and self.n_batches < _N_BATCHES:
            self._learn(averaged)
        read = [
            each(maps) for each, maps in zip(self.read, self._standardized(averaged), strict=True)
        ]
        given: Tensor = self.mix(torch.stack([_at(each, size) for each in read]).sum(0))
        return given

    def _standardized(self, maps: list[Tensor]) -> list[Tensor]:
        deviation = self.variance.sqrt() + _LEAST_DEVIATION
        parts = zip(maps, self.mean.split(self.widths), deviation.split(self.widths), strict=True)
        return [(m - mean[:, None, None]) / std[:, None, None] for m, mean, std in parts]

    @torch.no_grad()
    def _learn(self, maps: list[Tensor]) -> None:
        """Add the batch to the statistics."""
        self.n_batches += 1
        share = 1 / self.n_batches.float()
        moments = [batch_moments(each.float()) for each in maps]
        variance, mean = (torch.cat(each) for each in zip(*moments, strict=True))
        change = mean - self.mean
        between = share * (1 - share) * change.square()
        # Not in place, since an earlier batch of the same step still needs the old values in
        # backward.
        self.variance = self.variance.lerp(variance, share) + between
        self.mean = self.mean + share * change


class PixelLinear(nn.Linear):
    """A 1 x 1 convolution, as one product with pixels in channels-last order.

    On one thread it takes a fraction of the time of torch's convolution, which reorders pixels.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps ``(n, out_features, h, w)`` for maps ``(n, in_features, h, w)``."""
        return super().forward(maps.movedim(1, -1)).movedim(-1, 1)


def _reader(width: int, channels: int) -> nn.Module:
    normalize = nn.GroupNorm(math.gcd(_N_GROUPS, channels), channels)
    return nn.Sequential(nn.Conv2d(width, channels, 3, padding=1), normalize, nn.ReLU())


def _no_finer(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return F.adaptive_avg_pool2d(maps, size) if maps.shape[-1] > size[-1] else maps


def _at(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Interpolate maps ``(n, c, h, w)`` bilinearly by two products, faster than torch."""
    if maps.shape[-2:] == size:
        return maps
    rows = _interpolation(maps.shape[-2], size[0], maps) @ maps
    return rows @ _interpolation(maps.shape[-1], size[1], maps).T


def _interpolation(before: int, after: int, like: Tensor) -> Tensor:
    """Return the matrix (after, before) of linear interpolation."""
    places = torch.eye(before, device=like.device)[None]
    return F.interpolate(places, after, mode="linear")[0].T.to(like.dtype)
