"""A small vision transformer for small inputs, registered in timm as ``tiny_vit``."""

from typing import Any

from timm.models import VisionTransformer, build_model_with_cfg, is_model, register_model

from segclf.networks.tiny import TINY_VIT

_FORM = {
    "img_size": 32,
    "patch_size": 4,
    "embed_dim": 32,
    "depth": 2,
    "num_heads": 2,
    "mlp_ratio": 2.0,
    "dynamic_img_size": True,
}


def tiny_vit(pretrained: bool = False, **options: Any) -> VisionTransformer:
    """Make timm's vision transformer with two blocks of two heads and width 32, on 4 x 4 patches.

    It takes images of any height and width that are multiples of 4 pixels. There is no dropout.

    Parameters
    ----------
    pretrained : bool
        Required by timm, and ignored; there are no weights.
    **options
        Options of timm's models, passed on by ``timm.create_model``.

    Examples
    --------
    >>> import timm
    >>> import torch
    >>> import segclf.networks.tiny_vit
    >>> timm.create_model("tiny_vit", num_classes=5)(torch.zeros(1, 3, 8, 12)).shape
    torch.Size([1, 5])
    """
    options["pretrained_cfg"] = {"input_size": (3, 32, 32)}
    features = {"out_indices": _FORM["depth"], "feature_cls": "getter"}
    return build_model_with_cfg(
        VisionTransformer, TINY_VIT, pretrained, feature_cfg=features, **{**_FORM, **options}
    )


# If the file is imported twice, by name and by path as test runners do, it registers once.
if not is_model(TINY_VIT):
    register_model(tiny_vit)
