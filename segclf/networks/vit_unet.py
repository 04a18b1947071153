"""MedSASS's U-Net around a plain vision transformer.

P. Singh, J. Cirrone: "Exploring Intrinsic Properties of Medical Images for Self-Supervised Binary
Semantic Segmentation", Appendix A.1. The paper's network is ``architecture="vit_unet"`` with
``encoder="vit_small_patch8_224"``.

The transformer and a path of four down blocks both read the image. At the bottom, the patch tokens
join the path, and four up blocks lead back. What the paper leaves open is chosen as follows:

- The widths are 64, 128, 256, 512, 512, as usual for U-Nets with bi-linear up-sampling. With two
  classes the paper's network has 35.5 million parameters, 21.7 million of them the transformer's.
- In the VC block the first resize lays the tokens out as a map; the second averages it down to the
  bottom's grid, or repeats it up to there. The linear layer works on channels, not on positions,
  so that images of any size fit.
- The tokens join by addition.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segclf.networks.plain_unet import double_convolution


class ViTEncoder(nn.Module):
    """A vision transformer of timm as an encoder: the image, and patch tokens of the last blocks.

    Parameters
    ----------
    model : nn.Module
        A model without its classifier.
    in_channels : int
        Channels of the images.
    n_blocks : int
        Number of blocks that give a map, at most; they are the last ones.

    Examples
    --------
    >>> import timm
    >>> import segclf.networks.tiny_vit
    >>> encoder = ViTEncoder(timm.create_model("tiny_vit", num_classes=0), in_channels=3)
    >>> [tuple(each.shape) for each in encoder(torch.zeros(1, 3, 8, 16))]
    [(1, 3, 8, 16), (1, 32, 2, 4)]
    """

    def __init__(self, model: Any, in_channels: int, n_blocks: int = 1) -> None:
        super().__init__()
        self.model = model
        self.n_blocks = min(n_blocks, len(model.blocks))
        self.out_channels = [in_channels, *self.n_blocks * [int(model.num_features)]]
        self.output_stride = int(model.feature_info[-1]["reduction"])

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return images ``(n, c, h, w)`` and their normalized tokens ``(n, d, h / p, w / p)``."""
        tokens = self.model.forward_intermediates(
            image, indices=self.n_blocks, norm=True, intermediates_only=True
        )
        return [image, *tokens]


class ViTUNetDecoder(nn.Module):
    """Four down blocks, the VC block and four up blocks.

    Parameters
    ----------
    encoder_channels : sequence of int
        Channels of the image, and of the map of tokens.
    channels : sequence of int
        Widths of the U-Net from its top to its bottom.

    Examples
    --------
    >>> decoder = ViTUNetDecoder([3, 32], [8, 16, 16, 32, 32])
    >>> decoder([torch.zeros(2, 3, 32, 48), torch.zeros(2, 32, 8, 12)]).shape
    torch.Size([2, 8, 32, 48])
    """

    def __init__(self, encoder_channels: Sequence[int], channels: Sequence[int]) -> None:
        super().__init__()
        in_channels, token_channels = encoder_channels
        self.out_channels = channels[0]
        self.stem = double_convolution(in_channels, channels[0])
        self.downs = nn.ModuleList(
            nn.Sequential(nn.MaxPool2d(2), double_convolution(*widths))
            for widths in pairwise(channels)
        )
        self.join = _ViTConvolution(token_channels, channels[-1])
        # Every level outputs the next one's number of channels, so that skips have the same width.
        targets = [channels[0], *channels[:-2]]
        below = [*targets[1:], channels[-1]]
        self.ups = nn.ModuleList(
            double_convolution(deep + skip, target)
            for deep, skip, target in reversed(
                list(zip(below, channels[:-1], targets, strict=True))
            )
        )

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Return the map ``(n, c, h, w)`` that the head reads, from the encoder's two."""
        image, tokens = maps
        skips = [self.stem(image)]
        for down in self.downs:
            skips.append(down(skips[-1]))
        decoded: Tensor = skips.pop()
        decoded = decoded + self.join(tokens, decoded.shape[-2:])
        for up in self.ups:
            skip = skips.pop()
            decoded = F.interpolate(decoded, skip.shape[-2:], mode="bilinear")
            decoded = up(torch.cat([skip, decoded], dim=1))
        return decoded


class _ViTConvolution(nn.Module):
    """The VC block: a 1 x 1 convolution and a linear layer, from the tokens' grid to another."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(in_channels, out_channels, 1)
        self.linear = nn.Linear(out_channels, out_channels)

    def forward(self, tokens: Tensor, size: torch.Size) -> Tensor:
        mixed = self.linear(self.convolution(tokens).movedim(1, -1)).movedim(-1, 1)
        return F.interpolate(mixed, size, mode="area")
