"""A Swin transformer that an hour on 2 cores suffices for, known to timm by its name."""

from typing import Any

from timm.models import build_model_with_cfg, is_model, register_model
from timm.models.swin_transformer import SwinTransformer, checkpoint_filter_fn

MINI_SWIN = "swin_mini_patch4_window4_64"
FORM = {
    "img_size": 64,
    "patch_size": 4,
    "window_size": 4,
    "embed_dim": 48,
    "depths": (2, 2, 2, 2),
    "num_heads": (2, 4, 8, 16),
}


def swin_mini_patch4_window4_64(pretrained: bool = False, **options: Any) -> SwinTransformer:
    options["pretrained_cfg"] = {"input_size": (3, 64, 64)}
    out_indices = options.pop("out_indices", (0, 1, 2, 3))
    return build_model_with_cfg(
        SwinTransformer,
        MINI_SWIN,
        pretrained,
        pretrained_filter_fn=checkpoint_filter_fn,
        feature_cfg={"flatten_sequential": True, "out_indices": out_indices},
        **{**FORM, **options},
    )


if not is_model(MINI_SWIN):
    register_model(swin_mini_patch4_window4_64)
