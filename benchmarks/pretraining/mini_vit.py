"""A vision transformer that can be trained in an hour on 2 cores, registered in timm.

Its patches are 8 x 8 and its images 64 x 64, so there are 64 tokens: as many as MAE and local
crops need, with a tenth of the work of timm's smallest on the same number.
"""

from typing import Any

from timm.models import VisionTransformer, build_model_with_cfg, is_model, register_model

MINI_VIT = "vit_mini_patch8_64"
FORM = {
    "img_size": 64,
    "patch_size": 8,
    "embed_dim": 128,
    "depth": 4,
    "num_heads": 4,
    "dynamic_img_size": True,
}


def vit_mini_patch8_64(pretrained: bool = False, **options: Any) -> VisionTransformer:
    options["pretrained_cfg"] = {"input_size": (3, 64, 64)}
    features = {"out_indices": FORM["depth"], "feature_cls": "getter"}
    return build_model_with_cfg(
        VisionTransformer, MINI_VIT, pretrained, feature_cfg=features, **{**FORM, **options}
    )


if not is_model(MINI_VIT):
    register_model(vit_mini_patch8_64)
