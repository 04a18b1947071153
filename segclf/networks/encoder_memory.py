"""Frozen encoders that keep the maps of images and look them up."""

import copy
import hashlib
from collections.abc import Iterator
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor, nn

from segclf.data import KeptFolder
from segclf.data.memory_order import channels_last
from segclf.distributed import in_shares
from segclf.networks.image_network import ImageNetwork
from segclf.networks.kept_maps import InFolder, InMemory, Kept, joined, take

#: Memory that the maps of one encoder may take, 1 GB.
KEPT_BYTES = 2**30


def remember(
    network: nn.Module, folder: KeptFolder | None = None, *, most: int, n_bytes: int | None = None
) -> None:
    """Make every frozen encoder in a network keep its maps of each image, and look them up.

    Images are identified by their pixels, normalized and padded, whatever their order, batch, epoch
    or fit. Maps have no gradient. They are rounded to half precision whether they are kept or not,
    so that training is the same in either case. Inference does not look up maps.

    Parameters
    ----------
    network : nn.Module
        Its `state_dict` does not change.
    folder : KeptFolder, optional
        Folder for this encoder with these weights only. It holds one file for each image, and is
        used for maps that are not in memory.
    most : int
        Largest number of images to keep, since images with random changes never come again and must
        not fill the disk.
    n_bytes : int, optional
        Memory that the maps of each encoder may take, in bytes; `KEPT_BYTES` by default.

    See Also
    --------
    forget : Undoes this.

    Examples
    --------
    >>> from segclf.networks import remember, remembers, segmentation_network
    >>> network = segmentation_network(encoder="tiny", n_classes=2, in_channels=3)
    >>> _ = network.encoder.requires_grad_(False)
    >>> remember(network, most=100)
    >>> remembers(network)
    True
    """
    for encoder in _encoders(network):
        if not any(parameter.requires_grad for parameter in encoder.parameters()):
            room = KEPT_BYTES if n_bytes is None else n_bytes
            stores: list[InMemory | InFolder] = [InMemory(room, most)]
            stores += [] if folder is None else [InFolder(folder, most)]
            encoder.__dict__["forward"] = _Lookup(encoder, stores)


def remember_outputs(network: nn.Module, *, most: int, n_bytes: int | None = None) -> None:
    """Make a network that is not trained keep its exact output for each image.

    Parameters
    ----------
    network : nn.Module
        From images to scores, in evaluation mode.
    most, n_bytes
        See :func:`remember`.

    Examples
    --------
    >>> from segclf.networks import remember_outputs, remembers, segmentation_network
    >>> network = segmentation_network(encoder="tiny", n_classes=2, in_channels=3).eval()
    >>> remember_outputs(network, most=100)
    >>> remembers(network)
    True
    """
    room = KEPT_BYTES if n_bytes is None else n_bytes
    network.__dict__["forward"] = _Lookup(network, [InMemory(room, most)], rounded=False)


def share(network: nn.Module, other: nn.Module) -> None:
    """Make encoders share the maps kept by an equal encoder of another network.

    Encoders are equal if they have the same class, layers and weights. Images are identified by
    their normalized pixels, so the networks may normalize differently.

    Parameters
    ----------
    network : nn.Module
        Network whose encoders are frozen.
    other : nn.Module
        Network whose encoders :func:`remember` maps.

    Examples
    --------
    >>> from segclf.networks import momentum_copy, remember, remembers, segmentation_network, share
    >>> network = segmentation_network(encoder="tiny", n_classes=2, in_channels=3)
    >>> _ = network.encoder.requires_grad_(False)
    >>> remember(network, most=100)
    >>> teacher = momentum_copy(network)
    >>> share(teacher, network)
    >>> remembers(teacher)
    True
    """
    kept = {
        each: each.__dict__["forward"] for each in _encoders(other) if "forward" in each.__dict__
    }
    for encoder in _encoders(network):
        for theirs, lookup in kept.items():
            if _equal(encoder, theirs):
                encoder.__dict__["forward"] = _Lookup(encoder, lookup.stores)


def forget(network: nn.Module) -> None:
    """Make encoders compute again, and release the maps that `remember` keeps in memory.

    Parameters
    ----------
    network : nn.Module
        Any.

    Examples
    --------
    >>> from segclf.networks import forget, remember, remembers, segmentation_network
    >>> network = segmentation_network(encoder="tiny", n_classes=2, in_channels=3)
    >>> _ = network.encoder.requires_grad_(False)
    >>> remember(network, most=100)
    >>> forget(network)
    >>> remembers(network)
    False
    """
    for encoder in _encoders(network):
        encoder.__dict__.pop("forward", None)


def remembers(network: nn.Module) -> bool:
    """Tell whether any part of a network keeps its output for images.

    Parameters
    ----------
    network : nn.Module
        Any.

    Examples
    --------
    >>> from segclf.networks import remembers, segmentation_network
    >>> remembers(segmentation_network(encoder="tiny", n_classes=2, in_channels=3))
    False
    """
    return any(isinstance(each.__dict__.get("forward"), _Lookup) for each in network.modules())


def _encoders(network: nn.Module) -> Iterator[nn.Module]:
    return (each.encoder for each in network.modules() if isinstance(each, ImageNetwork))


class _Lookup:
    """Replaces the method `forward` of one encoder."""

    def __init__(
        self, encoder: nn.Module, stores: list[InMemory | InFolder], *, rounded: bool = True
    ) -> None:
        self._encoder, self.stores, self._rounded = encoder, stores, rounded

    def __call__(self, images: Tensor) -> Any:
        compute = type(self._encoder).forward
        learns = self._encoder.training or images.requires_grad
        if learns or torch.is_inference_mode_enabled():
            return compute(self._encoder, images)
        names = _names(images)
        known = {name: kept for name in names if (kept := self._find(name)) is not None}
        rows = {name: row for row, name in enumerate(names) if name not in known}
        if rows:
            some = images if len(rows) == len(images) else _rows(images, list(rows.values()))
            maps = in_shares(partial(compute, self._encoder), some)
            for row, name in enumerate(rows):
                known[name] = take(maps, some, row, rounded=self._rounded)
                self._put(name, known[name])
        try:
            return joined([known[name] for name in names], images)
        except (KeyError, RuntimeError):  # the folder held maps of other images
            maps = compute(self._encoder, images)
            anew = [take(maps, images, row, rounded=self._rounded) for row in range(len(images))]
            return joined(anew, images)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Self":
        """Copy the encoder without its maps: the copy may get other weights."""
        encoder = copy.deepcopy(self._encoder, memo)
        return type(self)(encoder, [InMemory(0, 0)], rounded=self._rounded)

    def _find(self, name: str) -> Kept | None:
        for number, store in enumerate(self.stores):
            kept = store.get(name)
            if kept is not None:
                for nearer in self.stores[:number]:
                    nearer.put(name, kept)
                return kept
        return None

    def _put(self, name: str, kept: Kept) -> None:
        for store in self.stores:
            store.put(name, kept)


def _equal(one: nn.Module, other: nn.Module) -> bool:
    """Tell whether two encoders compute the same; repr shows strides and dilations."""
    if type(one) is not type(other) or repr(one) != repr(other):
        return False
    ours, theirs = one.state_dict(), other.state_dict()
    return (
        getattr(one, "out_channels", None) == getattr(other, "out_channels", None)
        and ours.keys() == theirs.keys()
        and all(torch.equal(ours[name], theirs[name]) for name in ours)
    )


def _rows(images: Tensor, rows: list[int]) -> Tensor:
    """Select images, in the memory format that encoders expect."""
    return channels_last(images[rows])


def _names(images: Tensor) -> list[str]:
    """Name each image by its pixels, its shape, and the type of computation."""
    device = images.device.type
    kind = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else images.dtype
    rows = images.detach().cpu().movedim(1, -1).contiguous().numpy()
    start = hashlib.sha1(f"{kind} {rows.shape[1:]}".encode(), usedforsecurity=False)
    names = []
    for row in rows:
        name = start.copy()
        name.update(row.data)
        names.append(name.hexdigest())
    return names
