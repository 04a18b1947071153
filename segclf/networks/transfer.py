"""Hand on what one network learned to another one with the same encoder."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from segclf.networks.encoders import encoder_key, weights_holder
from segclf.networks.image_network import ImageNetwork
from segclf.networks.weights import Found, find, find_all, read_tensors

# What a segmenter's decoder is made of: two that differ here have no tensors in common.
_DECODER = ("architecture", "encoder_depth", "decoder_channels", "decoder_attention")
Report = dict[str, Any]


def transfer(source: nn.Module | str | Path, target: ImageNetwork) -> Report:
    """Fill a network with what another one learned.

    The encoder, the statistics of the channels, and a decoder and a head of the same form.

    Parameters
    ----------
    source : nn.Module or path
        An `ImageNetwork`; a module that holds several, of which the one with the target's encoder
        counts; or a file, as :func:`segclf.networks.load_weights` reads them and as `segclf.save`
        writes them.
    target : ImageNetwork
        Changed in place.

    Returns
    -------
    dict
        ``taken``: the names of the target's tensors that were filled; ``new``: those that were not,
        each with the reason; ``unused``: the source's tensors without a place here, likewise.

    Raises
    ------
    ValueError
        When the encoders differ, or the decoders of two segmenters do; the error names both.

    Examples
    --------
    >>> from segclf.networks import classification_network, segmentation_network
    >>> source = classification_network(encoder="tiny", n_classes=0)
    >>> report = transfer(source, segmentation_network(encoder="tiny"))
    >>> report["taken"][-1], report["new"]["head.0.bias"]
    ('encoder.stages.2.1.bias', 'the pretrained network has no such tensor')
    """
    if isinstance(source, nn.Module):
        chosen = _with_encoder_of(target, source)
        _check_decoders(chosen.recipe, target.recipe)
        given: Mapping[str, Tensor] = chosen.state_dict()
        found, _ = find(weights_holder(target.encoder), given)
    else:
        given, found = _read(source, target)
    return _fill(target, given, found)


def _with_encoder_of(target: ImageNetwork, source: nn.Module) -> ImageNetwork:
    networks = [each for each in source.modules() if isinstance(each, ImageNetwork)]
    names = [each.recipe["encoder"] for each in networks if "encoder" in each.recipe]
    wanted = target.recipe["encoder"]
    for network in networks:
        name = network.recipe.get("encoder")
        if name is not None and encoder_key(name) == encoder_key(wanted):
            return network
    raise ValueError(
        f"The pretrained network has the encoder {' and '.join(map(repr, names))}, this one "
        f"{wanted!r}; what one learned has no place in the other. Give both the same encoder."
    )


def _check_decoders(source: dict[str, Any], target: dict[str, Any]) -> None:
    if source["kind"] != "segmentation" or target["kind"] != "segmentation":
        return
    theirs, ours = ({name: recipe[name] for name in _DECODER} for recipe in (source, target))
    if theirs != ours:
        raise ValueError(
            f"The pretrained network has the decoder {theirs}, this one {ours}; give both the "
            "same, or hand on the encoder alone."
        )


def _read(path: str | Path, target: ImageNetwork) -> tuple[Mapping[str, Tensor], Found]:
    """Read a file down to the network in it that has the target's encoder."""
    holder, wanted = weights_holder(target.encoder), target.recipe["encoder"]
    given = read_tensors(path)
    names = _encoders_of(Path(path))
    if names and encoder_key(wanted) not in {encoder_key(name) for name in names}:
        raise ValueError(
            f"{path} holds the encoder {' and '.join(map(repr, names))}, this network has "
            f"{wanted!r}; give both the same."
        )
    found = find_all(holder, given, path, allow_deeper=True)
    root, inside, _ = next(theirs for theirs, _ in found.values()).rpartition("encoder.")
    if inside:
        given = {n.removeprefix(root): t for n, t in given.items() if n.startswith(root)}
        found, _ = find(holder, given)
    return given, found


def _encoders_of(path: Path) -> list[str]:
    """Return the names of the encoders in a file of ours; other files do not tell."""
    if path.suffix != ".safetensors":
        return []
    with safe_open(path, framework="pt") as file:
        header = (file.metadata() or {}).get("segclf", "")
    return sorted(set(re.findall(r'"recipe": {[^{}]*"encoder": "([^"]+)"', header)))


def _fill(target: ImageNetwork, given: Mapping[str, Tensor], found: Found) -> Report:
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
                own.copy_(tensor)
                report["taken"].append(name)
                used.add(theirs)
    unused = (name for name in given if name not in used)
    report["unused"] = dict.fromkeys(unused, "no tensor of that name and shape here")
    return report
