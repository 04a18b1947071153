"""What the networks of an estimator know of its images, and how they are made of plain data."""

from typing import Any

import numpy as np
import torch
from torch import nn

from segclf.data import Samples
from segclf.isolation import isolated, seeded
from segclf.networks import ImageNetwork, build
from segclf.objectives import Objective

STATISTICS_IMAGES = 1000


def set_statistics(objective: Objective, samples: Samples) -> None:
    """Teach every network mean and deviation of the channels, from 1,000 images at most."""
    n_samples = len(samples)
    chosen = np.unique(np.linspace(0, n_samples - 1, min(n_samples, STATISTICS_IMAGES)).astype(int))
    moments = [
        torch.stack([values.mean((2, 3)), values.square().mean((2, 3))]).sum(1)
        for part in np.array_split(chosen, -(-len(chosen) // 16))
        for values in [samples.subset(part).pixels().double()]
    ]
    mean, square = torch.stack(moments).sum(0) / len(chosen)
    std = (square - mean.square()).clamp(min=0).sqrt()
    for module in objective.modules():
        if isinstance(module, ImageNetwork):
            module.set_statistics(mean.float(), std.float())


@isolated()
@seeded(0)
def thaw(frozen: dict[str, Any]) -> nn.Module:
    """Return the network of plain data that `freeze` made."""
    network = build(frozen["recipe"])  # it is born random, and then filled in
    tensors = {name: torch.as_tensor(array) for name, array in frozen["arrays"].items()}
    for name, own in network.state_dict(keep_vars=True).items():
        if name in tensors and own.dtype != tensors[name].dtype:  # after .half() or .double()
            own.data = own.data.to(tensors[name].dtype)
    network.load_state_dict(tensors)
    return network.eval()
