"""The class scores that pretrained weights come with: the last layer, which encoders do without."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from segclf.networks.encoders import encoder_key
from segclf.networks.weight_sources import find_weights
from segclf.networks.weights import read_tensors

# As torchvision and timm call it; "head.fc" and the like end so, too.
_NAMES = ("fc.weight", "head.weight", "classifier.weight")


def load_class_head(head: nn.Linear, encoder: str, encoder_weights: str | Path | None) -> bool:
    """Fill a linear layer on embeddings with the class scores of a file of weights, if it has them.

    Parameters
    ----------
    head : nn.Linear
        Changed in place where the file has one last layer of the same shape.
    encoder, encoder_weights
        See :func:`segclf.networks.classification_network`.

    Returns
    -------
    bool
        Whether it was filled.
    """
    weights = find_weights(encoder_weights, encoder_key(encoder))
    found = [] if weights is None else _class_heads(read_tensors(weights.path), head)
    if len(found) != 1:
        return False
    with torch.no_grad():
        for own, given in zip((head.weight, head.bias), found[0], strict=True):
            own.copy_(given)
    return True


def _class_heads(tensors: Mapping[str, Tensor], head: nn.Linear) -> list[tuple[Tensor, Tensor]]:
    pairs = [
        (weight, tensors.get(name.removesuffix("weight") + "bias"))
        for name, weight in tensors.items()
        if f".{name}".endswith(tuple(f".{each}" for each in _NAMES))
    ]
    shape, length = head.weight.shape, head.bias.shape
    return [(w, b) for w, b in pairs if b is not None and (w.shape, b.shape) == (shape, length)]
