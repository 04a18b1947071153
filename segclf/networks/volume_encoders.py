"""Encoders of volumes by name: segclf's own, and MONAI's.

Each returns the volume itself and one map per level, finest first; the first map has the volume's
size. `out_channels` holds their channels, `strides` the strides of each stage between two levels,
and `output_stride` the total, each for slices, rows and columns. `smallest` is the smallest size of
a volume.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from segclf.networks.dynunet import dynunet_encoder
from segclf.networks.strides import choose_kernels, total_stride
from segclf.networks.tiny import group_norm

_TINY_WIDTH, _WIDTH, _WIDEST = 8, 16, 256

Strides = Sequence[Sequence[int]]


class ResidualEncoder(nn.Module):
    """A residual block at the volume's size, and one with twice the channels after each stride.

    Every normalization uses only one volume, so a batch may hold one or two.

    Parameters
    ----------
    in_channels : int
        Channels of the volumes.
    strides : sequence of (int, int, int)
        Strides of the stages, from `segclf.networks.strides.choose_strides`.
    width : int
        Channels at the volumes' size.

    Examples
    --------
    >>> import torch
    >>> encoder = ResidualEncoder(1, [(1, 2, 2), (2, 2, 2)], width=8)
    >>> [tuple(each.shape[1:]) for each in encoder(torch.zeros(2, 1, 6, 8, 12))]
    [(1, 6, 8, 12), (8, 6, 8, 12), (16, 6, 4, 6), (32, 3, 2, 3)]
    """

    def __init__(self, in_channels: int, strides: Strides, *, width: int = _WIDTH) -> None:
        super().__init__()
        widths = [min(width * 2**level, _WIDEST) for level in range(len(strides) + 1)]
        self.out_channels = [in_channels, *widths]
        self.strides = [list(stride) for stride in strides]
        self.output_stride = self.smallest = total_stride(strides)
        kernels = choose_kernels(strides)
        shapes = zip(pairwise(self.out_channels), kernels, [[1] * 3, *strides], strict=True)
        self.levels = nn.ModuleList(ResidualBlock(*each, k, stride) for each, k, stride in shapes)

    def forward(self, volume: Tensor) -> list[Tensor]:
        """Return the volume itself and one map per level, finest first."""
        maps = [volume]
        for level in self.levels:
            maps.append(level(maps[-1]))
        return maps

    def blocks(self) -> list[nn.Module]:
        """Return the modules that make each map from the one before."""
        return list(self.levels)


class ResidualBlock(nn.Module):
    """Two convolutions, each with group normalization, beside a shortcut.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels before and after.
    kernel, stride : sequence of int
        Along slices, rows and columns; the first convolution has the stride.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: Sequence[int], stride: Sequence[int]
    ) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            *_convolution(in_channels, out_channels, kernel, stride),
            nn.ReLU(inplace=True),
            *_convolution(out_channels, out_channels, kernel, [1] * 3),
        )
        same = in_channels == out_channels and set(stride) == {1}
        shortcut = _convolution(in_channels, out_channels, [1] * 3, stride)
        self.shortcut = nn.Identity() if same else nn.Sequential(*shortcut)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps (n, out_channels, d', h', w') for maps (n, in_channels, d, h, w)."""
        changed: Tensor = self.activation(self.convolutions(maps) + self.shortcut(maps))
        return changed


def _convolution(
    in_channels: int, out_channels: int, kernel: Sequence[int], stride: Sequence[int]
) -> list[nn.Module]:
    size, steps = tuple(kernel), tuple(stride)
    padding = tuple(each // 2 for each in size)
    convolution = nn.Conv3d(in_channels, out_channels, size, steps, padding, bias=False)  # type: ignore[arg-type]
    return [convolution, group_norm(out_channels)]


def _tiny(in_channels: int, strides: Strides) -> nn.Module:
    return ResidualEncoder(in_channels, strides, width=_TINY_WIDTH)


#: Functions, by name, that make an encoder from channels and strides.
VOLUME_ENCODERS: dict[str, Callable[[int, Strides], Any]] = {
    "residual3d": ResidualEncoder,
    "tiny3d": _tiny,
    "dynunet": dynunet_encoder,
}


def is_volume_encoder(name: Any) -> bool:
    """Tell whether a name is that of an encoder of volumes.

    Examples
    --------
    >>> from segclf.networks import is_volume_encoder
    >>> is_volume_encoder("tiny3d"), is_volume_encoder("resnet18")
    (True, False)
    """
    return isinstance(name, str) and name in VOLUME_ENCODERS


def make_volume_encoder(key: str, *, in_channels: int, strides: Strides) -> Any:
    """Make an encoder of volumes, randomly initialized.

    Parameters
    ----------
    key : str
        "residual3d", "tiny3d" or "dynunet".
    in_channels : int
        Channels of the volumes.
    strides : sequence of (int, int, int)
        Strides of the stages.

    Returns
    -------
    nn.Module
        From volumes (n, c, d, h, w) to a list of maps, finest first; see this module.

    Examples
    --------
    >>> import torch
    >>> from segclf.networks import make_volume_encoder
    >>> strides = [(1, 1, 1), (1, 2, 2)]
    >>> encoder = make_volume_encoder("tiny3d", in_channels=1, strides=strides)
    >>> [tuple(maps.shape) for maps in encoder(torch.zeros(1, 1, 4, 8, 8))]
    [(1, 1, 4, 8, 8), (1, 8, 4, 8, 8), (1, 16, 4, 8, 8), (1, 32, 4, 4, 4)]
    """
    return VOLUME_ENCODERS[key](in_channels, strides)
