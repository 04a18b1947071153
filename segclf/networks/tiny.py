"""A small encoder for small inputs: it trains on a single image of 1 x 2 pixels.

It has three stages of 16, 32 and 64 channels, with stride 8 at most. Every normalization uses only
one image, so a batch of one and a map of one pixel work like any other, and the result for an image
never depends on other images.
"""

import math

from torch import Tensor, nn

TINY_CHANNELS = (16, 32, 64)
SMP_NAME = "segclf-tiny"
TINY_VIT = "tiny_vit"


class TinyEncoder(nn.Module):
    """Three 3 x 3 convolutions of stride 2, each with group normalization and ReLU.

    It has the interface of segmentation-models-pytorch's encoders, so every decoder there takes it.
    There is no dropout.

    Parameters
    ----------
    depth : int
        Number of stages, 1 to 3.
    output_stride : int
        Ignored; required of every encoder. The stride is ``2 ** depth``, at most 8, which is fine
        enough for every decoder.

    Examples
    --------
    >>> import torch
    >>> maps = TinyEncoder()(torch.zeros(1, 3, 8, 16))
    >>> [tuple(each.shape) for each in maps]
    [(1, 3, 8, 16), (1, 16, 4, 8), (1, 32, 2, 4), (1, 64, 1, 2)]
    """

    def __init__(self, depth: int = 3, output_stride: int = 32) -> None:
        super().__init__()
        if not 1 <= depth <= len(TINY_CHANNELS):
            raise ValueError(f"encoder_depth={depth}; the tiny encoder has 1 to 3 stages.")
        self.out_channels = [3, *TINY_CHANNELS[:depth]]
        self.output_stride = 2**depth
        self.stages = nn.ModuleList(
            _stage(before, after)
            for before, after in zip(self.out_channels, self.out_channels[1:], strict=False)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the image itself and one map per stage, finest first."""
        maps = [image]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps

    def set_in_channels(self, in_channels: int, pretrained: bool = False) -> None:
        """Change the number of image channels; the first stage starts anew."""
        if in_channels != self.out_channels[0]:
            self.out_channels[0] = in_channels
            self.stages[0] = _stage(in_channels, TINY_CHANNELS[0])

    def make_dilated(self, output_stride: int) -> None:
        """Do nothing: a stride of 8 is fine enough for every decoder."""


def group_normalized(module: nn.Module) -> nn.Module:
    """Replace every batch normalization in `module` by one over single images.

    Batch normalization cannot train on one image whose map is one pixel. A single channel is left
    unchanged, because normalizing one value over itself would erase it.

    Parameters
    ----------
    module : nn.Module
        Changed in place.

    Returns
    -------
    nn.Module
        The same module, or its replacement if it is a batch normalization itself.

    Examples
    --------
    >>> norm = group_normalized(nn.Sequential(nn.BatchNorm2d(16), nn.ReLU()))[0]
    >>> norm.num_groups, norm.num_channels
    (2, 16)
    """
    if isinstance(module, nn.BatchNorm2d):
        return group_norm(module.num_features)
    for name, child in module.named_children():
        setattr(module, name, group_normalized(child))
    return module


def _stage(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1),
        group_norm(out_channels),
        nn.ReLU(inplace=True),
    )


def group_norm(n_channels: int) -> nn.Module:
    """Make a group normalization with about 8 channels per group; none for a single channel."""
    if n_channels == 1:
        return nn.Identity()
    return nn.GroupNorm(math.gcd(n_channels, max(1, n_channels // 8)), n_channels)
