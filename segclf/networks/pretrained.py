"""Networks whose encoder starts from pretrained weights, and that record which."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from segclf.axes import are_maps
from segclf.networks.encoders import shown_name, timm_name, weights_holder
from segclf.networks.image_network import ImageNetwork
from segclf.networks.libraries import import_timm, is_a
from segclf.networks.stored import Stored, in_memory
from segclf.networks.tiny import TinyEncoder
from segclf.networks.weight_sources import Weights
from segclf.networks.weights import fill, find_all, list_tensors, read_all, without_numbers

# Names of register tokens in timm, DINOv2 and DINOv3.
_REGISTERS = ("reg_token", "register_tokens", "storage_tokens")
# Largest size of a file of weights: this number of encoders, for checkpoints with an optimizer's
# state, plus this number of bytes, for heads and decoders.
_ENCODERS, _BESIDE = 16, 2**30
_Network = TypeVar("_Network", bound=ImageNetwork)


def pretrained(network: _Network, weights: Weights | None, key: str) -> _Network:
    """Fill a network's encoder from a file, and record the file in the network.

    Parameters
    ----------
    network : ImageNetwork
        Changed in place; without weights it stays unchanged.
    weights : Weights or None
        From :func:`segclf.networks.weight_sources.find_weights`.
    key : str
        The encoder, from :func:`segclf.networks.encoders.encoder_key`.

    Raises
    ------
    ValueError
        See :func:`segclf.networks.load_weights`.
    """
    if weights is None:
        return network
    library = "segmentation_models_pytorch.encoders"
    encoder = network.encoder
    shallow = isinstance(encoder, TinyEncoder) or is_a(encoder, library, "TimmUniversalEncoder")
    _check_size(weights.path, encoder)
    weights = weights.checked()
    _fill(weights_holder(encoder), weights, key, allow_deeper=shallow)
    network.weights, network.statistics = weights.described(), weights.statistics
    return network


def _check_size(path: Path, encoder: nn.Module) -> None:
    """Compare sizes before anything is read."""
    needed, given = _nbytes(encoder.state_dict().values()), path.stat().st_size
    most = _ENCODERS * needed + _BESIDE
    if given > most:
        raise ValueError(
            f"{path} has {given} bytes, and the encoder needs {needed}. Expected at most {most}; "
            "save only the encoder's state dict."
        )


def _nbytes(tensors: Iterable[Tensor | Stored]) -> int:
    return sum(tensor.nbytes for tensor in tensors)


def _fill(encoder: nn.Module, weights: Weights, key: str, *, allow_deeper: bool) -> None:
    given: Mapping[str, Stored] = list_tensors(weights.path)
    model = timm_name(key)
    if weights.in_order:
        given = _renamed(given, (model or key).removeprefix("timm-"))
    if _has_registers(given) and not _has_registers(encoder.state_dict()):
        raise ValueError(
            f"{weights.path} has register tokens, but encoder={shown_name(key)!r} has none. "
            "Expected weights without register tokens, or an encoder with them, such as "
            "vit_small_patch14_reg4_dinov2."
        )
    own = encoder.state_dict()
    try:
        find_all(encoder, without_numbers(given), weights.path, allow_deeper=allow_deeper)
    except ValueError:
        # Original files of authors have all tensors of the model, a head and little more.
        if model is None or _nbytes(given.values()) > 2 * _nbytes(own.values()) + _BESIDE // 4:
            raise
        converted = _converted(read_all(given, weights.path), model)
        if converted is None:
            raise
        given = {name: in_memory(tensor) for name, tensor in converted.items()}
    fill(encoder, given, weights.path, allow_deeper=allow_deeper)


def _has_registers(names: Iterable[str]) -> bool:
    """Tell whether a vision transformer has registers: without them the rest fits, but is wrong."""
    return any(name.endswith(_REGISTERS) for name in names)


def _renamed(given: Mapping[str, Stored], model: str) -> dict[str, Stored]:
    """Rename tensors, in order, to the names in a timm model."""
    with torch.device("meta"):
        names = import_timm().create_model(model, pretrained=False).state_dict()
    return dict(zip(names, given.values(), strict=True))


def _converted(given: Mapping[str, Tensor], model: str) -> dict[str, Tensor] | None:
    """Convert an original file of authors as timm does; None if it is not of that model."""
    overlay = {"state_dict": dict(given)}
    try:
        made = import_timm().create_model(model, pretrained=True, pretrained_cfg_overlay=overlay)
    except Exception:  # the first error explains better what does not fit
        return None
    tensors: dict[str, Tensor] = made.state_dict()
    # timm would resample the patch embedding of another model.
    return tensors if _kernels(given) <= _kernels(tensors) else None


def _kernels(tensors: Mapping[str, Tensor]) -> set[torch.Size]:
    return {tensor.shape for tensor in tensors.values() if are_maps(tensor)}
