"""Hide parts of an image from any encoder, and reconstruct the image from its deepest map.

Xie et al., "SimMIM: a simple framework for masked image modeling", CVPR 2022, section 3.
"""

from typing import Any

import torch
from torch import Tensor, nn

from segclf.networks.classification import ClassificationNetwork
from segclf.networks.libraries import is_a


class Inpainter(nn.Module):
    """What SimMIM adds to an encoder: learned values for hidden parts, and a light head.

    In transformers of patches (timm's ViT, Swin, BEiT, ...), one learned token replaces each hidden
    patch. The paper has no convolutional encoders; in these, one learned value per channel,
    initially 0 (the mean), replaces each hidden pixel.

    Parameters
    ----------
    network : ClassificationNetwork
        Network whose encoder is used; not stored here.

    Attributes
    ----------
    unit : int
        Height and width in pixels of the smallest part that can be hidden: a patch, or 1.
    stride : int
        Height and width in pixels of one place of the deepest map.

    Examples
    --------
    >>> import torch
    >>> from segclf.networks import Inpainter, classification_network
    >>> network = classification_network(encoder="tiny", n_classes=0, in_channels=3)
    >>> Inpainter(network).unit
    1
    """

    def __init__(self, network: ClassificationNetwork) -> None:
        super().__init__()
        encoder: Any = network.encoder
        n_channels = network.recipe["in_channels"]
        self.hides_tokens = _cuts_patches(encoder)
        if self.hides_tokens:
            self.unit = int(encoder.patch_embed.patch_size[0])
            self.token = nn.Parameter(torch.empty(encoder.patch_embed.proj.out_channels))
            nn.init.trunc_normal_(self.token, std=0.02)
        else:
            self.unit = 1
            self.token = nn.Parameter(torch.zeros(n_channels))
        n_features, self.stride = _deepest_form(encoder)
        self.head = nn.Sequential(
            nn.Conv2d(n_features, n_channels * self.stride**2, 1), nn.PixelShuffle(self.stride)
        )

    def forward(self, encoder: nn.Module, image: Tensor, hidden: Tensor) -> Tensor:
        """Reconstruct prepared images ``(n, c, h, w)``, in whole strides, with hidden parts.

        `hidden` ``(n, h / unit, w / unit)``, bool, marks the hidden parts.
        """
        if not self.hides_tokens:
            image = torch.where(hidden[:, None], self.token[:, None, None], image)
            return self._paint(encoder, image)

        def hide(module: nn.Module, given: tuple[Tensor], tokens: Tensor) -> Tensor:
            where = hidden.reshape(len(hidden), *tokens.shape[1:-1], 1)
            return torch.where(where, self.token.to(tokens.dtype), tokens)

        with encoder.get_submodule("patch_embed").register_forward_hook(hide):
            return self._paint(encoder, image)

    def _paint(self, encoder: nn.Module, image: Tensor) -> Tensor:
        painted: Tensor = self.head(_deepest_map(encoder, image))
        return painted


def _cuts_patches(encoder: Any) -> bool:
    """Tell whether there are tokens to hide, channels last."""
    embed: Any = getattr(encoder, "patch_embed", None)
    return is_a(embed, "timm.layers", "PatchEmbed") and (
        embed.flatten or embed.output_fmt == "NHWC"
    )


def _deepest_form(encoder: Any) -> tuple[int, int]:
    """Return channels and stride of the deepest map."""
    if hasattr(encoder, "out_channels"):
        return int(encoder.out_channels[-1]), int(encoder.output_stride)
    deepest = encoder.feature_info[-1]
    return int(deepest["num_chs"]), int(deepest["reduction"])


def _deepest_map(encoder: Any, image: Tensor) -> Tensor:
    if not hasattr(encoder, "forward_intermediates"):
        return encoder(image)[-1]
    return encoder.forward_intermediates(image, indices=1, norm=True, intermediates_only=True)[-1]
