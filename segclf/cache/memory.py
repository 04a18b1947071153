"""The parameter ``memory``: a folder in which results are kept from one fit to the next."""

import os
from pathlib import Path
from typing import Any

from sklearn.utils.validation import check_memory
from torch import nn

from segclf.cache.digests import digest
from segclf.networks import ImageNetwork, remember, remember_outputs, share

# What decides how an encoder computes, besides its weights.
_OF_ENCODER = ("kind", "architecture", "encoder", "encoder_depth", "in_channels")


def as_memory(memory: Any) -> Any:
    """Return the joblib.Memory that a parameter holds or names; None for none."""
    if memory is None:
        return None
    return check_memory(os.fspath(memory) if isinstance(memory, os.PathLike) else memory)


def remember_features(network: nn.Module, memory: Any, *, most: int) -> None:
    """Let the frozen encoders of a network keep their maps: in memory, and in a folder if any.

    Parameters
    ----------
    network : nn.Module
        An `ImageNetwork`, or a module of several.
    memory : joblib.Memory or None
        Where it keeps things in files.
    most : int
        How many images may be added, at each of the scales that an encoder sees them in.
    """
    store: Any = getattr(memory, "store_backend", None)
    for module in network.modules():
        if isinstance(module, ImageNetwork) and not module.encoder_learns:
            folder = None if store is None else Path(store.location) / _folder(module)
            n_scales = len(module.recipe.get("encoder_scales", [1]))
            remember(module, folder, most=most * n_scales)


def remember_scores(teacher: nn.Module, student: nn.Module, *, most: int) -> None:
    """Let a network that teaches another keep its scores of each image, in memory.

    A frozen encoder that both have is asked once for both: where the student's keeps its maps, the
    teacher's finds them.

    Parameters
    ----------
    teacher : nn.Module
        From images to scores; it does not learn.
    student : nn.Module
        May keep features, see :func:`remember_features`.
    most : int
        How many images may be added.
    """
    share(teacher, student)
    remember_outputs(teacher, most=most)


def _folder(network: ImageNetwork) -> Path:
    recipe = {name: network.recipe.get(name) for name in _OF_ENCODER}
    return Path("segclf_features") / digest(recipe, network.encoder.state_dict())
