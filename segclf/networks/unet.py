"""The U-Net's decoder and head, layer by layer those of segmentation-models-pytorch's Unet.

O. Ronneberger, P. Fischer, T. Brox: "U-Net: Convolutional Networks for Biomedical Image
Segmentation", MICCAI 2015; here on any encoder, with nearest up-sampling. Attention is that of A.
G. Roy, N. Navab, C. Wachinger: "Concurrent Spatial and Channel 'Squeeze & Excitation' in Fully
Convolutional Networks", MICCAI 2018.

Names of parameters and the order of random numbers are also the library's, so that files and seeds
give the same network. The library is imported only for its own encoders.
"""

from collections import OrderedDict
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_REDUCTION = 16


class UNetDecoder(nn.Module):
    """One block for each stage of the encoder, from the deepest map back to the image's size.

    Parameters
    ----------
    encoder_channels : sequence of int
        Channels of the encoder's maps, finest first; the first is the image, which no block reads.
    channels : sequence of int
        Output channels of the blocks, deepest first; one for each stage.
    attention : str or None
        ``"scse"`` weighs channels and pixels before and after each block.
    center : bool
        Whether two convolutions of the deepest map come before the blocks.

    Examples
    --------
    >>> decoder = UNetDecoder([3, 16, 32], [16, 8])
    >>> sizes = [(3, 12, 20), (16, 6, 10), (32, 3, 5)]
    >>> decoder([torch.zeros(1, *size) for size in sizes]).shape
    torch.Size([1, 8, 12, 20])
    """

    def __init__(
        self,
        encoder_channels: Sequence[int],
        channels: Sequence[int],
        *,
        attention: str | None = None,
        center: bool = False,
    ) -> None:
        super().__init__()
        self.out_channels = channels[-1]
        deepest, *skips = encoder_channels[:0:-1]
        self.center: nn.Module = nn.Identity()
        if center:
            self.center = nn.Sequential(*(_convolution(deepest, deepest) for _ in range(2)))
        widths = zip([deepest, *channels], [*skips, 0], channels, strict=False)
        self.blocks = nn.ModuleList(_Block(*each, attention) for each in widths)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Return the map ``(n, c, h, w)`` that the head reads, from the encoder's maps."""
        image, *skips, deepest = maps
        decoded: Tensor = self.center(deepest)
        for block, skip in zip(self.blocks, [*reversed(skips), None], strict=True):
            size = (image if skip is None else skip).shape[2:]
            decoded = block(decoded, size, skip)
        return decoded


def unet_head(in_channels: int, n_classes: int) -> nn.Sequential:
    """Make the 3 x 3 convolution to logits."""
    return nn.Sequential(nn.Conv2d(in_channels, n_classes, 3, padding=1))


def initialize(decoder: nn.Module, head: nn.Module) -> None:
    """Initialize the weights of both: He's for the decoder, Glorot's for the head, biases 0."""
    for module in decoder.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in head.modules():
        if isinstance(module, nn.Conv2d) and module.bias is not None:
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)


class _Block(nn.Module):
    def __init__(
        self, in_channels: int, skip_channels: int, out_channels: int, attention: str | None
    ) -> None:
        super().__init__()
        joined = in_channels + skip_channels
        self.conv1 = _convolution(joined, out_channels)
        self.attention1 = _attention(attention, joined)
        self.conv2 = _convolution(out_channels, out_channels)
        self.attention2 = _attention(attention, out_channels)

    def forward(self, decoded: Tensor, size: Sequence[int], skip: Tensor | None) -> Tensor:
        # One name for all maps, so that each is freed at once and its memory is reused.
        decoded = F.interpolate(decoded, size, mode="nearest")
        if skip is not None:
            decoded = self.attention1(torch.cat([decoded, skip], dim=1))
        decoded = self.conv1(decoded)
        decoded = self.conv2(decoded)
        attended: Tensor = self.attention2(decoded)
        return attended


class _SCSE(nn.Module):
    def __init__(self, n_channels: int) -> None:
        super().__init__()
        fewer = n_channels // _REDUCTION
        self.cSE = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(n_channels, fewer, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(fewer, n_channels, 1),
            nn.Sigmoid(),
        )
        self.sSE = nn.Sequential(nn.Conv2d(n_channels, 1, 1), nn.Sigmoid())

    def forward(self, maps: Tensor) -> Tensor:
        weighted: Tensor = maps * self.cSE(maps) + maps * self.sSE(maps)
        return weighted


def _attention(name: str | None, n_channels: int) -> nn.Module:
    if name is None:
        return nn.Identity()
    return nn.Sequential(OrderedDict(attention=_SCSE(n_channels)))


def _convolution(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )
