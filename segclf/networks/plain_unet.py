"""The U-Net with its own encoder, of any width.

O. Ronneberger, P. Fischer, T. Brox: "U-Net: Convolutional Networks for Biomedical Image
Segmentation", MICCAI 2015, in the form of the semi-supervised reference of S4C (its [32]): batch
normalization, padded convolutions, bi-linear up-sampling, 64 channels at the top. The channels
double from level to level, so that their number at the top decides the capacity, as S4C's ablation
needs (Appendix A4.3); twice the width has four times the parameters.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: The name of its encoder, which no other architecture takes.
PLAIN = "plain"


class PlainEncoder(nn.Module):
    """Two convolutions at the image's size, and two more, twice as wide, after each halving.

    Parameters
    ----------
    in_channels : int
        Channels of the images.
    width : int
        Channels at the images' size.
    depth : int
        Number of times that height and width are halved.

    Examples
    --------
    >>> maps = PlainEncoder(3, width=4, depth=2)(torch.zeros(2, 3, 8, 16))
    >>> [tuple(each.shape) for each in maps]
    [(2, 3, 8, 16), (2, 4, 8, 16), (2, 8, 4, 8), (2, 16, 2, 4)]
    """

    def __init__(self, in_channels: int, width: int, depth: int) -> None:
        super().__init__()
        self.out_channels = [in_channels, *(width * 2**level for level in range(depth + 1))]
        self.output_stride = 2**depth
        self.levels = nn.ModuleList(
            double_convolution(*each) for each in pairwise(self.out_channels)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the image itself and one map per level, finest first."""
        maps = [image]
        for number, level in enumerate(self.levels):
            maps.append(level(F.max_pool2d(maps[-1], 2) if number else image))
        return maps


class PlainDecoder(nn.Module):
    """Level by level: enlarge the map, join the encoder's map of that size, convolve twice.

    Parameters
    ----------
    encoder_channels : sequence of int
        Channels of the image, which is not read, and of the encoder's maps, finest first.

    Examples
    --------
    >>> decoder = PlainDecoder([3, 4, 8])
    >>> decoder([torch.zeros(1, 3, 8, 8), torch.zeros(1, 4, 8, 8), torch.zeros(1, 8, 4, 4)]).shape
    torch.Size([1, 4, 8, 8])
    """

    def __init__(self, encoder_channels: Sequence[int]) -> None:
        super().__init__()
        self.out_channels = encoder_channels[1]
        self.levels = nn.ModuleList(
            double_convolution(deep + skip, skip)
            for deep, skip in pairwise(encoder_channels[:0:-1])
        )

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Return the map ``(n, c, h, w)`` that the head reads, from the encoder's maps."""
        _, *skips, decoded = maps
        for level in self.levels:
            skip = skips.pop()
            decoded = F.interpolate(decoded, skip.shape[-2:], mode="bilinear")
            decoded = level(torch.cat([skip, decoded], dim=1))
        return decoded


def double_convolution(in_channels: int, out_channels: int) -> nn.Sequential:
    """Make two 3 x 3 convolutions, each with a batch normalization and ReLU."""
    layers: list[nn.Module] = []
    for width in (in_channels, out_channels):
        layers += [
            nn.Conv2d(width, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)
