"""DINO's head: from an embedding to a point on a sphere, and from that to prototype scores."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

PAPERS_HIDDEN_SIZE = 2048
PAPERS_DEVIATION = 0.02  # of starting weights, in the public code


class DINOHead(nn.Module):
    """A perceptron, its output scaled to length 1, and one linear layer.

    Caron et al., "Emerging properties in self-supervised vision transformers", ICCV 2021, section
    3.1; the sizes are those of its Appendix C. There is no batch normalization.

    Parameters
    ----------
    n_features : int
        Length of the embedding.
    n_prototypes : int
        Length of the output, the paper's K.
    n_layers : int
        Number of linear layers up to the bottleneck, with GELUs between them.
    hidden_size, bottleneck_size : int
        Lengths of their outputs. Weights start with a standard deviation of .02, as in the public
        code; with fewer than the paper's 2,048 hidden units it is larger by sqrt(2048 /
        hidden_size), so that a layer's output is as large as in the paper.
    unit_prototypes : bool
        Whether the last layer's rows have length 1, so that each score is a cosine: a weight
        normalization with a scale fixed at 1. Otherwise it is an ordinary layer with a bias.
    bottleneck_activation : bool
        Whether a GELU also follows the bottleneck, as in vit-pytorch.

    Examples
    --------
    >>> head = DINOHead(8, n_prototypes=64, hidden_size=16, bottleneck_size=4)
    >>> scores = head(torch.randn(2, 8))
    >>> scores.shape, bool((scores.abs() <= 1 + 1e-6).all())
    (torch.Size([2, 64]), True)
    """

    def __init__(
        self,
        n_features: int,
        *,
        n_prototypes: int = 65536,
        n_layers: int = 3,
        hidden_size: int = 2048,
        bottleneck_size: int = 256,
        unit_prototypes: bool = True,
        bottleneck_activation: bool = False,
    ) -> None:
        super().__init__()
        sizes = [n_features, *[hidden_size] * (n_layers - 1), bottleneck_size]
        deviation = PAPERS_DEVIATION * math.sqrt(max(1.0, PAPERS_HIDDEN_SIZE / hidden_size))
        layers = [
            layer
            for before, after in pairwise(sizes)
            for layer in (_linear(before, after, deviation), nn.GELU())
        ]
        self.perceptron = nn.Sequential(*(layers if bottleneck_activation else layers[:-1]))
        self.prototypes = nn.Linear(bottleneck_size, n_prototypes, bias=not unit_prototypes)
        self.unit_prototypes = unit_prototypes

    def forward(self, embedding: Tensor) -> Tensor:
        """Return the scores ``(n, k)`` for embeddings ``(n, d)``."""
        return self.scores(self.bottleneck(embedding))

    def bottleneck(self, embedding: Tensor) -> Tensor:
        """Return the vectors of length 1, ``(n, bottleneck_size)`` in float32."""
        return functional.normalize(self.perceptron(embedding).float(), dim=1)

    def scores(self, bottleneck: Tensor) -> Tensor:
        """Return the scores ``(n, k)`` of such vectors, in float32 even under autocast.

        Half precision has steps of .004 for cosines near 1, which a temperature of .04 turns into
        .1.
        """
        with torch.autocast(bottleneck.device.type, enabled=False):
            weight = self.prototypes.weight
            if self.unit_prototypes:
                weight = functional.normalize(weight, dim=1)
            return functional.linear(bottleneck.float(), weight, self.prototypes.bias)


def _linear(n_before: int, n_after: int, deviation: float) -> nn.Linear:
    layer = nn.Linear(n_before, n_after)
    nn.init.trunc_normal_(layer.weight, std=deviation)
    nn.init.zeros_(layer.bias)
    return layer
