"""A vision transformer that sees some patches of an image, and a decoder that predicts the others.

He et al., "Masked autoencoders are scalable vision learners", CVPR 2022, section 3.
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from segclf.networks.libraries import is_a, is_vision_transformer

if TYPE_CHECKING:
    from timm.models import VisionTransformer

Grid = tuple[int, int]


class MaskedDecoder(nn.Module):
    """Predict hidden patches from the tokens of visible ones, by a light transformer.

    Its position embeddings are fixed sines and cosines, for any grid. The order of tokens does not
    matter, so hidden ones simply follow visible ones and nothing has to be sorted back.

    Parameters
    ----------
    in_features : int
        Length of the encoder's tokens.
    out_features : int
        Number of values in a patch.
    width, n_blocks, n_heads : int
        Length of the decoder's tokens, a multiple of 4 and of `n_heads`; its blocks; its heads.

    Examples
    --------
    >>> from segclf.networks import MaskedDecoder
    >>> decoder = MaskedDecoder(16, 48, width=8, n_blocks=1, n_heads=2)
    >>> sum(parameter.numel() for parameter in decoder.parameters()) > 0
    True
    """

    def __init__(
        self, in_features: int, out_features: int, *, width: int, n_blocks: int, n_heads: int
    ) -> None:
        super().__init__()
        from timm.models.vision_transformer import Block

        self.embed = nn.Linear(in_features, width)
        self.mask_token = nn.Parameter(torch.empty(width))
        self.blocks = nn.Sequential(
            *(Block(width, n_heads, qkv_bias=True) for _ in range(n_blocks))
        )
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, out_features)
        nn.init.normal_(self.mask_token, std=0.02)
        self.apply(_initialize)

    def forward(self, encoded: Tensor, visible: Tensor, masked: Tensor, grid: Grid) -> Tensor:
        """Return the values ``(n, m, v)`` of the patches in `masked` ``(n, m)``.

        `encoded` ``(n, p + k, d)`` holds p tokens without a place, then those of the patches in
        `visible` ``(n, k)``; patches are numbered row by row over the `grid`.
        """
        tokens = self.embed(encoded)
        positions = _sines_and_cosines(
            grid, tokens.shape[2], device=tokens.device, dtype=tokens.dtype
        )
        n_prefix = encoded.shape[1] - visible.shape[1]
        prefix, seen = tokens[:, :n_prefix], tokens[:, n_prefix:] + positions[visible]
        hidden = self.mask_token.to(tokens.dtype) + positions[masked]
        decoded = self.norm(self.blocks(torch.cat([prefix, seen, hidden], dim=1)))
        values: Tensor = self.head(decoded[:, -masked.shape[1] :])
        return values


def can_drop_patches(encoder: nn.Module) -> bool:
    """Tell whether an encoder is a plain vision transformer, with patches cut before all layers.

    Examples
    --------
    >>> from segclf.networks import can_drop_patches, classification_network
    >>> can_drop_patches(classification_network(encoder="tiny", n_classes=2, in_channels=3).encoder)
    False
    """
    return is_vision_transformer(encoder) and is_a(encoder.patch_embed, "timm.layers", "PatchEmbed")


def encode_visible(encoder: "VisionTransformer", image: Tensor, visible: Tensor) -> Tensor:
    """Encode some patches of an image by a vision transformer; its blocks never see the others.

    Parameters
    ----------
    encoder : VisionTransformer
        A model of timm.
    image : Tensor of shape (n, c, h, w)
        Prepared images, in whole patches.
    visible : Tensor of shape (n, k), int64
        Indices of the visible patches, numbered row by row.

    Returns
    -------
    Tensor of shape (n, p + k, d)
        The p tokens without a place (class, registers), then those of the patches.

    Examples
    --------
    >>> import timm
    >>> import torch
    >>> encoder = timm.create_model("test_vit", img_size=32, num_classes=0)
    >>> from segclf.networks import encode_visible
    >>> encode_visible(encoder, torch.zeros(1, 3, 32, 32), torch.tensor([[0, 3]])).shape
    torch.Size([1, 3, 64])
    """
    n_prefix = encoder.num_prefix_tokens

    def drop(module: nn.Module, given: tuple[Tensor], tokens: Tensor) -> Tensor:
        patches = torch.take_along_dim(tokens[:, n_prefix:], visible[..., None], dim=1)
        return torch.cat([tokens[:, :n_prefix], patches], dim=1)

    # Patches are dropped where timm does so: after positions are added, before the first block.
    with encoder.patch_drop.register_forward_hook(drop):
        return encoder.forward_features(image)


def fix_positions(encoder: "VisionTransformer") -> None:
    """Set the position embedding to fixed sines and cosines of both axes.

    Examples
    --------
    >>> import timm
    >>> import torch
    >>> encoder = timm.create_model("test_vit", img_size=32, num_classes=0)
    >>> from segclf.networks import fix_positions
    >>> fix_positions(encoder)
    >>> encoder.pos_embed.requires_grad
    False
    """
    if encoder.pos_embed is None:
        return
    width = encoder.pos_embed.shape[2]
    positions = _sines_and_cosines(encoder.patch_embed.grid_size, width)
    with torch.no_grad():
        encoder.pos_embed.zero_()
        encoder.pos_embed[0, -len(positions) :] = positions
    encoder.pos_embed.requires_grad_(False)


def start_as_in_mae(encoder: "VisionTransformer") -> None:
    """Initialize a vision transformer as in MAE instead of timm.

    Linear layers and the patch embedding are uniform after Glorot, biases 0; the class token and
    registers are normal with a standard deviation of .02.

    Examples
    --------
    >>> import timm
    >>> import torch
    >>> encoder = timm.create_model("test_vit", img_size=32, num_classes=0)
    >>> from segclf.networks import start_as_in_mae
    >>> start_as_in_mae(encoder)
    >>> bool((encoder.blocks[0].mlp.fc1.bias == 0).all())
    True
    """
    encoder.apply(_initialize)
    patches: Any = encoder.patch_embed
    nn.init.xavier_uniform_(patches.proj.weight.data.flatten(1))
    for token in (encoder.cls_token, encoder.reg_token):
        if token is not None:
            nn.init.normal_(token, std=0.02)


def _sines_and_cosines(grid: Grid, width: int, **form: Any) -> Tensor:
    from timm.layers.pos_embed_sincos import build_sincos2d_pos_embed

    return build_sincos2d_pos_embed(list(grid), width, **form)


def _initialize(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
