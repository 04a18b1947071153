"""An encoder's maps of single images, kept in memory and in files."""

import json
import zlib
from typing import Any, NamedTuple

import torch
from safetensors.torch import save
from torch import Tensor

from segclf.axes import are_maps
from segclf.data import KeptFolder
from segclf.distributed import is_first
from segclf.files import Container
from segclf.networks.stored_tensors import container_tensors


class Kept(NamedTuple):
    """The maps of one image: how they are nested, as JSON, and the tensors."""

    form: str
    tensors: dict[str, Tensor]

    def nbytes(self) -> int:
        """Return the memory that they take, in bytes."""
        return sum(tensor.nbytes for tensor in self.tensors.values())


def take(maps: Any, images: Tensor, index: int, *, rounded: bool = True) -> Kept:
    """Take one image's maps from those of a batch, rounded to half precision or unchanged.

    A map with values beyond the range of half precision is not rounded.
    """
    tensors: dict[str, Tensor] = {}
    form = json.dumps(_form(maps, images, index, tensors))
    return Kept(form, {k: _rounded(v) for k, v in tensors.items()} if rounded else tensors)


def joined(kept: list[Kept], images: Tensor) -> Any:
    """Join the maps of images into a batch, in the types that they were computed in."""

    def nested(form: Any) -> Any:
        if isinstance(form, dict):
            ((kind, parts),) = form.items()
            values = [nested(part) for part in parts]
            return tuple(values) if kind == "tuple" else values
        if form is None or form == "image":
            return images if form else None
        name, dtype = form.split()
        kind = getattr(torch, dtype)  # cast before stacking: no half in autocast on a CPU
        rows = torch.stack([each.tensors[name].to(images.device, kind) for each in kept])
        return rows.movedim(-1, 1) if are_maps(rows) else rows

    return nested(json.loads(kept[0].form))


class InMemory:
    """Maps by the names of their images, as long as there is room.

    Parameters
    ----------
    n_bytes : int
        Memory that they may take, in bytes.
    most : int
        Largest number of images.
    """

    def __init__(self, n_bytes: int, most: int) -> None:
        self._left, self._most = n_bytes, most
        self._kept: dict[str, Kept] = {}

    def get(self, name: str) -> Kept | None:
        """Return the maps of an image, or None."""
        return self._kept.get(name)

    def put(self, name: str, kept: Kept) -> None:
        """Keep the maps of an image, if there is room."""
        if len(self._kept) < self._most and kept.nbytes() <= self._left:
            self._left -= kept.nbytes()
            self._kept[name] = kept


class InFolder:
    """Maps by the names of their images, one file for each; other processes find them, too.

    Parameters
    ----------
    folder : KeptFolder
        Folder for one encoder with its weights.
    most : int
        Largest number of new files.
    """

    def __init__(self, folder: KeptFolder, most: int) -> None:
        self._folder, self._left = folder, most

    def get(self, name: str) -> Kept | None:
        """Return the maps of an image; None if the file is missing, damaged or of another kind."""
        try:
            container = Container(self._folder.file(name))
            stored = container_tensors(container)
            kept = Kept(container.metadata["form"], {key: stored[key].read() for key in stored})
            whole = container.metadata["checksum"] == _checksum(name, kept)
            return kept if whole and _is_form(json.loads(kept.form), kept.tensors) else None
        except (OSError, KeyError, RecursionError, TypeError, ValueError):
            return None

    def put(self, name: str, kept: Kept) -> None:
        """Write the maps of an image; warn once if that fails."""
        if self._left > 0 and is_first():
            self._left -= 1
            # No sync, which would take as long as many encoders: a checksum detects damage.
            self._folder.keep(name, lambda: _packed(name, kept), sync=False)


def _packed(name: str, kept: Kept) -> bytes:
    kept = Kept(kept.form, {key: tensor.cpu() for key, tensor in kept.tensors.items()})
    return save(kept.tensors, metadata={"form": kept.form, "checksum": _checksum(name, kept)})


def _checksum(name: str, kept: Kept) -> str:
    """Return a checksum of the maps, their nesting and the image's name."""
    checksum = zlib.crc32(f"{name} {kept.form}".encode())
    for key in sorted(kept.tensors):
        values = kept.tensors[key].reshape(-1).view(torch.uint8)
        checksum = zlib.crc32(values.numpy().data, checksum)
    return str(checksum)


def _form(value: Any, images: Tensor, index: int, tensors: dict[str, Tensor]) -> Any:
    if value is images:
        return "image"
    if isinstance(value, Tensor):
        name = str(len(tensors))
        row = value[index].detach()
        # Channels last, as in memory; a copy, which does not keep the whole batch alive.
        row = row.movedim(0, -1) if are_maps(value) else row
        tensors[name] = row.clone(memory_format=torch.contiguous_format)
        return f"{name} {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, list | tuple):
        kind = type(value).__name__
        return {kind: [_form(each, images, index, tensors) for each in value]}
    if value is None:
        return None
    raise TypeError(f"An encoder's maps hold a {type(value).__name__}; expected tensors.")


def _is_form(form: Any, tensors: dict[str, Tensor]) -> bool:
    """Tell whether a form from a file is one that `_form` could make of these tensors."""
    match form:
        case None | "image":
            return True
        case str():
            name, _, dtype = form.partition(" ")
            return name in tensors and isinstance(getattr(torch, dtype, None), torch.dtype)
        case {"list": [*parts]} | {"tuple": [*parts]}:
            return len(form) == 1 and all(_is_form(part, tensors) for part in parts)
    return False


def _rounded(row: Tensor) -> Tensor:
    half = row.half()
    return half if half.isfinite().all() else row
