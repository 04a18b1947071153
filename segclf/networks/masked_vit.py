"""A vision transformer that sees a few patches of an image, and a decoder that guesses the others.

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
    """Guess hidden patches from the tokens of visible ones: a light transformer of its own.

    Its positions are fixed sines and cosines, of any grid. The order of tokens says nothing, so the
    hidden ones follow the visible ones, and nothing has to be sorted back.

    Parameters
    ----------
    in_features : int
        Length of the encoder's tokens.
    out_features : int
        Number of values of a patch.
    width, n_blocks, n_heads : int
        Length of the decoder's tokens, a multiple of 4 and of `n_heads`; and its blocks.
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
        """Give the values ``(n, m, v)`` of the patches `masked` ``(n, m)``.

        `encoded` ``(n, p + k, d)`` are p tokens without a place, then those of the patches
        `visible` ``(n, k)``; patches are counted row by row over the `grid`.
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
    """Tell whether an encoder is a plain vision transformer: patches cut out before all layers."""
    return is_vision_transformer(encoder) and is_a(encoder.patch_embed, "timm.layers", "PatchEmbed")


def encode_visible(encoder: "VisionTransformer", image: Tensor, visible: Tensor) -> Tensor:
    """Let a vision transformer see some patches of an image; its blocks never meet the others.

    Parameters
    ----------
    encoder : VisionTransformer
        Of timm.
    image : Tensor of shape (n, c, h, w)
        Prepared, in whole patches.
    visible : Tensor of shape (n, k), int64
        Which patches, counted row by row.

    Returns
    -------
    Tensor of shape (n, p + k, d)
        The p tokens without a place (class, registers), then those of the patches.
    """
    n_prefix = encoder.num_prefix_tokens

    def drop(module: nn.Module, given: tuple[Tensor], tokens: Tensor) -> Tensor:
        patches = torch.take_along_dim(tokens[:, n_prefix:], visible[..., None], dim=1)
        return torch.cat([tokens[:, :n_prefix], patches], dim=1)

    # Where timm itself drops patches: after positions are added, before the first block.
    with encoder.patch_drop.register_forward_hook(drop):
        return encoder.forward_features(image)


def fix_positions(encoder: "VisionTransformer") -> None:
    """Set the position embedding to sines and cosines of both axes, and train it no more."""
    if encoder.pos_embed is None:
        return
    width = encoder.pos_embed.shape[2]
    positions = _sines_and_cosines(encoder.patch_embed.grid_size, width)
    with torch.no_grad():
        encoder.pos_embed.zero_()
        encoder.pos_embed[0, -len(positions) :] = positions
    encoder.pos_embed.requires_grad_(False)


def start_as_in_mae(encoder: "VisionTransformer") -> None:
    """Initialize a vision transformer as MAE does, in place of timm's way.

    Linear layers and the cut into patches, as the linear layer that it is, are uniform after
    Glorot, biases 0; the class token and registers are normal with a deviation of .02.
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
