"""IRNet: class boundaries and displacements to object centers, from an encoder's maps.

Ahn, Cho and Kwak, "Weakly supervised learning of instance segmentation with inter-pixel relations",
CVPR 2019, Section 4.1.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segclf.networks.encoders import encoder_key, make_encoder, pooled
from segclf.networks.image_network import ImageNetwork
from segclf.networks.options import resolve_depth

_EDGE_WIDTH, _EDGE_GROUPS = 32, 4
_FUSED_WIDTH = 256
# Widths in the displacement branch, for each map from the finest on; the last for further maps.
_WIDTHS = (64, 128, 256)


class IRNet(ImageNetwork):
    """Two branches on the maps of an encoder, which IRNet keeps frozen.

    Made by :func:`segclf.networks.irnet`. Both return maps on a grid of ``ceil(h / stride)`` rows
    and ``ceil(w / stride)`` columns. The branches share only the encoder: while that is frozen,
    training one does not affect the other.

    Parameters
    ----------
    encoder : nn.Module
        Image to maps, finest first.
    recipe : dict
        See :class:`ImageNetwork`.
    smallest : int
        See :class:`ImageNetwork`.
    """

    def __init__(self, encoder: Any, recipe: dict[str, Any], *, smallest: int) -> None:
        super().__init__(recipe, stride=smallest, smallest=smallest)
        self.encoder = encoder
        self.n_features = int(encoder.out_channels[-1])
        channels = [c for c in encoder.out_channels[1:] if c]
        self.edge = EdgeBranch(channels)
        self.displacement = DisplacementBranch(channels)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits of boundaries ``(n, h', w')``, and displacements ``(n, 2, h', w')``."""
        prepared = self.prepare(image)
        maps, size = self._maps(prepared), self._grid(prepared)
        both = (self.edge(maps, size)[:, 0], self.displacement(maps, size))
        return self._cropped(both[0], image), self._cropped(both[1], image)

    def edge_logits(self, image: Tensor) -> Tensor:
        """Return logits of boundaries alone, ``(n, h', w')``."""
        prepared = self.prepare(image)
        logits: Tensor = self.edge(self._maps(prepared), self._grid(prepared))[:, 0]
        return self._cropped(logits, image)

    def boundaries(self, image: Tensor) -> Tensor:
        """Return probabilities ``(n, h', w')``; logits are averaged with the mirror image's."""
        prepared = self.prepare(image)
        size = self._grid(prepared)
        views = (prepared, prepared.flip(-1))
        plain, mirrored = (self.edge(self._maps(view), size)[:, 0] for view in views)
        return self._cropped(torch.sigmoid((plain + mirrored.flip(-1)) / 2), image)

    def features(self, image: Tensor) -> list[Tensor]:
        """Return the encoder's maps for images ``(n, c, h, w)``, finest first, padding included."""
        return list(self.encode(self.prepare(image)))

    def embed(self, image: Tensor) -> Tensor:
        """Return the deepest map's mean, ``(n, d)``, for images ``(n, c, h, w)``."""
        return pooled(self.encoder, self.features(image))

    def _maps(self, prepared: Tensor) -> list[Tensor]:
        return [each for each in self.encode(prepared)[1:] if each.shape[1]]

    def _grid(self, image: Tensor) -> tuple[int, int]:
        """Return height and width of the grid for an image."""
        height, width = (-(-side // self.recipe["stride"]) for side in image.shape[-2:])
        return height, width

    def _cropped(self, values: Tensor, image: Tensor) -> Tensor:
        height, width = self._grid(image)
        return values[..., :height, :width]


class EdgeBranch(nn.Module):
    """Reduce each map to 32 channels, resize all to one size, and reduce all to one logit.

    Parameters
    ----------
    channels : sequence of int
        Channels of the maps.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.squeeze = nn.ModuleList(_squeeze(c, _EDGE_WIDTH, _EDGE_GROUPS) for c in channels)
        self.head = nn.Conv2d(_EDGE_WIDTH * len(channels), 1, 1)

    def forward(self, maps: list[Tensor], size: tuple[int, int]) -> Tensor:
        """Return logits ``(n, 1, *size)`` of maps, finest first."""
        pairs = zip(self.squeeze, maps, strict=True)
        logits: Tensor = self.head(
            torch.cat([_sized(f(each), size).relu() for f, each in pairs], 1)
        )
        return logits


class DisplacementBranch(nn.Module):
    """Join the deep maps, from the third on, first, and then all maps.

    IRNet finally subtracts the mean displacement ("MeanShift"), since the loss ignores a constant.
    Masks need no displacements, so that step is left out.

    Parameters
    ----------
    channels : sequence of int
        Channels of the maps, at least three.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        widths = [_WIDTHS[min(i, len(_WIDTHS) - 1)] for i in range(len(channels))]
        self.squeeze = nn.ModuleList(map(_squeeze, channels, widths))
        self.deep = _squeeze(sum(widths[2:]), _FUSED_WIDTH)
        self.all = _squeeze(sum(widths[:2]) + _FUSED_WIDTH, _FUSED_WIDTH)
        self.head = nn.Conv2d(_FUSED_WIDTH, 2, 1, bias=False)

    def forward(self, maps: list[Tensor], size: tuple[int, int]) -> Tensor:
        """Return displacements ``(n, 2, h, w)`` at a size, from maps, finest first."""
        squeezed = [f(each) for f, each in zip(self.squeeze, maps, strict=True)]
        middle = (squeezed[2].shape[2], squeezed[2].shape[3])
        deep = self.deep(torch.cat([_sized(each, middle).relu() for each in squeezed[2:]], 1))
        parts = [_sized(each, size).relu() for each in (*squeezed[:2], deep)]
        displacements: Tensor = self.head(self.all(torch.cat(parts, 1)).relu())
        return displacements


def irnet(*, encoder: str = "resnet50", in_channels: int = 3, stride: int = 4) -> IRNet:
    """Make IRNet's two branches on an encoder.

    Maps finer than the grid are max-pooled, as in a ResNet's stem; coarser ones are interpolated.

    Parameters
    ----------
    encoder : str
        A name as for :func:`segclf.networks.segmentation_network`; IRNet's is "resnet50", with a
        stride of 16 instead of 32.
    in_channels : int
        Channels of the images.
    stride : int
        Image pixels per grid cell; 4 in IRNet.

    Returns
    -------
    IRNet
        Randomly initialized from torch's global generator.

    Raises
    ------
    ValueError
        If the encoder is unknown or has fewer than three maps.

    Examples
    --------
    >>> network = irnet(encoder="tiny", in_channels=1)
    >>> edge, displacement = network(torch.zeros(2, 1, 30, 41))
    >>> tuple(edge.shape), tuple(displacement.shape)
    ((2, 8, 11), (2, 2, 8, 11))
    """
    key = encoder_key(encoder)
    made = make_encoder(key, in_channels=in_channels, depth=resolve_depth(key, None) or 5)
    if sum(c > 0 for c in made.out_channels[1:]) < 3:
        raise ValueError(
            f"encoder={encoder!r} has maps of {made.out_channels[1:]} channels; expected at least "
            "three maps."
        )
    recipe = {"kind": "irnet", "encoder": encoder, "in_channels": in_channels, "stride": stride}
    return IRNet(made, recipe, smallest=int(made.output_stride))


def _squeeze(before: int, after: int, groups: int | None = None) -> nn.Sequential:
    norm = nn.GroupNorm(groups or min(16, after // 8), after)
    return nn.Sequential(nn.Conv2d(before, after, 1, bias=False), norm)


def _sized(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize maps (n, d, h, w) to a height and width."""
    height, width = values.shape[2:]
    if (height, width) == size:
        return values
    if height >= size[0] and width >= size[1]:
        return F.adaptive_max_pool2d(values, size)
    return F.interpolate(values, size, mode="bilinear")
