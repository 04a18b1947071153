"""A network as plain data, its recipe and its arrays, or an error if it is more than those."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import type_before_parametrizations

from segclf.isolation import isolated, seeded
from segclf.networks import build

_WRAPPED = "_orig_mod"  # where torch.compile keeps the module that it was given


def freeze(network: Any) -> dict[str, Any]:
    """Return a network as plain data: its recipe, and its tensors as arrays.

    Tensors that torch computes from others (weight norm, spectral norm, pruning) are stored with
    their current values, and a compiled module as the original one. Both predict the same.

    Raises
    ------
    TypeError
        If the recipe does not build this network; the message says what differs and what to do.
    """
    network = _unwrapped(network)
    recipe = getattr(network, "recipe", None)
    if not isinstance(network, nn.Module) or not isinstance(recipe, dict):
        raise _refusal(f"network_ is a {_kind(network)}")
    # A user's function may not support devices without memory.
    own = recipe.get("kind") == "own"
    with isolated(), seeded(0) if own else torch.device("meta"):
        twin = build(recipe)
    _check_modules(network, twin)
    arrays = {
        name: _array(_find(network, name), expected, name)
        for name, expected in twin.state_dict().items()
    }
    return {"recipe": recipe, "arrays": arrays}


def _check_modules(network: nn.Module, twin: nn.Module) -> None:
    """Refuse modules that the recipe does not build."""
    expected, found = dict(_modules(twin)), dict(_modules(network))
    for name, module in expected.items():
        if not isinstance(found.get(name), type_before_parametrizations(module)):
            raise _refusal(f"network_.{name} is a {_kind(found.get(name))}, not a {_kind(module)}")
    for name in found.keys() - expected.keys():
        raise _refusal(f"network_.{name}, a {_kind(found[name])}, was added")


def _modules(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield modules by their names, without wrappers and parametrizations."""
    for name, module in network.named_modules():
        parts = name.split(".")
        if parts[-1] != _WRAPPED and "parametrizations" not in parts:
            yield ".".join(part for part in parts if part != _WRAPPED), _unwrapped(module)


def _find(network: nn.Module, name: str) -> Any:
    """Return the tensor of that name, computed if it is derived from others."""
    *path, last = name.split(".")
    module: Any = network
    for part in path:
        module = module if part == _WRAPPED else _unwrapped(getattr(module, part))
    for hook in module._forward_pre_hooks.values():
        if type(hook).__module__.startswith("torch.nn.utils"):  # it computes a weight
            hook(module, None)
    return getattr(module, last)


def _array(tensor: Any, expected: Tensor, name: str) -> np.ndarray[Any, Any]:
    if not isinstance(tensor, Tensor) or tensor.shape != expected.shape:
        given = f"of shape {tuple(tensor.shape)}" if isinstance(tensor, Tensor) else _kind(tensor)
        raise _refusal(f"network_.{name} is {given}, expected shape {tuple(expected.shape)}")
    if tensor.dtype.is_floating_point != expected.dtype.is_floating_point or tensor.dtype in (
        torch.bfloat16,
        torch.complex32,
    ):
        raise TypeError(
            f"network_.{name} has dtype {tensor.dtype}, which numpy does not have: call "
            "network_.float() before saving. precision='bf16' computes in bfloat16 without it."
        )
    # Prediction may change a tensor's memory order, which is not part of the state.
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format).numpy()


def _unwrapped(module: Any) -> Any:
    return getattr(module, _WRAPPED, module)


def _kind(value: Any) -> str:
    kind = type(value)
    return f"{kind.__module__}.{kind.__qualname__}"


def _refusal(what: str) -> TypeError:
    return TypeError(
        f"{what}: files and pickles store a network as its recipe, so it must be one that "
        "segclf.networks builds. Before saving, set network_ to what fit made; or save the "
        "network's own state_dict() with torch.save."
    )
