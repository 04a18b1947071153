"""Heads on embeddings: the small perceptrons of self-supervised learning."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn


def projection_head(
    sizes: Sequence[int], *, norm: bool = True, last_norm: bool = False, last_affine: bool = True
) -> nn.Sequential:
    """Make a perceptron with batch normalization and ReLU between its linear layers.

    Parameters
    ----------
    sizes : sequence of int
        Input, hidden and output lengths; BYOL's is ``(d, 4096, 256)``, SimSiam's projector
        ``(d, 2048, 2048, 2048)`` and predictor ``(2048, 512, 2048)``.
    norm : bool
        Whether hidden layers are normalized.
    last_norm : bool
        Whether the output is normalized, as in SimSiam's projector.
    last_affine : bool
        Whether that last normalization has a scale and a shift (SimSiam's has none).

    Returns
    -------
    nn.Sequential
        From (n, sizes[0]) to (n, sizes[-1]).

    Examples
    --------
    >>> [type(layer).__name__ for layer in projection_head((8, 16, 4))]
    ['Linear', 'BatchNorm1d', 'ReLU', 'Linear']
    """
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes[:-1]):
        layers.append(nn.Linear(before, after, bias=not norm))
        if norm:
            layers.append(nn.BatchNorm1d(after))
        layers.append(nn.ReLU(inplace=True))
    layers.append(nn.Linear(sizes[-2], sizes[-1], bias=not last_norm))
    if last_norm:
        layers.append(nn.BatchNorm1d(sizes[-1], affine=last_affine))
    return nn.Sequential(*layers)
