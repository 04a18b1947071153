"""MONAI's DynUNet, which is nnU-Net's network, as an encoder, a decoder and a head of segclf."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from segclf.networks.strides import choose_kernels, total_stride

_FEWEST_STAGES = 2

Strides = Sequence[Sequence[int]]


class DynUNetEncoder(nn.Module):
    """The encoder part of DynUNet.

    Parameters
    ----------
    network : monai.networks.nets.DynUNet
        Network whose blocks are used.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.input_block, self.downsamples = network.input_block, network.downsamples
        self.bottleneck = network.bottleneck
        self.strides = [list(stride) for stride in network.strides[1:]]
        self.out_channels = [network.in_channels, *network.filters]
        self.output_stride = total_stride(self.strides)
        # Instance normalization cannot be trained on a map of one voxel.
        *first, last = self.output_stride
        self.smallest = (*first, 2 * last)

    def forward(self, volume: Tensor) -> list[Tensor]:
        """Return the volume itself and one map per level, finest first."""
        maps = [volume]
        for block in self.blocks():
            maps.append(block(maps[-1]))
        return maps

    def blocks(self) -> list[Any]:
        """Return the modules that make each map from the one before."""
        return [self.input_block, *self.downsamples, self.bottleneck]


class DynUNetDecoder(nn.Module):
    """The decoder part of DynUNet.

    Parameters
    ----------
    network : monai.networks.nets.DynUNet
        Network whose blocks are used.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.upsamples = network.upsamples
        self.out_channels = network.filters[0]

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Return the map (n, c, d, h, w) that the head reads, from the encoder's maps."""
        _, *skips, decoded = maps
        for block in self.upsamples:
            decoded = block(decoded, skips.pop())
        return decoded


def dynunet_encoder(in_channels: int, strides: Strides) -> DynUNetEncoder:
    """Make the encoder alone."""
    return DynUNetEncoder(_dynunet(in_channels, 1, strides))


def dynunet_parts(
    in_channels: int, n_classes: int, strides: Strides
) -> tuple[DynUNetEncoder, DynUNetDecoder, nn.Module]:
    """Make encoder, decoder and head."""
    network = _dynunet(in_channels, n_classes, strides)
    return DynUNetEncoder(network), DynUNetDecoder(network), network.output_block


def _dynunet(in_channels: int, n_classes: int, strides: Strides) -> Any:
    if len(strides) < _FEWEST_STAGES:
        raise ValueError(f"encoder='dynunet' needs at least {_FEWEST_STAGES} stages, got 1.")
    return import_monai_nets().DynUNet(
        spatial_dims=3,
        in_channels=in_channels,
        out_channels=n_classes,
        kernel_size=choose_kernels(strides),
        strides=[[1, 1, 1], *(list(stride) for stride in strides)],
        upsample_kernel_size=[list(stride) for stride in strides],
    )


def import_monai_nets() -> Any:
    """Import MONAI's networks.

    Raises
    ------
    ImportError
        If MONAI is not installed; the message names the extra.
    """
    try:
        import monai.networks.nets as nets
    except ImportError as error:
        raise ImportError(
            "architecture='dynunet' and encoder='dynunet' need MONAI, which is not installed: "
            "pip install 'segclf[monai]'. architecture='unet3d' works without it."
        ) from error
    return nets
