"""Encoders by name: segmentation-models-pytorch's own, every timm model, "tiny" and "tiny_vit".

A name that both libraries know means segmentation-models-pytorch's, for segmenters and classifiers
alike, so that the two are compared on identical encoders. ``tu-`` before a name asks for timm's.
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
    """Give the name by which segmentation-models-pytorch's own table knows an encoder.

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
        When the name is unknown; the error suggests close ones.

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
    """Give timm's name of an encoder, or None when it is not timm's."""
    return key.removeprefix(_TIMM) if key.startswith(_TIMM) else None


def shown_name(key: str) -> str:
    """Give the name by which a user knows an encoder."""
    return "tiny" if key == SMP_NAME else timm_name(key) or key


def smallest_side(key: str) -> int:
    """Give the least height and width in pixels that an encoder takes, whatever its depth.

    Mix transformers run all their stages and shrink the keys of the first by 8 after a stride of 4.
    """
    return 32 if key.startswith("mit_") else 1


def any_size(name: str) -> dict[str, Any]:
    """Give the timm option that lets a model take images of any size, if it knows one.

    Vision transformers resample their position embedding, Swin its windows. Convolutional models
    know no such option and need none.
    """
    try:
        with torch.device("meta"):
            import_timm().create_model(name, pretrained=False, dynamic_img_size=True)
    except TypeError:
        return {}
    return {"dynamic_img_size": True}


def takes_whole_patches(model: Any) -> bool:
    """Tell whether a timm model refuses images whose sides are no multiples of its patches."""
    patches = getattr(model, "patch_embed", None) or getattr(model, "embeds", None)
    return getattr(patches, "dynamic_img_pad", None) is False


def make_timm(name: str, *, in_channels: int) -> Any:
    """Make a timm model without its classifier, randomly initialized, for any size if it can.

    Parameters
    ----------
    name : str
        timm's.
    in_channels : int
        Channels of the images.
    """
    return import_timm().create_model(
        name, pretrained=False, num_classes=0, in_chans=in_channels, **any_size(name)
    )


def has_one_grid(key: str) -> bool:
    """Tell whether a timm model has all its maps at the stride of its patches.

    So do plain vision transformers, and those that differ from them within a block only.
    """
    name = timm_name(key)
    if name is None:
        return False
    with torch.device("meta"):
        model = import_timm().create_model(name, pretrained=False)
    reductions = {each["reduction"] for each in model.feature_info}
    return len(model.feature_info) > 1 == len(reductions) and hasattr(model, "blocks")


def make_vit_encoder(key: str, *, in_channels: int, n_blocks: int | None = None) -> ViTEncoder:
    """Make a vision transformer as an encoder of the image and the maps of its last blocks.

    Parameters
    ----------
    key : str
        From :func:`encoder_key`.
    in_channels : int
        Channels of the images.
    n_blocks : int or None
        How many blocks, at most; None is the last of a plain vision transformer.

    Raises
    ------
    ValueError
        When that is asked of anything else.
    """
    name = timm_name(key)
    model = None if name is None else make_timm(name, in_channels=in_channels)
    if n_blocks is not None:
        return ViTEncoder(model, in_channels, n_blocks)
    if not is_vision_transformer(model):
        raise ValueError(
            "it is no plain vision transformer (timm.models.VisionTransformer). These are, for "
            "example: vit_small_patch8_224, vit_tiny_patch16_224, deit_small_patch16_224, tiny_vit."
        )
    return ViTEncoder(model, in_channels)


def make_encoder(key: str, *, in_channels: int, depth: int, output_stride: int = 32) -> Any:
    """Make an encoder as segmentation-models-pytorch's decoders take it, randomly initialized.

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
        Image to a list of maps, finest first; with `out_channels` and `output_stride`.
    """
    if key == SMP_NAME:
        encoder = TinyEncoder(depth)
        encoder.set_in_channels(in_channels)
        return encoder
    if key == PLAIN:
        raise ValueError("encoder='plain' is that of architecture='plain_unet', and of no other.")
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
    """Give the module whose names a file of weights has: timm's model sits inside a wrapper."""
    wrapped = isinstance(encoder, ViTEncoder) or any(
        is_a(encoder, "segmentation_models_pytorch.encoders", name)
        for name in ("TimmUniversalEncoder", "TimmViTEncoder")
    )
    return encoder.get_submodule("model") if wrapped else encoder


def pooled(encoder: nn.Module, maps: list[Tensor]) -> Tensor:
    """Give the mean (n, c) of the deepest map (n, c, h, w), after its `last_activation`."""
    deepest: Tensor = last_activation(encoder)(maps[-1])
    return deepest.mean(axes_from(2, deepest))


def last_activation(encoder: nn.Module) -> nn.Module:
    """Give what is still to be done to the deepest map before its mean is taken.

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
        f"No encoder named {name!r}.{guess} There are: tiny, tiny_vit, squeezenet1_1, those of "
        "segmentation-models-pytorch (resnet18, densenet121, mobilenet_v2, ...; see "
        "smp.encoders.get_encoder_names()), and every timm model by its name (see "
        f"timm.list_models()); of volumes: {', '.join(VOLUME_ENCODERS)}."
    )
