"""Hypercolumns under a few convolutions: a light head for encoders that are good already.

B. Hariharan, P. Arbeláez, R. Girshick, J. Malik: "Hypercolumns for Object Segmentation and
Fine-grained Localization", CVPR 2015. All maps of the encoder are brought to one grid, so that each
place has one long vector; here small convolutions read it, where the paper has classifiers on a
grid of places.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STRIDE = 4
# Beside a deviation of about 1; a channel that is constant in training is not blown up.
_LEAST_DEVIATION = 1e-3
# Statistics are means over all batches so far, and later of about so many.
_LONGEST_MEMORY = 100


class HypercolumnDecoder(nn.Module):
    """Maps at one stride, standardized, then 1 x 1, depthwise 3 x 3 and 1 x 1 convolutions.

    The grid is that of stride 4, or of the finest map where all are coarser, as those of vision
    transformers. Finer maps are averaged, coarser ones interpolated bilinearly; as a 1 x 1
    convolution commutes with that, it comes first, on fewer places.

    Channels are standardized by their mean and deviation in training, over all batches so far, in
    training as in evaluation: the result for an image does not depend on its company.

    Parameters
    ----------
    encoder_channels : sequence of int
        Of the encoder's maps, finest first; the first is the image, which is not read.
    channels : int
        Of the map given.
    stride : int
        Pixels between neighbours of the grid, if the encoder is that fine.

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
        self.project = nn.Conv2d(sum(self.widths), channels, 1)
        self.mix = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels),
            nn.Conv2d(channels, channels, 1),
            nn.ReLU(),
        )
        self.register_buffer("mean", torch.zeros(sum(self.widths)))
        self.register_buffer("variance", torch.ones(sum(self.widths)))
        self.register_buffer("n_batches", torch.zeros((), dtype=torch.int64))

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Give the map ``(n, c, h / stride, w / stride)`` that the head reads."""
        image, *rest = maps
        # Some encoders have an empty map where one of half the size would be.
        filled = [each for each in rest if each.shape[1]]
        finest = max(each.shape[-1] for each in filled)
        stride = max(self.stride, image.shape[-1] // finest)
        size = max(1, image.shape[-2] // stride), max(1, image.shape[-1] // stride)
        averaged = [_no_finer(each, size) for each in filled]
        if self.training:
            self._learn(averaged)
        deviation = self.variance.sqrt() + _LEAST_DEVIATION
        weight = self.project.weight / deviation[:, None, None]
        bias = -(weight[:, :, 0, 0] @ self.mean)
        if self.project.bias is not None:
            bias = bias + self.project.bias
        weights = weight.split(self.widths, dim=1)
        projected = [
            _at(F.conv2d(each, part), size) for each, part in zip(averaged, weights, strict=True)
        ]
        given: Tensor = self.mix(torch.stack(projected).sum(0) + bias[:, None, None])
        return given

    @torch.no_grad()
    def _learn(self, maps: list[Tensor]) -> None:
        """Take the batch into the statistics."""
        self.n_batches += 1
        share = (1 / self.n_batches.clamp(max=_LONGEST_MEMORY)).float()
        moments = [torch.var_mean(each.float(), (0, 2, 3), correction=0) for each in maps]
        variance, mean = (torch.cat(each) for each in zip(*moments, strict=True))
        change = mean - self.mean
        between = share * (1 - share) * change.square()
        self.variance.lerp_(variance, share).add_(between)
        self.mean.add_(share * change)


def _no_finer(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return F.adaptive_avg_pool2d(maps, size) if maps.shape[-1] > size[-1] else maps


def _at(maps: Tensor, size: tuple[int, int]) -> Tensor:
    if maps.shape[-2:] == size:
        return maps
    return F.interpolate(maps, size, mode="bilinear")
