"""Split parameter groups: weight decay for matrices and kernels, none for vectors."""

from collections.abc import Iterable
from typing import Any

from torch import nn


def spare_vectors(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Split parameter groups so that biases and the scales of normalizations do not decay.

    Parameters
    ----------
    groups : list of dict
        As `Objective.parameter_groups` returns them.

    Returns
    -------
    list of dict
        Tensors of two or more dimensions unchanged, the others with a weight decay of 0.

    Examples
    --------
    >>> from torch import nn
    >>> split = spare_vectors([{"params": [*nn.Linear(3, 2).parameters()], "rate": 0.5}])
    >>> [(group["rate"], group.get("weight_decay"), len(group["params"])) for group in split]
    [(0.5, None, 1), (0.5, 0.0, 1)]
    """
    split = []
    for group in groups:
        still = {**group, "weight_decay": 0.0}
        still.pop("weight_decay_schedule", None)
        tensors = [p for p in group["params"] if p.ndim > 1]
        vectors = [p for p in group["params"] if p.ndim <= 1]
        split += [{**group, "params": tensors}, {**still, "params": vectors}]
    return split


def apart(groups: list[dict[str, Any]], parameters: Iterable[nn.Parameter]) -> list[dict[str, Any]]:
    """Split parameter groups so that none mixes these parameters with others.

    Returns
    -------
    list of dict
        The groups, of which one or more hold these parameters alone.

    Examples
    --------
    >>> layer = nn.Linear(3, 2)
    >>> split = apart([{"params": [*layer.parameters()], "rate": 0.5}], [layer.bias])
    >>> [(group["rate"], len(group["params"])) for group in split]
    [(0.5, 1), (0.5, 1)]
    """
    chosen = {*parameters}
    return [
        {**group, "params": part}
        for group in groups
        for own in (False, True)
        if (part := [p for p in group["params"] if (p in chosen) == own])
    ]
