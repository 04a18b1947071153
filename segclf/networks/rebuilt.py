"""A network made again from its recipe and its tensors, which are checked first."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from segclf.isolation import isolated, seeded
from segclf.networks.factory import build


@isolated()
@seeded(0)
def rebuild(recipe: dict[str, Any], tensors: Mapping[str, Tensor]) -> nn.Module:
    """Make a network from its recipe, and fill it.

    Parameters
    ----------
    recipe : dict
        See :func:`segclf.networks.build`.
    tensors : mapping of str to Tensor
        All tensors of its state dict. Those of ``.half()`` or ``.double()`` keep their type.

    Returns
    -------
    nn.Module
        The network; torch's random generator is not used.

    Raises
    ------
    ValueError
        If the tensors are not those of the recipe, or not finite; raised before memory is
        allocated.

    Examples
    --------
    >>> from segclf.networks import rebuild, segmentation_network
    >>> network = segmentation_network(encoder="tiny", n_classes=2, in_channels=3)
    >>> type(rebuild(network.recipe, network.state_dict())) is type(network)
    True
    """
    _check_finite(tensors)
    if recipe.get("kind") != "own":  # a user's function may not support the meta device
        with torch.device("meta"):
            _check_shapes(build(recipe), tensors)
    network = build(recipe)  # random at first, then filled
    for name, own in network.state_dict(keep_vars=True).items():
        if name in tensors and own.dtype != tensors[name].dtype:
            own.data = own.data.to(tensors[name].dtype)
    network.load_state_dict(tensors)
    return network


def _check_finite(tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise ValueError(f"The network's {name} holds NaN or infinity.")


def _check_shapes(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Compare before memory is allocated: a few bytes of a recipe can require gigabytes."""
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    given = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    for name in sorted(expected.keys() | given.keys()):
        if expected.get(name) != given.get(name):
            raise ValueError(
                f"The recipe makes a network whose {name} is {expected.get(name)}, but the arrays "
                f"have {given.get(name)}."
            )
