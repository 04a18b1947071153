"""Frozen encoders that look up what they said of an image before, in a folder."""

import hashlib
import json
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from segclf.axes import are_maps
from segclf.networks.image_network import ImageNetwork


def remember(network: nn.Module, folder: str | Path, *, most: int) -> None:
    """Let every frozen encoder in a network keep its maps of each image, and look them up.

    Images are known by their pixels, normalized and padded, so that it does not matter in which
    order, batch, epoch or fit they come. Maps take no gradient, as those of a frozen encoder do.

    Parameters
    ----------
    network : nn.Module
        Its `state_dict` stays as it is.
    folder : path
        For this encoder with these weights alone. It holds a file for each image.
    most : int
        How many new files there may be at most. Images that random changes make are never met
        again, and must not fill the disk.

    See Also
    --------
    forget : The way back.
    """
    for encoder in _encoders(network):
        if not any(parameter.requires_grad for parameter in encoder.parameters()):
            encoder.__dict__["forward"] = _Lookup(encoder, Path(folder), most)


def forget(network: nn.Module) -> None:
    """Let encoders compute again, whatever `remember` did.

    Parameters
    ----------
    network : nn.Module
        Any.
    """
    for encoder in _encoders(network):
        encoder.__dict__.pop("forward", None)


def _encoders(network: nn.Module) -> Iterator[nn.Module]:
    return (each.encoder for each in network.modules() if isinstance(each, ImageNetwork))


class _Lookup:
    """Stands for the method `forward` of one encoder."""

    def __init__(self, encoder: nn.Module, folder: Path, most: int) -> None:
        self._encoder, self._folder, self._left = encoder, folder, most

    def __call__(self, images: Tensor) -> Any:
        compute = type(self._encoder).forward
        if self._encoder.training or images.requires_grad:
            return compute(self._encoder, images)
        paths = [self._folder / name[:2] / name[2:] for name in _names(images)]
        known = [_read(path) for path in paths]
        if all(each is not None for each in known):
            return _joined([each for each in known if each is not None], images)
        maps = compute(self._encoder, images)
        for index, path in enumerate(paths):
            if known[index] is None:
                self._write(path, maps, images, index)
        return maps

    def _write(self, path: Path, maps: Any, images: Tensor, index: int) -> None:
        if self._left <= 0:
            return
        self._left -= 1
        tensors: dict[str, Tensor] = {}
        form = json.dumps(_form(maps, images, index, tensors))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(f".{os.getpid()}")
            save_file(tensors, partial, metadata={"form": form})
            partial.replace(path)  # another process finds all of it or nothing
        except (OSError, SafetensorError) as error:
            self._left = 0
            warnings.warn(f"No more maps are kept in {self._folder}: {error}", stacklevel=2)


def _names(images: Tensor) -> list[str]:
    """Name each image by its pixels, its shape, and the type that is computed in."""
    device = images.device.type
    kind = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else images.dtype
    rows = images.detach().cpu().permute(0, 2, 3, 1).contiguous().numpy()
    start = hashlib.sha1(f"{kind} {rows.shape[1:]}".encode(), usedforsecurity=False)
    names = []
    for row in rows:
        name = start.copy()
        name.update(row.data)
        names.append(name.hexdigest())
    return names


def _form(value: Any, images: Tensor, index: int, tensors: dict[str, Tensor]) -> Any:
    """Take one image's maps out of those of a batch, and say how they are nested, for JSON."""
    if value is images:
        return "image"
    if isinstance(value, Tensor):
        name = str(len(tensors))
        row = value[index].detach()
        # Channels last, as they lie in memory.
        tensors[name] = (row.movedim(0, -1) if are_maps(value) else row).cpu().contiguous()
        return name
    if isinstance(value, list | tuple):
        kind = type(value).__name__
        return {kind: [_form(each, images, index, tensors) for each in value]}
    if value is None:
        return None
    raise TypeError(f"An encoder's maps hold a {type(value).__name__}; expected tensors.")


def _read(path: Path) -> tuple[str, dict[str, Tensor]] | None:
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return file.metadata()["form"], tensors
    except (FileNotFoundError, SafetensorError):
        return None


def _joined(known: list[tuple[str, dict[str, Tensor]]], images: Tensor) -> Any:
    """Make a batch again of the maps of its images."""
    tensors = {
        name: torch.stack([each[name] for _, each in known]).to(images.device)
        for name in known[0][1]
    }

    def nested(form: Any) -> Any:
        if isinstance(form, dict):
            ((kind, parts),) = form.items()
            values = [nested(part) for part in parts]
            return tuple(values) if kind == "tuple" else values
        if form is None or form == "image":
            return images if form else None
        value = tensors[form]
        return value.movedim(-1, 1) if are_maps(value) else value

    return nested(json.loads(known[0][0]))
