"""The parameter ``memory``: a folder that stores results from one fit to the next."""

import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from torch import nn

from segclf.cache.digests import digest
from segclf.data import KeptFolder
from segclf.networks import ImageNetwork, remember, remember_outputs, share
from segclf.persistence import pack_value, read_value

# The attributes besides the weights that determine the output of an encoder.
_OF_ENCODER = ("kind", "architecture", "encoder", "encoder_depth", "in_channels")


class Memory:
    """A folder of results, named by digests of everything that they depend on.

    Files are safetensors and JSON and hold no code; but whoever can write to the folder decides
    which results are found.

    Parameters
    ----------
    folder : Path
        The folder, created when it is first needed.

    Examples
    --------
    >>> from pathlib import Path
    >>> from segclf.cache import Memory, digest
    >>> memory = Memory(Path("kept"))
    >>> def compute():
    ...     print("computed")
    ...     return {"score": 0.5}
    >>> memory.recall(digest("some parameters"), compute)
    computed
    {'score': 0.5}
    >>> memory.recall(digest("some parameters"), compute)
    {'score': 0.5}
    """

    def __init__(self, folder: Path) -> None:
        self.folder = KeptFolder(folder)
        self._results = self.folder.below("results")

    def __repr__(self) -> str:
        return f"Memory({str(self.folder.path)!r})"

    def recall(self, key: str, make: Callable[[], Any], trusted: Collection[Any] = ()) -> Any:
        """Return the result stored under a key, or compute and store it.

        Parameters
        ----------
        key : str
            A digest of all that determines the result.
        make : callable
            Computes the result.
        trusted : collection of classes and functions
            What the result may name besides segclf's and scikit-learn's own classes.
        """
        try:
            return self._read(key, trusted)
        except (OSError, ValueError):  # it does not exist, or is damaged
            made = make()
        self.keep(key, made)
        return made

    def find(self, key: str) -> Any:
        """Return the plain values stored under a key, or None."""
        try:
            return self._read(key, plain=True)
        except (OSError, ValueError):
            return None

    def keep(self, key: str, value: Any) -> None:
        """Store a value under a key, if possible."""
        self._results.keep(key, lambda: pack_value({"key": key, "value": value}, "the result"))

    def _read(self, key: str, *options: Any, **more: Any) -> Any:
        """Read a value and check the key that it was stored with, so that keys are not confused."""
        kept = read_value(self._results.file(key), *options, **more)
        if type(kept) is not dict or kept.get("key") != key:
            raise ValueError("It was stored under another key.")
        return kept["value"]


def as_memory(memory: Any) -> Memory | None:
    """Return the folder of a parameter or of a `joblib.Memory`; None if there is none.

    Raises
    ------
    ValueError
        For a memory without a folder.

    Examples
    --------
    >>> from segclf.cache import as_memory
    >>> as_memory(None) is None
    True
    >>> as_memory("kept").find("a-digest") is None
    True
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
    """Let the frozen encoders of a network keep their maps, in memory and in a folder, if any.

    Parameters
    ----------
    network : nn.Module
        An `ImageNetwork`, or a module of several.
    memory : Memory or None
        The folder for files.
    most : int
        Maximum number of images, at each of the scales that an encoder sees.

    Examples
    --------
    >>> from segclf.cache import remember_features
    >>> from segclf.networks import remembers, segmentation_network
    >>> network = segmentation_network(encoder="tiny", n_classes=2, in_channels=3)
    >>> _ = network.set_encoder_rate(0.0)
    >>> remember_features(network, None, most=100)
    >>> remembers(network)
    True
    """
    for module in network.modules():
        if isinstance(module, ImageNetwork) and not module.encoder_learns:
            folder = None if memory is None else memory.folder.below(_folder(module))
            n_scales = len(module.recipe.get("encoder_scales", [1]))
            remember(module, folder, most=most * n_scales)


def remember_scores(teacher: nn.Module, student: nn.Module, *, most: int) -> None:
    """Let a teacher network keep its scores of each image, in memory.

    A frozen encoder that both networks share computes each map once: where the student's keeps its
    maps, the teacher's finds them.

    Parameters
    ----------
    teacher : nn.Module
        A network from images to scores; it does not learn.
    student : nn.Module
        The network that it teaches; it may keep features, see :func:`remember_features`.
    most : int
        Maximum number of images.

    Examples
    --------
    >>> from segclf.cache import remember_scores
    >>> from segclf.networks import remembers, segmentation_network
    >>> teacher = segmentation_network(encoder="tiny", n_classes=2, in_channels=3).eval()
    >>> student = segmentation_network(encoder="tiny", n_classes=2, in_channels=3)
    >>> remember_scores(teacher, student, most=100)
    >>> remembers(teacher)
    True
    """
    share(teacher, student)
    remember_outputs(teacher, most=most)


def _folder(network: ImageNetwork) -> Path:
    recipe = {name: network.recipe.get(name) for name in _OF_ENCODER}
    return Path("features") / digest(recipe, network.encoder.state_dict())
