"""Several networks whose scores are stacked."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class StackedNetworks(nn.Module):
    """The pixel scores of several networks, one after another.

    Parameters
    ----------
    networks : iterable of nn.Module
        Each from images ``(n, c, h, w)`` to scores ``(n, k, h, w)``.

    Examples
    --------
    >>> from segclf.networks import segmentation_network
    >>> networks = [segmentation_network(encoder="tiny") for _ in range(5)]
    >>> StackedNetworks(networks)(torch.zeros(2, 3, 8, 8)).shape
    torch.Size([2, 5, 2, 8, 8])
    """

    def __init__(self, networks: Iterable[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, image: Tensor) -> Tensor:
        """Return the scores ``(n, m, k, h, w)`` of the m networks."""
        return torch.stack([network(image) for network in self.networks], dim=1)
