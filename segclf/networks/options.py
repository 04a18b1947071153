"""The options of a network: fill in defaults, and refuse options that do not apply."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

from segclf.axes import N_SPATIAL
from segclf.networks.architectures import ARCHITECTURES, Architecture, find_architecture
from segclf.networks.encoders import shown_name, timm_name
from segclf.networks.strides import DEPTH, check_strides
from segclf.networks.tiny import SMP_NAME, TINY_CHANNELS

# Stages of every encoder of segmentation-models-pytorch.
_STAGES = 5
# A decoder of the usual width would cost most of the time that the tiny encoder saves.
_TINY_STAGES = {"tiny": (32, 16, 16), "tiny_vit": (16, 16, 16, 32, 32)}
_TINY_WIDTH = 32


def resolve_options(
    name: str,
    key: str,
    *,
    encoder_depth: int | None,
    decoder_channels: Sequence[int] | int | None,
    decoder_attention: str | None,
    encoder_scales: Sequence[int] | None = None,
    encoder_strides: Sequence[Sequence[int]] | None = None,
) -> dict[str, Any]:
    """Return the options to make a network with.

    Parameters
    ----------
    name : str
        Architecture.
    key : str
        Encoder, from :func:`segclf.networks.encoders.encoder_key`.
    encoder_depth, decoder_channels, decoder_attention, encoder_scales, encoder_strides
        See :func:`segclf.networks.segmentation_network`.

    Returns
    -------
    dict
        The options, JSON-able; None for options that the architecture does not have. Scales are
        included only if there are others than 1, the largest first; strides only for volumes.

    Raises
    ------
    ValueError
        For an unknown architecture, an option that it does not have, or a wrong value.

    Examples
    --------
    >>> resolve_options(
    ...     "unet", "resnet50", encoder_depth=3, decoder_channels=None, decoder_attention="scse"
    ... )
    {'encoder_depth': 3, 'decoder_channels': [256, 128, 64], 'decoder_attention': 'scse'}
    """
    architecture = find_architecture(name)
    strides = resolve_strides(
        f"architecture={name!r}", architecture.n_spatial, encoder_strides, encoder_depth
    )
    depth = _depth(name, architecture, key, encoder_depth if strides is None else len(strides))
    if decoder_attention is not None and not architecture.attention:
        raise ValueError(_no_such_option(name, "decoder_attention", decoder_attention))
    if decoder_attention not in (None, "scse"):
        raise ValueError(f"decoder_attention={decoder_attention!r}; expected None or 'scse'.")
    options: dict[str, Any] = {
        "encoder_depth": depth,
        "decoder_channels": _channels(name, architecture, key, depth, decoder_channels),
        "decoder_attention": decoder_attention,
    }
    if strides is not None:
        options["encoder_strides"] = strides
    scales = _scales(name, architecture, encoder_scales)
    return options if scales == [1] else {**options, "encoder_scales": scales}


def resolve_strides(
    what: str, n_spatial: int, strides: Sequence[Sequence[int]] | None, depth: int | None
) -> list[list[int]] | None:
    """Return the strides of each stage of an encoder of volumes; None for an encoder of images.

    Parameters
    ----------
    what : str
        Name of what has these strides, for errors.
    n_spatial : int
        2 for images, 3 for volumes.
    strides : sequence of (int, int, int) or None
        See :func:`segclf.networks.segmentation_network`.
    depth : int or None
        Number of stages.

    Raises
    ------
    ValueError
        For strides of an encoder of images, for invalid strides, and if their number is not
        `depth`.

    Examples
    --------
    >>> resolve_strides("encoder='tiny3d'", 3, None, 2)
    [[2, 2, 2], [2, 2, 2]]
    """
    if n_spatial == N_SPATIAL:
        if strides is not None:
            raise ValueError(
                f"encoder_strides={strides!r:.80}; {what} reads images, and has no such option; "
                "expected None."
            )
        return None
    if strides is None:
        return [[2, 2, 2] for _ in range(DEPTH if depth is None else depth)]
    checked = check_strides(strides)
    if depth not in (None, len(checked)):
        raise ValueError(
            f"encoder_depth={depth}, but encoder_strides={strides!r:.80} has {len(checked)} "
            "stages; expected only one of both, or the same number."
        )
    return checked


def resolve_depth(key: str, encoder_depth: int | None) -> int | None:
    """Return the number of stages of a classifier's encoder; None for a whole timm model.

    Parameters
    ----------
    key : str
        From :func:`segclf.networks.encoders.encoder_key`.
    encoder_depth : int or None
        See :func:`segclf.networks.classification_network`.

    Raises
    ------
    ValueError
        If the encoder has no such depth.

    Examples
    --------
    >>> resolve_depth("resnet18", None), resolve_depth("tu-vit_small_patch8_224", None)
    (5, None)
    """
    if timm_name(key) is not None:
        if encoder_depth is not None:
            raise ValueError(
                f"encoder_depth={encoder_depth}; encoder={shown_name(key)!r} is a whole timm model "
                "here, which has no such option; expected None."
            )
        return None
    # Mix transformers start at a quarter of the size: their first stage is an empty map.
    fewest = 2 if key.startswith("mit_") else 1
    most = len(TINY_CHANNELS) if key == SMP_NAME else _STAGES
    if encoder_depth is None:
        return most
    if not fewest <= encoder_depth <= most:
        raise ValueError(
            f"encoder_depth={encoder_depth}; encoder={shown_name(key)!r} has {fewest} to {most} "
            "stages."
        )
    return int(encoder_depth)


def _depth(name: str, architecture: Architecture, key: str, depth: int | None) -> int | None:
    if architecture.depth is None:
        if depth is not None:
            raise ValueError(
                f"encoder_depth={depth}; architecture={name!r} uses the whole encoder; "
                "expected None."
            )
        return None
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
    return int(depth)


def _channels(
    name: str,
    architecture: Architecture,
    key: str,
    depth: int | None,
    channels: Sequence[int] | int | None,
) -> list[int] | int | None:
    default = architecture.channels
    if default is None:
        if channels is not None:
            raise ValueError(_no_such_option(name, "decoder_channels", channels))
        return None
    if isinstance(default, int):
        return _one_width(name, key, default, channels)
    n_stages = len(default) if depth is None else depth
    if channels is None:
        return list(_TINY_STAGES.get(shown_name(key), default))[:n_stages]
    if isinstance(channels, int) or len(channels) != n_stages:
        raise ValueError(
            f"decoder_channels={channels}; architecture={name!r} takes one number per stage, "
            f"{n_stages} in all."
        )
    return [int(each) for each in channels]


def _scales(name: str, architecture: Architecture, scales: Sequence[int] | None) -> list[int]:
    if scales is None:
        return [1]
    if not architecture.scales:
        raise ValueError(_no_such_option(name, "encoder_scales", scales))
    whole = [each for each in scales if isinstance(each, Integral) and each >= 1]
    if not scales or len({*whole}) < len(scales):
        raise ValueError(
            f"encoder_scales={scales!r}; expected different whole numbers of 1 or more, such as "
            "(1, 2): the image itself, and at twice its height and width."
        )
    return sorted(map(int, whole), reverse=True)


def _one_width(name: str, key: str, default: int, channels: Sequence[int] | int | None) -> int:
    if channels is None:
        return min(_TINY_WIDTH, default) if key == SMP_NAME else default
    if not isinstance(channels, int):
        raise ValueError(
            f"decoder_channels={channels}; architecture={name!r} takes one number, for example "
            f"{default}."
        )
    return channels


def _no_such_option(name: str, option: str, value: object) -> str:
    field = option.removeprefix("decoder_").removeprefix("encoder_")
    having = [each for each, one in ARCHITECTURES.items() if getattr(one, field)]
    return (
        f"{option}={value!r}; architecture={name!r} has no such option. These have: "
        f"{', '.join(having)}."
    )
