"""Networks for images of 32 x 32 that learn in seconds, known to timm by name."""

from typing import Any

from timm.models import VisionTransformer, build_model_with_cfg, is_model, register_model

CNN = "test_resnet"  # timm's own, with batch normalization: 0.4 M parameters
VIT = "vit_mini_patch4_32"
FORM = {
    "img_size": 32,
    "patch_size": 4,
    "embed_dim": 96,
    "depth": 4,
    "num_heads": 3,
    "dynamic_img_size": True,
}


def vit_mini_patch4_32(pretrained: bool = False, **options: Any) -> VisionTransformer:
    options["pretrained_cfg"] = {"input_size": (3, 32, 32)}
    features = {"out_indices": FORM["depth"], "feature_cls": "getter"}
    return build_model_with_cfg(
        VisionTransformer, VIT, pretrained, feature_cfg=features, **{**FORM, **options}
    )


if not is_model(VIT):
    register_model(vit_mini_patch4_32)
