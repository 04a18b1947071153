"""The classification layer of pretrained weights, which encoders leave out."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from segclf.networks.encoders import encoder_key
from segclf.networks.stored import Stored
from segclf.networks.weight_sources import find_weights
from segclf.networks.weights import list_tensors, read_all

# Names in torchvision and timm; "head.fc" and similar ones end like this, too.
_NAMES = ("fc.weight", "head.weight", "classifier.weight")


def load_class_head(head: nn.Linear, encoder: str, encoder_weights: str | Path | None) -> bool:
    """Fill a linear layer with the classification layer of a file of weights, if it has one.

    Parameters
    ----------
    head : nn.Linear
        Changed in place if the file has exactly one last layer of the same shape.
    encoder, encoder_weights
        See :func:`segclf.networks.classification_network`.

    Returns
    -------
    bool
        Whether it was filled.

    Examples
    --------
    >>> import torch
    >>> from segclf.networks import load_class_head
    >>> load_class_head(torch.nn.Linear(64, 2), "tiny", None)
    False
    """
    weights = find_weights(encoder_weights, encoder_key(encoder))
    found = [] if weights is None else _class_heads(list_tensors(weights.path), head)
    if weights is None or len(found) != 1:
        return False
    tensors = read_all(found[0], weights.path)
    with torch.no_grad():
        for own, given in zip((head.weight, head.bias), tensors.values(), strict=True):
            own.copy_(given)
    return True


def _class_heads(tensors: Mapping[str, Stored], head: nn.Linear) -> list[dict[str, Stored]]:
    shapes = [head.weight.shape, head.bias.shape]
    weights = [name for name in tensors if f".{name}".endswith(tuple(f".{n}" for n in _NAMES))]
    pairs = [(name, name.removesuffix("weight") + "bias") for name in weights]
    found = [{name: tensors[name] for name in pair if name in tensors} for pair in pairs]
    return [pair for pair in found if [each.shape for each in pair.values()] == shapes]
