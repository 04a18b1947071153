"""torchvision's FCN, on any encoder.

J. Long, E. Shelhamer, T. Darrell: "Fully Convolutional Networks for Semantic Segmentation", CVPR
2015. The S4C paper trains torchvision's ``fcn_resnet50``. ``architecture="fcn"`` with
``encoder="resnet50"`` has the same layers, dilations, initialization and output.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from segclf.networks.encoders import make_encoder
from segclf.networks.libraries import import_smp
from segclf.networks.tiny import SMP_NAME

# Errors of encoders that cannot replace their deepest strides by dilation.
_CANNOT_DILATE = (ValueError, TypeError, NotImplementedError, RuntimeError, AssertionError)


class FCNDecoder(nn.Module):
    """A 3 x 3 convolution to a quarter of the deepest map's channels, normalized; dropout .1.

    Parameters
    ----------
    in_channels : int
        Channels of the deepest map.

    Examples
    --------
    >>> import torch
    >>> FCNDecoder(64)([torch.zeros(2, 3, 32, 32), torch.zeros(2, 64, 4, 4)]).shape
    torch.Size([2, 16, 4, 4])
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.out_channels = in_channels // 4
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, self.out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(self.out_channels),
            nn.ReLU(),
            nn.Dropout(0.1),
        )

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Return the map that the head reads, from the encoder's maps."""
        decoded: Tensor = self.layers(maps[-1])
        return decoded


def fcn_encoder(key: str, *, in_channels: int, depth: int) -> Any:
    """Make an encoder whose deepest map has stride 8, by dilation, if possible.

    Parameters
    ----------
    key : str
        From :func:`segclf.networks.encoders.encoder_key`.
    in_channels, depth : int
        See :func:`segclf.networks.encoders.make_encoder`.
    """
    if key != SMP_NAME and (params := _bottlenecks(key)) is not None:
        return _torchvision_resnet(params, in_channels, depth)
    try:
        return make_encoder(key, in_channels=in_channels, depth=depth, output_stride=8)
    except _CANNOT_DILATE:
        return make_encoder(key, in_channels=in_channels, depth=depth)


def _bottlenecks(key: str) -> dict[str, Any] | None:
    """Return the parameters of a ResNet of bottlenecks, None for any other encoder."""
    from torchvision.models.resnet import Bottleneck

    entry = import_smp().encoders.encoders.get(key)
    if entry is None or entry["params"].get("block") is not Bottleneck:
        return None
    return entry["params"] if entry["encoder"].__name__ == "ResNetEncoder" else None


def _torchvision_resnet(params: dict[str, Any], in_channels: int, depth: int) -> Any:
    from segmentation_models_pytorch.encoders.resnet import ResNetEncoder

    # smp also dilates the first block of a stage, torchvision does not, so the pixels seen differ.
    dilated = {"replace_stride_with_dilation": [False, True, True]}
    encoder = ResNetEncoder(**{**params, **dilated}, depth=depth, output_stride=8)
    encoder.set_in_channels(in_channels, pretrained=False)
    return encoder
