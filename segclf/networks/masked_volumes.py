"""An encoder sees some blocks of a volume, and a decoder predicts the others.

A convolutional encoder cannot leave out patches as a vision transformer does. After Tian et al.,
"Designing BERT for convolutional networks: sparse and hierarchical masked modeling", ICLR 2023, its
maps are set to 0 where the volume is hidden, stage by stage, and its normalizations use only
visible voxels, so that they act as they will on whole volumes. Wald et al., "Revisiting MAE
pre-training for 3D medical image segmentation", CVPR 2025, pretrain nnU-Net's networks in this way.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from segclf.axes import across, axes_from
from segclf.networks.classification import ClassificationNetwork
from segclf.networks.unet3d import UNet3dDecoder


class MaskedVolumes(nn.Module):
    """Predict hidden blocks of volumes by a light U-Net decoder, with learned values where hidden.

    Parameters
    ----------
    network : ClassificationNetwork
        Network whose encoder of volumes is used; not stored here.

    Attributes
    ----------
    block : (int, int, int)
        Size of a hidden block: the part of a volume for one voxel of the deepest map.

    Examples
    --------
    >>> from segclf.networks import MaskedVolumes, classification_network
    >>> network = classification_network(encoder="tiny3d", n_classes=0, in_channels=1)
    >>> MaskedVolumes(network).block
    (16, 16, 16)
    """

    def __init__(self, network: ClassificationNetwork) -> None:
        super().__init__()
        encoder: Any = network.encoder
        n_channels, *widths = encoder.out_channels
        self.block = tuple(encoder.output_stride)
        self.tokens = nn.ParameterList(nn.Parameter(torch.zeros(width)) for width in widths)
        self.decoder = UNet3dDecoder(encoder.out_channels, encoder.strides)
        self.head = nn.Conv3d(self.decoder.out_channels, n_channels, 1)

    def forward(self, encoder: Any, volume: Tensor, hidden: Tensor) -> Tensor:
        """Reconstruct volumes ``(n, c, d, h, w)``, in whole blocks, with `hidden` ones.

        Parameters
        ----------
        encoder : nn.Module
            The encoder of the network.
        volume : Tensor of shape (n, c, d, h, w)
            Prepared volumes.
        hidden : Tensor of shape (n, d / block, h / block, w / block), bool
            Which blocks are hidden.
        """
        visible = ~hidden[:, None]
        seen = visible_maps(encoder, volume, visible)
        maps = [seen[0]]
        for each, token in zip(seen[1:], self.tokens, strict=True):
            maps.append(torch.where(_at(visible, each), each, across(token, each, axis=1)))
        painted: Tensor = self.head(self.decoder(maps))
        return painted


def visible_maps(encoder: Any, volume: Tensor, visible: Tensor) -> list[Tensor]:
    """Return an encoder's maps of volumes with some visible blocks; 0 elsewhere.

    Parameters
    ----------
    encoder : nn.Module
        Encoder of volumes; see :mod:`segclf.networks.volume_encoders`.
    volume : Tensor of shape (n, c, d, h, w)
        Volumes in whole blocks.
    visible : Tensor of shape (n, 1, d', h', w'), bool
        Visible blocks, at the size of the deepest map.

    Returns
    -------
    list of Tensor
        The volume itself and one map per level, finest first.
    """
    maps = [volume * _at(visible, volume)]
    with _looking_at(encoder, visible):
        for block in encoder.blocks():
            made = block(maps[-1])
            maps.append(made * _at(visible, made))
    return maps


@contextmanager
def _looking_at(encoder: nn.Module, visible: Tensor) -> Iterator[None]:
    """Make normalizations use only visible voxels."""

    def normalize(module: Any, given: tuple[Tensor], _: Tensor) -> Tensor:
        return _normalized(module, given[0], _at(visible, given[0]))

    with ExitStack() as stack:
        for module in encoder.modules():
            if isinstance(module, nn.GroupNorm | nn.InstanceNorm3d):
                stack.enter_context(module.register_forward_hook(normalize))
        yield


def _normalized(module: Any, maps: Tensor, visible: Tensor) -> Tensor:
    n_groups = module.num_groups if isinstance(module, nn.GroupNorm) else maps.shape[1]
    groups = maps.reshape(len(maps), n_groups, -1, *maps.shape[2:]).float()
    axes = axes_from(2, groups)
    seen = visible[:, None]
    count = seen.sum(axes, keepdim=True) * groups.shape[2]
    mean = (groups * seen).sum(axes, keepdim=True) / count
    variance = ((groups - mean).square() * seen).sum(axes, keepdim=True) / count
    scaled = ((groups - mean) / (variance + module.eps).sqrt()).reshape(maps.shape).to(maps.dtype)
    if module.weight is None:
        return scaled
    weight, bias = (across(each, maps, axis=1) for each in (module.weight, module.bias))
    return scaled * weight + bias


def _at(visible: Tensor, maps: Tensor) -> Tensor:
    """Return which voxels of maps lie in visible blocks, (n, 1, d, h, w)."""
    return interpolate(visible.to(torch.uint8), maps.shape[2:], mode="nearest").bool()
