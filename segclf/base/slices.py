"""Turn the supervision of volumes into that of their slices."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segclf.axes import N_SPATIAL
from segclf.base.agreement import of_kind
from segclf.base.maps import MapBatches, Maps, check_memory, collect_maps
from segclf.base.supervision import Supervision
from segclf.data import Images, as_masks
from segclf.progress import counted


class SliceChoice(NamedTuple):
    """Which slices to learn from.

    Parameters
    ----------
    most : int or None
        Maximum for each volume; None is all.
    finding_fraction : float
        Share of these that show a finding, if the volume has enough.
    random : RandomState
        Random numbers for the choice.
    """

    most: int | None
    finding_fraction: float
    random: np.random.RandomState

    def of(self, shows: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Choose among the slices of a volume, by which of them show a finding."""
        if self.most is None or len(shows) <= self.most:
            return np.arange(len(shows))
        order = self.random.permutation(len(shows))
        found, others = order[shows[order]], order[~shows[order]]
        n_found = min(len(found), int(np.ceil(self.finding_fraction * self.most)))
        n_found = max(n_found, self.most - len(others))
        return np.sort(np.concatenate([found[:n_found], others[: self.most - n_found]]))


def as_slices(given: Supervision, *, neighbors: int, choice: SliceChoice | None) -> Supervision:
    """Return the slices of volumes, with the supervision of each.

    A slice has its part of the mask, and the weight and group of its volume. A volume without a
    group is its own group. Of labels only 0 is kept, since only 0 holds for every slice.

    Parameters
    ----------
    given : Supervision
        Supervision of volumes that are opened.
    neighbors : int
        See `segclf.data.Images.slices`.
    choice : SliceChoice or None
        None takes all slices, as does the validation set.
    """
    assert given.images is not None
    depths = given.images.sizes()[:, 0].tolist()
    chosen: list[NDArray[np.intp]] = []
    items: list[NDArray[Any] | None] = []
    for row, depth in enumerate(depths):
        mask = given.masks.ids(row)
        slices = np.arange(depth) if choice is None else choice.of(_shows(mask, depth))
        chosen.append(slices)
        items += [None] * len(slices) if mask is None else _cut(mask, slices)
    volume = np.repeat(np.arange(len(given)), [len(each) for each in chosen])
    images = given.images.slices(volume, np.concatenate(chosen), neighbors=neighbors)
    weight, groups, validation = given.sample_weight, given.groups, given.validation
    if validation is not None:
        validation = as_slices(validation, neighbors=neighbors, choice=None)
    masks = as_masks(items, len(items))
    return replace(
        given,
        X=images,
        images=images,
        masks=of_kind(masks, given.masks.multilabel, given.masks.n_classes),
        labels=_empty_by_label(given.labels, volume),
        sample_weight=None if weight is None else weight[volume],
        groups=volume if groups is None else groups[volume],
        validation=validation,
    )


def _shows(mask: NDArray[Any] | None, depth: int) -> NDArray[np.bool_]:
    """Tell which slices of a mask (d, h, w) or (k, d, h, w) show a finding."""
    if mask is None:
        return np.zeros(depth, dtype=bool)
    return np.array([(mask[..., number, :, :] > 0).any() for number in range(depth)])


def _cut(mask: NDArray[Any], slices: NDArray[np.intp]) -> list[NDArray[Any]]:
    """Cut slices out of a mask; int64 values, as read from files, are copied to int16."""
    parts = [mask[..., number, :, :] for number in slices.tolist()]
    return parts if mask.dtype != np.int64 else [part.astype(np.int16) for part in parts]


def _empty_by_label(
    labels: NDArray[np.int64] | None, volume: NDArray[np.intp]
) -> NDArray[np.int64] | None:
    """Return 0 for slices of volumes labeled 0, -1 for others; None if no volume is."""
    if labels is None or not (labels == 0).any():
        return None
    return np.where(labels == 0, 0, -1)[volume]


def whole_of_slices(depth: int, batches: Iterator[tuple[Any, NDArray[Any]]]) -> NDArray[Any]:
    """Assemble values of slices, (b, ..., h, w), to one array (..., d, h, w)."""
    whole = None
    for rows, each in batches:
        *lead, height, width = each.shape[1:]
        if whole is None:
            whole = np.empty((*lead, depth, height, width), dtype=each.dtype)
        whole[..., rows, :, :] = np.moveaxis(each, 0, -3)
    assert whole is not None
    return whole


def volume_by_volume(volumes: Images, make: Callable[[Images, int, Images], NDArray[Any]]) -> Maps:
    """Return ``make(volumes, row, volumes)`` for each row; a single one is not copied."""
    if len(volumes) == 1:
        return make(volumes, 0, volumes)[None]
    rows = _rows(volumes)
    return collect_maps(volumes, ((np.array([n]), make(volumes, n, volumes)[None]) for n in rows))


def one_by_one(volumes: Images, make: Callable[[Images, int, Images], NDArray[Any]]) -> MapBatches:
    """Yield ``(index, make(volumes, row, that volume))`` for each row."""
    for row in _rows(volumes):
        yield np.array([row]), make(volumes, row, volumes.subset([row]))[None]


def _rows(volumes: Images) -> Iterator[int]:
    return counted(range(len(volumes)), "prediction", total=len(volumes), unit="volumes")


def with_room(
    volumes: Images, batches: Iterator[tuple[Any, NDArray[Any]]]
) -> Iterator[tuple[Any, NDArray[Any]]]:
    """Yield values of slices, (b, ..., h, w), if those of all volumes fit in memory."""
    rows, first = next(batches)
    check_memory(volumes, first, N_SPATIAL)
    yield rows, first
    yield from batches
