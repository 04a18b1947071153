"""Encoder, decoder and head of a segmentation network, from the two libraries or segclf itself."""

import inspect
import math
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

from segclf.axes import N_SPATIAL
from segclf.networks.architectures import Architecture, find_architecture
from segclf.networks.dynunet import dynunet_parts
from segclf.networks.encoders import (
    TINY_KEYS,
    any_size,
    has_one_grid,
    make_encoder,
    make_vit_encoder,
    shown_name,
    smallest_side,
    timm_name,
)
from segclf.networks.fcn import FCNDecoder, fcn_encoder
from segclf.networks.going_together import check_together
from segclf.networks.hypercolumn import HypercolumnDecoder, PixelLinear
from segclf.networks.image_network import Sides
from segclf.networks.libraries import import_smp
from segclf.networks.options import resolve_options
from segclf.networks.plain_unet import PLAIN, PlainDecoder, PlainEncoder
from segclf.networks.tiny import group_normalized
from segclf.networks.unet import UNetDecoder, initialize, unet_head
from segclf.networks.unet3d import UNet3dDecoder
from segclf.networks.vit_unet import ViTUNetDecoder
from segclf.networks.volume_encoders import make_volume_encoder

# Errors of the libraries for an encoder that an architecture cannot take.
_REFUSALS = (ValueError, TypeError, KeyError, NotImplementedError, RuntimeError, AssertionError)

# One architecture of each kind, to try.
_USUAL = ("hypercolumn", "unet", "fpn", "dpt", "vit_unet")

Made = tuple[Any, nn.Module, nn.Module]  # encoder, decoder, head


class Parts(NamedTuple):
    """The parts of a segmentation network, and their requirements on image sizes."""

    encoder: Any
    decoder: nn.Module
    head: nn.Module
    stride: Sides
    smallest: Sides


def make_parts(
    name: str, key: str, *, in_channels: int, n_classes: int, options: dict[str, Any]
) -> Parts:
    """Make encoder, decoder and head, randomly initialized.

    Decoders on the tiny encoders normalize single images, as those do; see
    :func:`segclf.networks.tiny.group_normalized`.

    Parameters
    ----------
    name : str
        Architecture.
    key : str
        Encoder, from :func:`segclf.networks.encoders.encoder_key`.
    in_channels, n_classes : int
        Channels of the images and of the logits.
    options : dict
        From :func:`segclf.networks.options.resolve_options`.

    Raises
    ------
    ValueError
        If the architecture cannot take the encoder, with the library's reason.

    Examples
    --------
    >>> options = {"encoder_depth": 2}
    >>> make_parts("fcn", "resnet18", in_channels=3, n_classes=2, options=options).stride
    4
    """
    architecture = find_architecture(name)
    check_together(name, shown_name(key))
    if architecture.n_spatial != N_SPATIAL:
        encoder, decoder, head = _volumetric(name, key, in_channels, n_classes, options)
        return Parts(encoder, decoder, head, encoder.output_stride, encoder.smallest)
    try:
        encoder, decoder, head = _made(name, key, in_channels, n_classes, options)
        stride = _stride(architecture, int(encoder.output_stride))
    except _REFUSALS as error:
        depth = options["encoder_depth"]
        at_depth = "" if depth is None else f" at encoder_depth={depth}"
        raise ValueError(
            f"architecture={name!r} cannot take encoder={shown_name(key)!r}{at_depth}: "
            f"{str(error).rstrip('.')}. {_advice(name, key)}"
        ) from error
    smallest = max(architecture.smallest * encoder.output_stride, smallest_side(key))
    if key in TINY_KEYS:
        group_normalized(decoder)
    return Parts(encoder, decoder, head, stride, smallest)


def _advice(name: str, key: str) -> str:
    """Name the architectures that take the encoder, by trying one of each kind without memory."""
    others = [each for each in _USUAL if each != name]
    takers = list(others)
    options = {"encoder_depth": None, "decoder_channels": None, "decoder_attention": None}
    for each in others:
        try:
            with torch.device("meta"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                encoder, *_ = _made(each, key, 3, 2, resolve_options(each, key, **options))
                _stride(find_architecture(each), int(encoder.output_stride))
        except _REFUSALS:
            takers.remove(each)
    if not takers:
        return f"Nor can {', '.join(others)}; choose another encoder."
    return f"These architectures can: {', '.join(takers)}."


def _made(name: str, key: str, in_channels: int, n_classes: int, options: dict[str, Any]) -> Made:
    architecture = find_architecture(name)
    check_together(name, shown_name(key))
    if architecture.model is None:
        return _OURS[name](key, in_channels, n_classes, options)
    smp = import_smp()
    model = getattr(smp, architecture.model)(
        key,
        encoder_weights=None,
        in_channels=in_channels,
        classes=n_classes,
        **_model_options(architecture, key, options),
    )
    if isinstance(model.encoder, smp.encoders.TimmViTEncoder):
        _check_tokens(model.encoder)
        # A classifier that is not used, and that a classification network does not have.
        model.encoder.model.reset_classifier(0)
    return model.encoder, model.decoder, model.segmentation_head


def _fcn(key: str, in_channels: int, n_classes: int, options: dict[str, Any]) -> Made:
    encoder = fcn_encoder(key, in_channels=in_channels, depth=options["encoder_depth"])
    decoder = FCNDecoder(encoder.out_channels[-1])
    return encoder, decoder, nn.Conv2d(decoder.out_channels, n_classes, 1)


def _hypercolumn(key: str, in_channels: int, n_classes: int, options: dict[str, Any]) -> Made:
    depth = options["encoder_depth"]
    if has_one_grid(key):
        encoder = make_vit_encoder(key, in_channels=in_channels, n_blocks=depth)
    else:
        encoder = make_encoder(key, in_channels=in_channels, depth=depth)
    image, *widths = encoder.out_channels
    n_scales = len(options.get("encoder_scales", [1]))
    decoder = HypercolumnDecoder([image, *n_scales * widths], options["decoder_channels"])
    return encoder, decoder, PixelLinear(decoder.out_channels, n_classes)


def _plain_unet(key: str, in_channels: int, n_classes: int, options: dict[str, Any]) -> Made:
    if key != PLAIN:
        raise ValueError(f"it has its own encoder; expected encoder={PLAIN!r}")
    encoder = PlainEncoder(in_channels, options["decoder_channels"], options["encoder_depth"])
    decoder = PlainDecoder(encoder.out_channels)
    return encoder, decoder, nn.Conv2d(decoder.out_channels, n_classes, 1)


def _unet(key: str, in_channels: int, n_classes: int, options: dict[str, Any]) -> Made:
    encoder = make_encoder(key, in_channels=in_channels, depth=options["encoder_depth"])
    decoder = UNetDecoder(
        encoder.out_channels,
        options["decoder_channels"],
        attention=options["decoder_attention"],
        center=key.startswith("vgg"),
    )
    head = unet_head(decoder.out_channels, n_classes)
    initialize(decoder, head)
    return encoder, decoder, head


def _vit_unet(key: str, in_channels: int, n_classes: int, options: dict[str, Any]) -> Made:
    encoder = make_vit_encoder(key, in_channels=in_channels)
    decoder = ViTUNetDecoder(encoder.out_channels, options["decoder_channels"])
    return encoder, decoder, nn.Conv2d(decoder.out_channels, n_classes, 1)


def _volumetric(
    name: str, key: str, in_channels: int, n_classes: int, options: dict[str, Any]
) -> Made:
    strides = options["encoder_strides"]
    if name == "dynunet":
        if key != "dynunet":
            raise ValueError(
                f"architecture='dynunet' has its own encoder; expected encoder='dynunet' or "
                f"'auto', got {key!r}. architecture='unet3d' takes any encoder of volumes."
            )
        return dynunet_parts(in_channels, n_classes, strides)
    encoder = make_volume_encoder(key, in_channels=in_channels, strides=strides)
    decoder = UNet3dDecoder(encoder.out_channels, strides)
    return encoder, decoder, nn.Conv3d(decoder.out_channels, n_classes, 1)


_OURS: dict[str, Callable[..., Made]] = {
    "fcn": _fcn,
    "hypercolumn": _hypercolumn,
    "plain_unet": _plain_unet,
    "unet": _unet,
    "vit_unet": _vit_unet,
}


def _model_options(architecture: Architecture, key: str, options: dict[str, Any]) -> dict[str, Any]:
    chosen: dict[str, Any] = {"encoder_depth": options["encoder_depth"]}
    if architecture.channels is not None:
        chosen["decoder_channels"] = options["decoder_channels"]
    if architecture.attention:
        chosen["decoder_attention_type"] = options["decoder_attention"]
    if architecture.upsampling is not None:
        chosen["upsampling"] = architecture.upsampling(options["encoder_depth"])
    name = timm_name(key)
    return chosen if name is None else {**chosen, **any_size(name)}


def _check_tokens(encoder: Any) -> None:
    """Raise for a transformer whose patches cannot be separated from its class token."""
    readable = inspect.signature(encoder.model.forward_intermediates).parameters
    if encoder.has_prefix_tokens and "return_prefix_tokens" not in readable:
        raise ValueError("timm does not separate its patches from its class token")


def _stride(architecture: Architecture, stride: int) -> int:
    if architecture.model == "DPT" and architecture.stride % stride:
        raise ValueError(
            f"its patches of {stride} pixels do not divide {architecture.stride} pixels, the "
            "decoder's largest stride"
        )
    return math.lcm(architecture.stride, stride)
