"""DEDL's autoencoder of pixel scores, which processes them row by row.

P. Singh, L. Chen, M. Chen, J. Pan, R. Chukkapalli, S. Chaudhari, J. Cirrone: "Enhancing Medical
Image Segmentation: Optimizing Cross-Entropy Weights and Post-Processing with Autoencoders", ICCV
workshops 2023; the supervised baseline of S4MI, section 3.2.1.
"""

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

_EXPANSION = 32
_NARROWER = (256, 128, 64, 32, 16)


class RowAutoencoder(nn.Module):
    """Layers from the w columns of a row to 32 w, 256, 128, 64, 32 and 16, and back.

    Parameters
    ----------
    width : int
        Columns of the scores. Scores with another number are interpolated to it, and back.
    rectified : bool
        Whether the output is never negative, as in the authors' code, where a ReLU also follows the
        last layer. Exclusive classes need no negative scores. Multi-label classes do, since only a
        negative score means absence.

    Examples
    --------
    >>> import torch
    >>> RowAutoencoder(8)(torch.zeros(2, 3, 5, 8)).shape
    torch.Size([2, 3, 5, 8])
    """

    def __init__(self, width: int, *, rectified: bool = True) -> None:
        super().__init__()
        self.width, self.rectified = width, rectified
        widths = [width, _EXPANSION * width, *_NARROWER]
        widths += widths[-2::-1]
        self.layers = nn.ModuleList(nn.Linear(*each) for each in pairwise(widths))

    def forward(self, scores: Tensor) -> Tensor:
        """Return scores ``(n, k, h, w)`` for scores of the same shape."""
        size = scores.shape[-2:]
        rows = scores if size[1] == self.width else _of_width(scores, self.width)
        for layer in self.layers[:-1]:
            rows = F.relu(layer(rows))
        rows = self.layers[-1](rows)
        rows = F.relu(rows) if self.rectified else rows
        return rows if size[1] == self.width else _of_width(rows, size[1])


def _of_width(scores: Tensor, width: int) -> Tensor:
    return F.interpolate(scores, (scores.shape[-2], width), mode="bilinear")
