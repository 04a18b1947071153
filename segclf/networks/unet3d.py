"""The U-Net of volumes, on an encoder of volumes.

Ö. Çiçek et al.: "3D U-Net: Learning Dense Volumetric Segmentation from Sparse Annotation", MICCAI
2016; here with residual blocks, and with maps that are added instead of joined, as in A. Myronenko:
"3D MRI brain tumor segmentation using autoencoder regularization", BrainLes 2018.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from segclf.networks.strides import choose_kernels
from segclf.networks.volume_encoders import ResidualBlock


class UNet3dDecoder(nn.Module):
    """From the deepest map back to the volume's size: enlarge, add the encoder's map, convolve.

    Parameters
    ----------
    encoder_channels : sequence of int
        Channels of the volume, which is not read, and of the encoder's maps, finest first.
    strides : sequence of (int, int, int)
        Strides of the encoder's stages.

    Examples
    --------
    >>> import torch
    >>> decoder = UNet3dDecoder([1, 8, 16], [(1, 2, 2)])
    >>> sizes = [(1, 5, 8, 8), (8, 5, 8, 8), (16, 5, 4, 4)]
    >>> decoder([torch.zeros(1, *size) for size in sizes]).shape
    torch.Size([1, 8, 5, 8, 8])
    """

    def __init__(self, encoder_channels: Sequence[int], strides: Sequence[Sequence[int]]) -> None:
        super().__init__()
        _, *widths = encoder_channels
        self.out_channels = widths[0]
        kernels = choose_kernels(strides)
        down = range(len(strides) - 1, -1, -1)
        self.narrow = nn.ModuleList(
            nn.Conv3d(widths[level + 1], widths[level], 1, bias=False) for level in down
        )
        self.blocks = nn.ModuleList(
            ResidualBlock(widths[level], widths[level], kernels[level], [1] * 3) for level in down
        )

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Return the map (n, c, d, h, w) that the head reads, from the encoder's maps."""
        _, *skips, decoded = maps
        for narrow, block in zip(self.narrow, self.blocks, strict=True):
            skip = skips.pop()
            decoded = F.interpolate(narrow(decoded), skip.shape[2:], mode="nearest")
            decoded = block(decoded + skip)
        return decoded
