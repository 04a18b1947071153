"""Depth of parameters in an encoder: blocks of a transformer, stages of other encoders."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from segclf.networks.encoders import weights_holder
from segclf.networks.libraries import import_timm

_SIDE = 64


def levels_above(encoder: nn.Module, in_channels: int) -> dict[nn.Parameter, int]:
    """Return for each parameter of an encoder the number of levels between it and the output.

    A transformer of timm with one grid of patches has a level for each block, and one for its
    embedding. In any other encoder each map ends a level, and a parameter belongs to the first map
    that depends on it. So the levels are the same in segmenters and classifiers.

    Parameters
    ----------
    encoder : nn.Module
        From images to maps, or a model of timm.
    in_channels : int
        Channels of the images.

    Returns
    -------
    dict
        0 for the last level, and for parameters that no map depends on.

    Examples
    --------
    >>> from segclf.networks import TinyEncoder
    >>> encoder = TinyEncoder()
    >>> above = levels_above(encoder, in_channels=3)
    >>> [above[stage[0].weight] for stage in encoder.stages]
    [2, 1, 0]
    """
    model: Any = weights_holder(encoder)
    model = getattr(model, "model", model)  # timm's wrapper that returns tokens
    if _has_blocks(model):
        levels = _levels_by_blocks(model)
    else:
        levels = _levels_by_maps(encoder, model, in_channels)
    places = {level: place for place, level in enumerate(sorted(set(levels.values())))}
    last = len(places) - 1
    return {
        each: last - places[levels[each]] if each in levels else 0 for each in encoder.parameters()
    }


def _has_blocks(model: Any) -> bool:
    info = getattr(model, "feature_info", None)
    one_grid = isinstance(info, list) and len({each["reduction"] for each in info}) == 1 < len(info)
    return one_grid and hasattr(model, "group_matcher")


def _levels_by_blocks(model: Any) -> dict[nn.Parameter, int]:
    grouped = import_timm().models.group_parameters(model, model.group_matcher(coarse=True))
    return {model.get_parameter(name): level for level, names in grouped.items() for name in names}


def _levels_by_maps(encoder: nn.Module, model: Any, in_channels: int) -> dict[nn.Parameter, int]:
    config = getattr(model, "pretrained_cfg", None) or {}
    side = config.get("input_size", (in_channels, _SIDE, _SIDE))[-1]
    parameters = list(encoder.parameters())
    levels: dict[nn.Parameter, int] = {}
    with _differentiable(encoder):
        # An input with a gradient keeps encoders from looking up maps, which have none.
        image = parameters[0].new_zeros(1, in_channels, side, side).requires_grad_()
        for level, each in enumerate(_maps(encoder, model, image)):
            gradients = torch.autograd.grad(
                each.sum(), parameters, allow_unused=True, retain_graph=True
            )
            for parameter, gradient in zip(parameters, gradients, strict=True):
                if gradient is not None:
                    levels.setdefault(parameter, level)
    return levels


def _maps(encoder: nn.Module, model: Any, image: Tensor) -> list[Tensor]:
    """Return the maps that depend on any parameter, finest first."""
    maps = encoder(image)
    if isinstance(maps, Tensor) and hasattr(model, "forward_intermediates"):
        maps = model.forward_intermediates(image, intermediates_only=True)
    maps = maps[0] if isinstance(maps, tuple) else maps
    return [each for each in ([maps] if isinstance(maps, Tensor) else maps) if each.requires_grad]


@contextmanager
def _differentiable(encoder: nn.Module) -> Iterator[None]:
    """Enable gradients of all parameters, and keep statistics unchanged."""
    training, learns = encoder.training, [each.requires_grad for each in encoder.parameters()]
    encoder.eval().requires_grad_(True)
    try:
        with torch.enable_grad():
            yield
    finally:
        encoder.train(training)
        for parameter, learned in zip(encoder.parameters(), learns, strict=True):
            parameter.requires_grad_(learned)
