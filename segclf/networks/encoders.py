"""Encoders by name: segmentation-models-pytorch's own, every timm model, "tiny" and "tiny_vit".

A name in both libraries means segmentation-models-pytorch's encoder, for segmenters and classifiers
alike, so that both are compared on identical encoders. ``tu-`` before a name selects timm's.
"""

import difflib
from typing import Any

import torch
from torch import Tensor, nn

from segclf.axes import axes_from
from segclf.networks.libraries import import_smp, import_timm, is_a, is_vision_transformer
from segclf.networks.plain_unet import PLAIN
from segclf.networks.tiny import SMP_NAME, TINY_VIT, TinyEncoder
from segclf.networks.vit_unet import ViTEncoder
from segclf.networks.volume_encoders import VOLUME_ENCODERS, is_volume_encoder

_TIMM = "tu-"
TINY_KEYS = (SMP_NAME, _TIMM + TINY_VIT)


def encoder_key(name: str) -> str:
    """Return the name of an encoder in segmentation-models-pytorch's table.

    Parameters
    ----------
    name : str
        ``"tiny"``, ``"plain"``, a name of that table, or any timm model (its ``tu-`` is added
        here), to which ``"tiny_vit"`` belongs; or an encoder of volumes.

    Returns
    -------
    str
        Names of timm models start with ``tu-``.

    Raises
    ------
    ValueError
        If the name is unknown; the error suggests similar ones.

    Examples
    --------
    >>> encoder_key("resnet18"), encoder_key("convnext_atto")
    ('resnet18', 'tu-convnext_atto')
    """
    if name == "tiny":
        return SMP_NAME
    if name == PLAIN or is_volume_encoder(name):
        return name
    if name in import_smp().encoders.encoders:
        return name
    plain = name.removeprefix(_TIMM)
    if import_timm().is_model(plain):
        return _TIMM + plain
    raise ValueError(_unknown(name))


def timm_name(key: str) -> str | None:
    """Return timm's name of an encoder, or None if it is not from timm."""
    return key.removeprefix(_TIMM) if key.startswith(_TIMM) else None


def shown_name(key: str) -> str:
    """Return the name of an encoder for users."""
    return "tiny" if key == SMP_NAME else timm_name(key) or key


def smallest_side(key: str) -> int:
    """Return the smallest height and width in pixels that an encoder takes at any depth.

    Mix transformers run all their stages and shrink the keys of the first by 8 after a stride of 4.
    """
    return 32 if key.startswith("mit_") else 1


def any_size(name: str) -> dict[str, Any]:
    """Return the timm option that lets a model take images of any size, if it has one.

    Vision transformers resample their position embedding, Swin its windows. Convolutional models
    have no such option and need none.
    """
    try:
        with torch.device("meta"):
            import_timm().create_model(name, pretrained=False, dynamic_img_size=True)
    except TypeError:
        return {}
    return {"dynamic_img_size": True}


def takes_whole_patches(model: Any) -> bool:
    """Tell whether a timm model refuses images whose sides are not multiples of its patches."""
    patches = getattr(model, "patch_embed", None) or getattr(model, "embeds", None)
    return getattr(patches, "dynamic_img_pad", None) is False


def make_timm(name: str, *, in_channels: int) -> Any:
    """Make a timm model without its classifier, randomly initialized, for any size if possible.

    Parameters
    ----------
    name : str
        Name in timm.
    in_channels : int
        Channels of the images.
    """
    return import_timm().create_model(
        name, pretrained=False, num_classes=0, in_chans=in_channels, **any_size(name)
    )


def has_one_grid(key: str) -> bool:
    """Tell whether a timm model has all its maps at the stride of its patches.

    This holds for plain vision transformers, and for those that differ only within blocks.
    """
    name = timm_name(key)
    if name is None:
        return False
    with torch.device("meta"):
        model = import_timm().create_model(name, pretrained=False)
    reductions = {each["reduction"] for each in model.feature_info}
    return len(model.feature_info) > 1 == len(reductions) and hasattr(model, "blocks")


def make_vit_encoder(key: str, *, in_channels: int, n_blocks: int | None = None) -> ViTEncoder:
    """Make a vision transformer that returns the image and the maps of its last blocks.

    Parameters
    ----------
    key : str
        From :func:`encoder_key`.
    in_channels : int
        Channels of the images.
    n_blocks : int or None
        Number of blocks, at most; None means the last one of a plain vision transformer.

    Raises
    ------
    ValueError
        If the encoder is of another kind.
    """
    name = timm_name(key)
    model = None if name is None else make_timm(name, in_channels=in_channels)
    if n_blocks is not None:
        return ViTEncoder(model, in_channels, n_blocks)
    if not is_vision_transformer(model):
        raise ValueError(
            "it is not a plain vision transformer (timm.models.VisionTransformer), such as "
            "vit_small_patch8_224, vit_tiny_patch16_224, deit_small_patch16_224 or tiny_vit."
        )
    return ViTEncoder(model, in_channels)


def make_encoder(key: str, *, in_channels: int, depth: int, output_stride: int = 32) -> Any:
    """Make an encoder for segmentation-models-pytorch's decoders, randomly initialized.

    Parameters
    ----------
    key : str
        From :func:`encoder_key`.
    in_channels : int
        Channels of the images.
    depth : int
        Number of stages, each at half the resolution of the one before.
    output_stride : int
        8 or 16 dilates the deepest stages instead of striding them.

    Returns
    -------
    nn.Module
        From image to a list of maps, finest first; with `out_channels` and `output_stride`.
    """
    if key == SMP_NAME:
        encoder = TinyEncoder(depth)
        encoder.set_in_channels(in_channels)
        return encoder
    if key == PLAIN:
        raise ValueError("encoder='plain' works only with architecture='plain_unet'.")
    options = any_size(key.removeprefix(_TIMM)) if key.startswith(_TIMM) else {}
    return import_smp().encoders.get_encoder(
        key,
        in_channels=in_channels,
        depth=depth,
        weights=None,
        output_stride=output_stride,
        **options,
    )


def weights_holder(encoder: nn.Module) -> nn.Module:
    """Return the module whose names a file of weights has, since timm models are wrapped."""
    wrapped = isinstance(encoder, ViTEncoder) or any(
        is_a(encoder, "segmentation_models_pytorch.encoders", name)
        for name in ("TimmUniversalEncoder", "TimmViTEncoder")
    )
    return encoder.get_submodule("model") if wrapped else encoder


def pooled(encoder: nn.Module, maps: list[Tensor]) -> Tensor:
    """Return the mean (n, c) of the deepest map (n, c, h, w), after its `last_activation`."""
    deepest: Tensor = last_activation(encoder)(maps[-1])
    return deepest.mean(axes_from(2, deepest))


def last_activation(encoder: nn.Module) -> nn.Module:
    """Return the activation to apply to the deepest map before its mean is taken.

    DenseNet's last map comes before its ReLU, which torchvision's classifier applies first.
    """
    library = "segmentation_models_pytorch.encoders.densenet"
    return nn.ReLU() if is_a(encoder, library, "DenseNetEncoder") else nn.Identity()


def _unknown(name: str) -> str:
    theirs = [*import_smp().encoders.encoders, *import_timm().list_models()]
    known = dict.fromkeys(["tiny", *VOLUME_ENCODERS, *theirs])
    known.pop(SMP_NAME, None)
    close = difflib.get_close_matches(name.removeprefix(_TIMM), known, n=4)
    guess = f" Did you mean {', '.join(close)}?" if close else ""
    return (
        f"No encoder named {name!r}.{guess} Available: tiny, tiny_vit, squeezenet1_1, those of "
        "segmentation-models-pytorch (resnet18, densenet121, mobilenet_v2, ...; see "
        "smp.encoders.get_encoder_names()), and every timm model by its name (see "
        f"timm.list_models()); for volumes: {', '.join(VOLUME_ENCODERS)}."
    )
