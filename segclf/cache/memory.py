"""The parameter ``memory``: a folder in which results are kept from one fit to the next."""

import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from torch import nn

from segclf.cache.digests import digest
from segclf.data import KeptFolder
from segclf.networks import ImageNetwork, remember, remember_outputs, share
from segclf.persistence import pack_value, read_value

# What decides how an encoder computes, besides its weights.
_OF_ENCODER = ("kind", "architecture", "encoder", "encoder_depth", "in_channels")


class Memory:
    """A folder of results, named by digests of all that they come from.

    Files are safetensors and JSON and run no code; but who can write there decides what is found.

    Parameters
    ----------
    folder : Path
        Made when it is first needed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = KeptFolder(folder)
        self._results = self.folder.below("results")

    def recall(self, key: str, make: Callable[[], Any], trusted: Collection[Any] = ()) -> Any:
        """Return what is kept by that name, or make it and keep it.

        Parameters
        ----------
        key : str
            A digest of all that decides the result.
        make : callable
            Computes it.
        trusted : collection of classes and functions
            What the result may name beside segclf's own and scikit-learn's.
        """
        try:
            return self._read(key, trusted)
        except (OSError, ValueError):  # not there, or no longer whole
            made = make()
        self.keep(key, made)
        return made

    def find(self, key: str) -> Any:
        """Return plain values kept by that name, or None."""
        try:
            return self._read(key, plain=True)
        except (OSError, ValueError):
            return None

    def keep(self, key: str, value: Any) -> None:
        """Keep a value by that name, if that can be."""
        self._results.keep(key, lambda: pack_value({"key": key, "value": value}, "the result"))

    def _read(self, key: str, *options: Any, **more: Any) -> Any:
        """Read a value with the name that it was kept by, so that no other's is taken for it."""
        kept = read_value(self._results.file(key), *options, **more)
        if type(kept) is not dict or kept.get("key") != key:
            raise ValueError("It was kept by another name.")
        return kept["value"]


def as_memory(memory: Any) -> Memory | None:
    """Return the folder that a parameter names, or that a `joblib.Memory` has; None for none.

    Raises
    ------
    ValueError
        For a memory of another kind, which has no folder.
    """
    if memory is None:
        return None
    folder = memory if isinstance(memory, str | os.PathLike) else _location(memory)
    return None if folder is None else Memory(Path(folder) / "segclf")


def _location(memory: Any) -> Any:
    if not hasattr(memory, "location"):
        raise ValueError(f"memory={memory!r} has no folder; expected a path or a joblib.Memory.")
    return memory.location


def remember_features(network: nn.Module, memory: Memory | None, *, most: int) -> None:
    """Let the frozen encoders of a network keep their maps: in memory, and in a folder if any.

    Parameters
    ----------
    network : nn.Module
        An `ImageNetwork`, or a module of several.
    memory : Memory or None
        Where it keeps things in files.
    most : int
        How many images may be added, at each of the scales that an encoder sees them in.
    """
    for module in network.modules():
        if isinstance(module, ImageNetwork) and not module.encoder_learns:
            folder = None if memory is None else memory.folder.below(_folder(module))
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
    return Path("features") / digest(recipe, network.encoder.state_dict())
