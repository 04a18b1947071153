"""Architectures by name: which options each has, and its parts from segmentation-models-pytorch."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import segmentation_models_pytorch as smp
from torch import nn

from segclf.networks.encoders import any_size, timm_name
from segclf.networks.fcn import FCNDecoder, fcn_encoder
from segclf.networks.tiny import SMP_NAME, TINY_CHANNELS, group_normalized

_STAGES = (256, 128, 64, 32, 16)
_TINY_STAGES = (32, 16, 16)
_TINY_WIDTH = 32

# What the library raises for an encoder that an architecture cannot take.
_REFUSALS = (ValueError, TypeError, KeyError, NotImplementedError, RuntimeError, AssertionError)


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """What there is to know about one architecture before making it.

    Parameters
    ----------
    model : callable or None
        The class in segmentation-models-pytorch; None for our FCN.
    depth : int
        Stages of the encoder unless told otherwise.
    depths : tuple of int
        Fewest and most stages.
    channels : tuple of int, int or None
        Default of `decoder_channels`: one number per stage, one for all, or no such option.
    attention : bool
        Whether the decoder knows attention.
    upsampling : callable or None
        Depth to the head's factor, where the library has it right for the default depth only.
    smallest : int
        Least height and width of an image, in strides.
    """

    model: Callable[..., Any] | None
    depth: int = 5
    depths: tuple[int, int] = (1, 5)
    channels: tuple[int, ...] | int | None = None
    attention: bool = False
    upsampling: Callable[[int], int] | None = None
    smallest: int = 1


ARCHITECTURES = {
    "deeplabv3": Architecture(model=smp.DeepLabV3, channels=256),
    "deeplabv3plus": Architecture(model=smp.DeepLabV3Plus, depths=(3, 5), channels=256),
    "dpt": Architecture(model=smp.DPT, depth=4, depths=(4, 4)),
    "fcn": Architecture(model=None),
    "fpn": Architecture(model=smp.FPN, depths=(3, 5), upsampling=lambda depth: 2 ** (depth - 3)),
    "linknet": Architecture(model=smp.Linknet),
    "manet": Architecture(model=smp.MAnet, channels=_STAGES),
    "pan": Architecture(model=smp.PAN, depths=(3, 5), channels=32, smallest=8),
    "pspnet": Architecture(model=smp.PSPNet, depth=3, upsampling=lambda depth: 2**depth),
    "segformer": Architecture(model=smp.Segformer, depths=(3, 5)),
    "unet": Architecture(model=smp.Unet, channels=_STAGES, attention=True),
    "unetplusplus": Architecture(
        model=smp.UnetPlusPlus, depths=(2, 5), channels=_STAGES, attention=True
    ),
    "upernet": Architecture(model=smp.UPerNet, depths=(3, 5), channels=256),
}


class Parts(NamedTuple):
    """The pieces of a segmentation network, and what they ask of an image's size."""

    encoder: nn.Module
    decoder: nn.Module
    head: nn.Module
    stride: int
    smallest: int


def resolve_options(
    name: str,
    key: str,
    *,
    encoder_depth: int | None,
    decoder_channels: Sequence[int] | int | None,
    decoder_attention: str | None,
) -> dict[str, Any]:
    """Fill in what was left open, refuse what the architecture has no place for.

    Parameters
    ----------
    name : str
        Architecture.
    key : str
        Encoder, from :func:`segclf.networks.encoders.encoder_key`.
    encoder_depth, decoder_channels, decoder_attention
        See :func:`segclf.networks.segmentation_network`.

    Returns
    -------
    dict
        The three options, JSON-able; None where the architecture has no such option.

    Raises
    ------
    ValueError
        For an unknown architecture, or an option that it does not have or not so.

    Examples
    --------
    >>> resolve_options(
    ...     "unet", "resnet50", encoder_depth=3, decoder_channels=None, decoder_attention="scse"
    ... )
    {'encoder_depth': 3, 'decoder_channels': [256, 128, 64], 'decoder_attention': 'scse'}
    """
    architecture = _find(name)
    depth = _resolve_depth(name, architecture, key, encoder_depth)
    if decoder_attention is not None and not architecture.attention:
        raise ValueError(_no_such_option(name, "decoder_attention", decoder_attention))
    if decoder_attention not in (None, "scse"):
        raise ValueError(f"decoder_attention={decoder_attention!r}; it is None or 'scse'.")
    return {
        "encoder_depth": depth,
        "decoder_channels": _resolve_channels(name, architecture, key, depth, decoder_channels),
        "decoder_attention": decoder_attention,
    }


def make_parts(
    name: str, key: str, *, in_channels: int, n_classes: int, options: dict[str, Any]
) -> Parts:
    """Make encoder, decoder and head, randomly initialized.

    Parameters
    ----------
    name, key : str
        See :func:`resolve_options`.
    in_channels, n_classes : int
        Channels of the images and of the logits.
    options : dict
        From :func:`resolve_options`.

    Raises
    ------
    ValueError
        When the architecture cannot take the encoder, with the library's reason.
    """
    architecture = ARCHITECTURES[name]
    if architecture.model is None:
        return _fcn_parts(key, in_channels, n_classes, options["encoder_depth"])
    try:
        model = architecture.model(
            key,
            encoder_weights=None,
            in_channels=in_channels,
            classes=n_classes,
            **_model_options(name, architecture, key, options),
        )
    except _REFUSALS as error:
        shown = "tiny" if key == SMP_NAME else timm_name(key) or key
        raise ValueError(
            f"architecture={name!r} cannot take encoder={shown!r} at "
            f"encoder_depth={options['encoder_depth']}: {error}"
        ) from error
    stride = int(model.encoder.output_stride)
    decoder = group_normalized(model.decoder) if key == SMP_NAME else model.decoder
    smallest = architecture.smallest * stride
    return Parts(model.encoder, decoder, model.segmentation_head, stride, smallest)


def _fcn_parts(key: str, in_channels: int, n_classes: int, depth: int) -> Parts:
    encoder = fcn_encoder(key, in_channels=in_channels, depth=depth)
    decoder = FCNDecoder(encoder.out_channels[-1])
    head = nn.Conv2d(decoder.out_channels, n_classes, 1)
    if key == SMP_NAME:
        group_normalized(decoder)
    stride = int(encoder.output_stride)
    return Parts(encoder, decoder, head, stride, stride)


def _model_options(
    name: str, architecture: Architecture, key: str, options: dict[str, Any]
) -> dict[str, Any]:
    chosen: dict[str, Any] = {"encoder_depth": options["encoder_depth"]}
    if architecture.channels is not None:
        chosen["decoder_channels"] = options["decoder_channels"]
    if architecture.attention:
        chosen["decoder_attention_type"] = options["decoder_attention"]
    if architecture.upsampling is not None:
        chosen["upsampling"] = architecture.upsampling(options["encoder_depth"])
    timm_model = timm_name(key)
    if timm_model is not None:
        chosen.update(any_size(timm_model))
    return chosen


def _resolve_depth(name: str, architecture: Architecture, key: str, depth: int | None) -> int:
    fewest, most = architecture.depths
    if key == SMP_NAME:
        most = min(most, len(TINY_CHANNELS))
    if depth is None:
        return max(fewest, min(architecture.depth, most))
    if not fewest <= depth <= most:
        raise ValueError(
            f"encoder_depth={depth}; architecture={name!r} takes {fewest} to {most} stages"
            f"{' of the tiny encoder' if key == SMP_NAME else ''}."
        )
    return depth


def _resolve_channels(
    name: str,
    architecture: Architecture,
    key: str,
    depth: int,
    channels: Sequence[int] | int | None,
) -> list[int] | int | None:
    default = architecture.channels
    if default is None:
        if channels is not None:
            raise ValueError(_no_such_option(name, "decoder_channels", channels))
        return None
    if isinstance(default, int):
        return _one_width(name, key, default, channels)
    if channels is None:
        return list(_TINY_STAGES if key == SMP_NAME else default)[:depth]
    if isinstance(channels, int) or len(channels) != depth:
        raise ValueError(
            f"decoder_channels={channels}; architecture={name!r} takes one number per stage of "
            f"the encoder, that is {depth}."
        )
    return [int(each) for each in channels]


def _one_width(name: str, key: str, default: int, channels: Sequence[int] | int | None) -> int:
    if channels is None:
        return min(_TINY_WIDTH, default) if key == SMP_NAME else default
    if not isinstance(channels, int):
        raise ValueError(
            f"decoder_channels={channels}; architecture={name!r} takes one number, for example "
            f"{default}."
        )
    return channels


def _find(name: str) -> Architecture:
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    close = difflib.get_close_matches(str(name), ARCHITECTURES, n=3)
    guess = f" Did you mean {', '.join(close)}?" if close else ""
    raise ValueError(
        f"No architecture named {name!r}.{guess} There are: {', '.join(ARCHITECTURES)}."
    )


def _no_such_option(name: str, option: str, value: object) -> str:
    field = {"decoder_channels": "channels", "decoder_attention": "attention"}[option]
    having = [each for each, one in ARCHITECTURES.items() if getattr(one, field)]
    return (
        f"{option}={value!r}; architecture={name!r} has no such option. These have: "
        f"{', '.join(having)}."
    )
