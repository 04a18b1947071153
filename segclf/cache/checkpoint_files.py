"""The states of one training as files, found by a digest of all that determines its result."""

import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from segclf.files import require_inside
from segclf.persistence import read_value, write_value
from segclf.training import Place

_NAME = re.compile(r"(\d+)-(\d+)(-done)?\.safetensors")
_TENSOR = "tensor"
# Files last written before this process started are no longer being written; those that this
# process writes, it knows itself.
_BEGUN = time.time()
_ours: set[Path] = set()
_active: set[Path] = set()


class CheckpointFiles:
    """A folder of files, each a state of one training; safetensors and JSON, which hold no code.

    Parameters
    ----------
    folder : Path
        The folder for all trainings of one kind.
    key : str
        A digest of what determines the result of this training. Its files are ``<steps>-<epoch>``
        in a folder of that name, with ``-done`` if training was complete.

    Examples
    --------
    >>> from pathlib import Path
    >>> from segclf.cache import CheckpointFiles
    >>> from segclf.training import Place
    >>> files = CheckpointFiles(Path("checkpoints"), key="digest")
    >>> files.write(Place(n_steps=10, epoch=1, done=False), {"loss": 0.5})
    >>> files.places()
    [Place(n_steps=10, epoch=1, done=False)]
    >>> files.read(files.places()[0])
    {'loss': 0.5}
    """

    def __init__(self, folder: Path, key: str) -> None:
        self._kind, self.folder = folder, folder / key

    def __enter__(self) -> Self:
        """Mark the training as active, so that others do not take it for abandoned."""
        _active.add(self.folder)
        return self

    def __exit__(self, *error: object) -> None:
        """Mark the training as no longer active."""
        _active.discard(self.folder)

    def __str__(self) -> str:
        return str(self.folder)

    def places(self) -> list[Place]:
        """List the states that exist."""
        return _places(self.folder)

    def unfinished(self) -> list[Path]:
        """List the folders of abandoned trainings of this kind, except this one."""
        folders = (each for each in _listed(self._kind) if each != self.folder)
        return sorted(each for each in folders if _was_left(each))

    def read(self, place: Place) -> dict[str, Any]:
        """Return a state.

        Raises
        ------
        OSError, ValueError
            If the file does not exist, or is incomplete.
        """
        return with_tensors(read_value(self._path(place), plain=True))

    def write(self, place: Place, values: dict[str, Any]) -> None:
        """Write a state, whole or not at all; raises OSError if that fails."""
        require_inside(self._path(place), self._kind.parent)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_value(without_tensors(values), self._path(place), "the state")
        _ours.add(self.folder)

    def remove(self, places: Iterable[Place]) -> None:
        """Remove states, and the remains of a process that ended while it wrote."""
        require_inside(self.folder, self._kind.parent)
        for place in places:
            self._path(place).unlink(missing_ok=True)
        for path in _listed(self.folder):
            if path.name.startswith(".") and path.stat().st_mtime < _BEGUN:
                path.unlink(missing_ok=True)

    def _path(self, place: Place) -> Path:
        done = "-done" if place.done else ""
        return self.folder / f"{place.n_steps}-{place.epoch}{done}.safetensors"


def _places(folder: Path) -> list[Place]:
    found = filter(None, (_NAME.fullmatch(path.name) for path in _listed(folder)))
    return [Place(int(each[1]), int(each[2]), each[3] is not None) for each in found]


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:  # it does not exist, or is not readable
        return []


def _was_left(folder: Path) -> bool:
    places = _places(folder)
    if not places or any(each.done for each in places):
        return False
    return folder in _ours - _active or folder.stat().st_mtime < _BEGUN


def without_tensors(value: Any) -> Any:
    """Return plain values for tensors and containers of them, to store in a file.

    Parameters
    ----------
    value : object
        Tensors, plain values, and lists, tuples and dictionaries of them.

    Examples
    --------
    >>> import torch
    >>> from segclf.cache import without_tensors
    >>> without_tensors([1, "two"])
    [1, 'two']
    """
    if isinstance(value, Tensor):
        return _as_array(value)
    if isinstance(value, dict):
        return {key: without_tensors(each) for key, each in value.items()}
    return [without_tensors(each) for each in value] if isinstance(value, list) else value


def with_tensors(value: Any) -> Any:
    """Return the tensors again; the inverse of `without_tensors`.

    Parameters
    ----------
    value : object
        What `without_tensors` returned.

    Examples
    --------
    >>> import torch
    >>> from segclf.cache import with_tensors, without_tensors
    >>> with_tensors(without_tensors({"weight": torch.ones(2)}))
    {'weight': tensor([1., 1.])}
    """
    if isinstance(value, tuple) and value[:1] == (_TENSOR,):
        return _as_tensor(*value[1:])
    if isinstance(value, dict):
        return {key: with_tensors(each) for key, each in value.items()}
    return [with_tensors(each) for each in value] if isinstance(value, list) else value


def _as_array(tensor: Tensor) -> tuple[Any, ...]:
    """Write numbers in memory order, on which fused optimizers depend."""
    strides = tensor.stride()
    axes = sorted(range(len(strides)), key=lambda axis: -strides[axis])
    values = tensor.detach().cpu().permute(axes).contiguous()
    if values.dtype is torch.bfloat16:
        values = values.view(torch.int16)
    return _TENSOR, values.numpy(), axes, str(tensor.dtype).removeprefix("torch.")


def _as_tensor(array: NDArray[Any], axes: list[int], dtype: str) -> Tensor:
    values = torch.from_numpy(array).clone()  # torch's own memory is aligned for its kernels
    kind = getattr(torch, dtype)
    if not isinstance(kind, torch.dtype):
        raise ValueError(f"torch.{dtype} is not a number type.")
    values = values if values.dtype is kind else values.view(kind)
    return values.permute(np.argsort(axes).tolist())
