"""Masks that hold values other than ids: colours of a label map, or codes of gray."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from segclf.axes import N_SPATIAL
from segclf.data.arrays import to_numpy, unwrap
from segclf.data.lazy_mask import LazyMask
from segclf.data.mask_checks import MAX_ID
from segclf.data.mask_forms import in_our_form
from segclf.data.readers import load_mask, read_image, read_mask
from segclf.data.watched_file import WatchedFile

__all__ = ["MappedMask", "map_masks"]

Value: TypeAlias = int | tuple[int, int, int]


def map_masks(masks: Any, values: Mapping[Value, int]) -> list[MappedMask | None]:
    """Map the values or colours of masks to mask ids.

    The result is a list of masks like any other: it can be passed to `fit`, split and stored. Files
    are read when they are needed.

    Parameters
    ----------
    masks : array (n, h, w) or (n, h, w, c), list of arrays or paths
        Values (h, w) or colours (h, w, c); None stays None, for an image without a mask. Files with
        palettes hold their indices as values, or their colours.
    values : dict
        Maps each value, or each colour ``(r, g, b)``, to a mask id: 0 is background, -1 unlabeled.
        Alpha is ignored.

    Returns
    -------
    list of MappedMask or None

    Raises
    ------
    ValueError
        If `values` is empty, mixes numbers and colours, or has an invalid mask id. When a mask is
        read, for a value that `values` does not contain; the error has the file, pixel and value.

    Examples
    --------
    The label map of CVAT's "segmentation mask" export has a line for each colour:

    >>> import numpy as np
    >>> from segclf.data import as_masks, map_masks
    >>> colored = np.zeros((1, 4, 5, 3), dtype=np.uint8)
    >>> colored[0, 1, 2] = 250, 50, 83
    >>> masks = map_masks(colored, {(0, 0, 0): 0, (250, 50, 83): 1})
    >>> as_masks(masks, 1)[0].sum()
    np.int64(1)
    """
    pairs = tuple(_checked(value, mask_id) for value, mask_id in values.items())
    if len({isinstance(value, tuple) for value, _ in pairs}) != 1:
        raise ValueError(
            f"values={values!r:.200}; expected only numbers, or only colours (r, g, b)."
        )
    items: Any = unwrap(masks)
    if isinstance(items, str | os.PathLike):
        raise ValueError(f"masks is one path, {items!r}; expected a list of paths or arrays.")
    return [None if item is None else MappedMask(item, pairs) for item in items]


@dataclass(frozen=True, eq=False)
class MappedMask(LazyMask):
    """One mask, and the mask ids of its values.

    Parameters
    ----------
    source : array or path
        Values (h, w), for volumes (d, h, w), or colours (h, w, c).
    values : tuple of (value, id)
        A value is a number or a colour (r, g, b).

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.data import MappedMask
    >>> MappedMask(np.array([[0, 255]]), ((0, 0), (255, 1))).read()
    array([[0, 1]], dtype=int16)
    """

    source: Any
    values: tuple[tuple[Value, int], ...]

    def read(self, n_spatial: int = N_SPATIAL) -> NDArray[np.int16]:
        """Return the ids, (h, w) or (d, h, w); see `LazyMask.read`."""
        if isinstance(self.values[0][0], tuple):
            given = self._colours()
        else:
            given = self._values(n_spatial)
        shape = given.shape[:n_spatial]
        ids = np.full(shape, MAX_ID + 1, dtype=np.int16)
        for value, mask_id in self.values:
            ids[(given.reshape(*shape, -1) == value).all(axis=-1)] = mask_id
        for place in np.argwhere(ids > MAX_ID)[:1]:
            *slices, row, column = place
            raise ValueError(
                f"{''.join(f'slice {z}, ' for z in slices)}row {row}, column {column} holds "
                f"{_shown(given[tuple(place)])}, which values= does not contain; it has "
                f"{', '.join(_shown(value) for value, _ in self.values)}."
            )
        return ids

    @property
    def path(self) -> str | None:
        """The file, if the source is one."""
        return os.fspath(self.source) if isinstance(self.source, str | os.PathLike) else None

    def watched(self) -> MappedMask:
        """Watch the file; see `LazyMask.watched`."""
        return self if self.path is None else replace(self, source=WatchedFile.of(self.source))

    def _values(self, n_spatial: int) -> NDArray[Any]:
        if isinstance(self.source, str | os.PathLike):
            file = WatchedFile.of(self.source)
            if n_spatial == N_SPATIAL:
                return file.read(read_mask)
            return _shaped(file.read(load_mask).array, "(d, h, w)", n_spatial)
        if n_spatial == N_SPATIAL:
            return _shaped(in_our_form(to_numpy(self.source)), "(h, w)", n_spatial)
        return _shaped(to_numpy(self.source), "(d, h, w)", n_spatial)

    def _colours(self) -> NDArray[Any]:
        if not isinstance(self.source, str | os.PathLike):
            colours = _shaped(to_numpy(self.source), "(h, w, 3) or (h, w, 4)", 3)
            if colours.shape[-1] not in (3, 4):
                raise ValueError(f"its shape is {colours.shape}; expected (h, w, 3) or (h, w, 4).")
            colours = colours[..., :3]
        elif str(os.fspath(self.source)).lower().endswith((".jpg", ".jpeg")):
            raise ValueError("JPEG changes colours, so it cannot hold a mask; use PNG or TIFF.")
        else:
            colours = WatchedFile.of(self.source).read(read_image)
        return np.broadcast_to(colours, (*colours.shape[:2], 3))


def _checked(value: Any, mask_id: Any) -> tuple[Value, int]:
    colour = isinstance(value, tuple) and len(value) == 3
    numbers = all(isinstance(number, Integral) for number in (value if colour else (value,)))
    if not numbers or not isinstance(mask_id, Integral) or not -1 <= int(mask_id) <= MAX_ID:
        raise ValueError(
            f"values= maps {value!r} to {mask_id!r}; expected a number or a colour (r, g, b), and "
            f"a mask id from 0 to {MAX_ID}, or -1 if unlabeled."
        )
    return tuple(map(int, value)) if colour else int(value), int(mask_id)  # type: ignore[return-value]


def _shaped(array: NDArray[Any], expected: str, n_axes: int) -> NDArray[Any]:
    if array.ndim != n_axes:
        raise ValueError(f"its shape is {array.shape}; expected {expected}.")
    return array


def _shown(value: Any) -> str:
    return str(np.asarray(value).tolist()).replace("[", "(").replace("]", ")")
