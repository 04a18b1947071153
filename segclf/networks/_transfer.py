"""Transfer of weights from one network to another with the same encoder."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from segclf.networks.encoders import encoder_key, weights_holder
from segclf.networks.image_network import ImageNetwork
from segclf.networks.saved import saved_networks
from segclf.networks.weights import (
    Found,
    adapt_first_convolution,
    find,
    find_all,
    list_tensors,
    read_all,
    without_numbers,
)

# Options of a segmenter's decoder; decoders that differ in one have no common tensors.
_DECODER = (
    "architecture",
    "encoder_depth",
    "decoder_channels",
    "decoder_attention",
    "encoder_scales",
)
Report = dict[str, Any]


def transfer(source: nn.Module | str | Path, target: nn.Module) -> Report:
    """Fill a network with the weights of another one.

    This transfers the encoder, the statistics of the channels, and a decoder and head of the same
    form.

    Parameters
    ----------
    source : nn.Module or path
        An `ImageNetwork`; a module with several, of which the one with the target's encoder is
        used; or a file, as read by :func:`segclf.networks.load_weights` or written by
        `segclf.save`.
    target : ImageNetwork
        Changed in place; or a module with several networks, each of which takes what fits.

    Returns
    -------
    dict
        ``taken``: the names of the target's tensors that were filled; ``new``: those that were not,
        each with the reason; ``unused``: the source's tensors that were not used, each with the
        reason.

    Raises
    ------
    ValueError
        If the encoders, their strides, or the decoders of two segmenters differ; the error names
        both.

    Examples
    --------
    >>> from segclf.networks import classification_network, segmentation_network
    >>> source = classification_network(encoder="tiny", n_classes=0)
    >>> report = transfer(source, segmentation_network(encoder="tiny"))
    >>> report["taken"][-1], report["new"]["head.0.bias"]
    ('encoder.stages.2.1.bias', 'the pretrained network has no such tensor')
    """
    if not isinstance(target, ImageNetwork):
        return _to_several(source, target)
    if isinstance(source, nn.Module):
        return _from_module(source, target, "The pretrained network")
    networks = saved_networks(source)
    if networks:
        return _from_module(nn.ModuleList(networks), target, str(source))
    return _from_tensors(source, target)


def _to_several(source: nn.Module | str | Path, target: nn.Module) -> Report:
    whole: Report = {"taken": [], "new": {}, "unused": {}}
    refusals = []
    for place, network in target.named_children():
        try:
            report = transfer(source, network)
        except ValueError as error:
            refusals.append(str(error))
            report = {"taken": [], "new": dict.fromkeys(network.state_dict(), str(error))}
        whole["taken"] += [f"{place}.{name}" for name in report["taken"]]
        for part in ("new", "unused"):
            whole[part] |= {f"{place}.{n}": why for n, why in report.get(part, {}).items()}
    if not whole["taken"]:
        raise ValueError(" ".join(refusals))
    return whole


def _from_module(source: nn.Module, target: ImageNetwork, name: str) -> Report:
    chosen = _with_encoder_of(target, source, name)
    _check_strides(chosen.recipe, target.recipe, name)
    _check_decoders(chosen.recipe, target.recipe, name)
    given = chosen.state_dict()
    found, _ = find(weights_holder(target.encoder), given)
    return _fill(target, given, found)


def _with_encoder_of(target: ImageNetwork, source: nn.Module, name: str) -> ImageNetwork:
    networks = [each for each in source.modules() if isinstance(each, ImageNetwork)]
    networks = [each for each in networks if "encoder" in each.recipe]
    encoders = [each.recipe["encoder"] for each in networks]
    wanted = target.recipe["encoder"]
    for network, encoder in zip(networks, encoders, strict=True):
        if encoder_key(encoder) == encoder_key(wanted):
            return network
    known = " and ".join(map(repr, dict.fromkeys(encoders))) or "of no network of segclf"
    raise ValueError(
        f"{name} has the encoder {known}, this one {wanted!r}, so its weights do not fit. Use the "
        "same encoder in both."
    )


def _check_strides(source: dict[str, Any], target: dict[str, Any], name: str) -> None:
    theirs, ours = (recipe.get("encoder_strides") for recipe in (source, target))
    if theirs != ours:
        raise ValueError(
            f"{name} has encoder_strides={theirs}, this one {ours}, so its weights do not fit. Set "
            f"encoder_strides={theirs} in both."
        )


def _check_decoders(source: dict[str, Any], target: dict[str, Any], name: str) -> None:
    if source["kind"] != "segmentation" or target["kind"] != "segmentation":
        return
    theirs, ours = ({n: recipe[n] for n in _DECODER if n in recipe} for recipe in (source, target))
    if theirs != ours:
        raise ValueError(
            f"{name} has the decoder {theirs}, this one {ours}; use the same in both, or transfer "
            "only the encoder."
        )


def _from_tensors(path: str | Path, target: ImageNetwork) -> Report:
    """Read a file of weights; with "encoder." in its names, it is of a whole segclf network."""
    holder = weights_holder(target.encoder)
    stored = list_tensors(path)
    found = find_all(holder, without_numbers(stored), path, allow_deeper=True)
    root, inside, _ = next(theirs for theirs, _ in found.values()).rpartition("encoder.")
    if inside:
        stored = {n.removeprefix(root): t for n, t in stored.items() if n.startswith(root)}
        found, _ = find(holder, without_numbers(stored))

    def read(name: str, like: Tensor) -> Tensor:
        return adapt_first_convolution(read_all({name: stored[name]}, path)[name], like.shape)

    return _fill(target, without_numbers(stored), found, read)


def _fill(
    target: ImageNetwork,
    given: Mapping[str, Tensor],
    found: Found,
    read: Callable[[str, Tensor], Tensor] | None = None,
) -> Report:
    """Copy the tensors that fit; `read` reads those without values."""
    wrapped = weights_holder(target.encoder) is not target.encoder
    prefix = "encoder.model." if wrapped else "encoder."
    pairs = {name: (name, given[name]) for name in given if not name.startswith("encoder.")}
    pairs |= {f"{prefix}{name}": theirs for name, theirs in found.items()}
    report: Report = {"taken": [], "new": {}, "unused": {}}
    used = set()
    with torch.no_grad():
        for name, own in target.state_dict().items():
            theirs, tensor = pairs.get(name, ("", None))
            if tensor is None:
                report["new"][name] = "the pretrained network has no such tensor"
            elif tensor.shape != own.shape:
                shapes = f"{tuple(tensor.shape)} there, {tuple(own.shape)} here"
                report["new"][name] = f"of another shape: {shapes}"
            else:
                own.copy_(read(theirs, own) if read else tensor)
                report["taken"].append(name)
                used.add(theirs)
    unused = (name for name in given if name not in used)
    report["unused"] = dict.fromkeys(unused, "no tensor of that name and shape here")
    return report
