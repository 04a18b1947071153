"""torchvision's SqueezeNet 1.1, registered in timm as ``squeezenet1_1``, which timm lacks.

Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and < 0.5 MB model
size", 2016; version 1.1 is the authors' own, with the same accuracy for 2.4 times less work.
"""

from typing import Any

from timm.models import is_model, register_model
from torch import Tensor, nn
from torchvision.models import squeezenet1_1 as torchvision_squeezenet

SQUEEZENET = "squeezenet1_1"


class SqueezeNet(nn.Module):
    """SqueezeNet 1.1 without its classifier: image to vector.

    With a linear layer it is torchvision's network, whose 1 x 1 convolution and mean equal a mean
    and a linear layer, except for the dropout before them and the ReLU between them. Files of
    torchvision's weights fit.

    Parameters
    ----------
    in_channels : int
        Channels of the images.

    Examples
    --------
    >>> import torch
    >>> SqueezeNet(1)(torch.zeros(2, 1, 32, 48)).shape
    torch.Size([2, 512])
    """

    num_features = 512
    # Its stride is 16, but for lack of padding it takes no image below 32 pixels.
    feature_info = ({"num_chs": num_features, "reduction": 32, "module": "features"},)

    def __init__(self, in_channels: int = 3) -> None:
        super().__init__()
        self.features = torchvision_squeezenet(weights=None).features
        if in_channels != 3:
            first: Any = nn.Conv2d(in_channels, 64, kernel_size=3, stride=2)
            nn.init.kaiming_uniform_(first.weight)
            nn.init.zeros_(first.bias)
            self.features[0] = first

    def forward_features(self, image: Tensor) -> Tensor:
        """Return the deepest map ``(n, 512, h', w')`` of images ``(n, c, h, w)``."""
        maps: Tensor = self.features(image)
        return maps

    def forward(self, image: Tensor) -> Tensor:
        """Return the mean (n, 512) of the deepest map (n, 512, h, w)."""
        return self.forward_features(image).mean((2, 3))


def squeezenet1_1(
    pretrained: bool = False,
    pretrained_cfg: Any = None,
    pretrained_cfg_overlay: Any = None,
    cache_dir: Any = None,
    num_classes: int = 0,
    in_chans: int = 3,
) -> SqueezeNet:
    """Make a :class:`SqueezeNet` for timm's registry, without weights and classifier.

    Parameters
    ----------
    pretrained, pretrained_cfg, pretrained_cfg_overlay, cache_dir, num_classes
        Required by timm, and ignored.
    in_chans : int
        Channels of the images.
    """
    return SqueezeNet(in_chans)


# If the file is imported twice, by name and by path as test runners do, it registers once.
if not is_model(SQUEEZENET):
    register_model(squeezenet1_1)
