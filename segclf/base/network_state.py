"""Image statistics that networks store, and networks rebuilt from plain data."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from segclf.axes import N_SPATIAL, axes_from
from segclf.data import Images, Samples
from segclf.networks import ImageNetwork, SegmentationNetwork, rebuild

STATISTICS_IMAGES = 1000
STATISTICS_VOXELS = 2**20


def set_statistics(objective: nn.Module, samples: Samples) -> None:
    """Set the mean and deviation of channels in every network, from at most 1,000 images.

    An encoder with named weights knows the statistics of its own training. It keeps them for images
    of three channels that are read as 0 to 1; see docs/decisions/0022.
    """
    networks = [each for each in objective.modules() if isinstance(each, ImageNetwork)]
    published = {each for each in networks if each.statistics and _is_picture(samples.images)}
    for network in published:
        network.set_statistics(*network.statistics or ())
    if len(published) < len(networks):
        mean, std = _moments(samples)
        for network in set(networks) - published:
            network.set_statistics(mean, std)


def set_priors(objective: nn.Module, samples: Samples) -> None:
    """Start networks that accept priors from the share of each class in the masks."""
    for network in objective.modules():
        if isinstance(network, SegmentationNetwork) and network.takes_prior:
            shares = torch.from_numpy(samples.class_shares(network.recipe["n_classes"])).float()
            if shares.isfinite().all():
                network.set_prior(shares, multilabel=samples.n_mask_channels is not None)


def _is_picture(images: Images) -> bool:
    return images.n_channels == 3 and images.scale is not None and images.scale.is_picture()


def _moments(samples: Samples) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and deviation of each channel of images (n, c, h, w)."""
    n_samples = len(samples)
    chosen = np.unique(np.linspace(0, n_samples - 1, min(n_samples, STATISTICS_IMAGES)).astype(int))
    if samples.images.n_spatial != N_SPATIAL:
        return _moments_of_volumes(samples.images, chosen)
    moments = [
        torch.stack([each.mean(axes_from(2, each)) for each in (values, values.square())]).sum(1)
        for part in np.array_split(chosen, -(-len(chosen) // 16))
        for values in [samples.subset(part).pixels().double()]
    ]
    mean, square = torch.stack(moments).sum(0) / len(chosen)
    std = (square - mean.square()).clamp(min=0).sqrt()
    return mean.float(), std.float()


def _moments_of_volumes(
    images: Images, chosen: NDArray[np.intp]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the same for volumes (d, h, w, c); large ones are subsampled along each axis."""
    moments = []
    for index in chosen.tolist():
        size = images.subset([index]).sizes()[0]
        step = max(1, round((size.prod() / STATISTICS_VOXELS) ** (1 / 3)))
        voxels = images.open(index).every(step).reshape(-1, images.n_channels).astype(np.float64)
        moments.append([voxels.mean(axis=0), np.square(voxels).mean(axis=0)])
    mean, square = torch.tensor(np.array(moments)).mean(dim=0)
    return mean.float(), (square - mean.square()).clamp(min=0).sqrt().float()


def weights_of(network: nn.Module) -> dict[str, Any]:
    """Return the attribute with the origin of the encoders' weights, if known."""
    found = {
        name.rpartition(".")[2]: module.weights
        for name, module in network.named_modules()
        if isinstance(module, ImageNetwork) and module.weights is not None
    }
    if not found:
        return {}
    return {"weights_": next(iter(found.values())) if len(found) == 1 else found}


def thaw(frozen: dict[str, Any]) -> nn.Module:
    """Return the network of plain data that `freeze` made.

    Raises
    ------
    ValueError
        If the arrays do not match the recipe, or are not finite.
    """
    tensors = {
        name: torch.as_tensor(array, device="cpu") for name, array in frozen["arrays"].items()
    }
    return rebuild(frozen["recipe"], tensors).eval()
