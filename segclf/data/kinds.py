"""The kinds of input that X may be, by name, and advice for the rest."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from segclf.hookspecs import ImageData

__all__ = ["EXPECTED", "ImagesLike", "column", "image_of", "is_dataset", "kind_of", "why_not"]

EXPECTED = (
    "arrays (n, h, w) or (n, h, w, c), torch tensors (n, c, h, w), rows (n, f); a list, Series or "
    "column of paths, of PIL images, of arrays (h, w) or (h, w, c), or of tensors (c, h, w); or a "
    "map-style Dataset of such images"
)

# Files that hold many images.
_STORED = {".tar": "TarImages", ".parquet": "ParquetImages", ".txt": "PathImages"}


class HasItems(Protocol):
    """An object with a length and items: a Series, a data frame, a map-style torch Dataset."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> Any: ...


ImageLike: TypeAlias = str | os.PathLike[str] | Image.Image | NDArray[Any] | torch.Tensor

#: Images, as `segclf.data.as_images` takes them: the type of ``X`` everywhere.
ImagesLike: TypeAlias = NDArray[Any] | torch.Tensor | Sequence[ImageLike] | HasItems


def kind_of(item: object) -> str | None:
    """Return the name of a kind of image, or None.

    Parameters
    ----------
    item : object

    Returns
    -------
    {"path", "PIL image", "numpy array", "torch tensor"} or None
    """
    if isinstance(item, str | os.PathLike):
        return "path"
    if isinstance(item, Image.Image):
        return "PIL image"
    if isinstance(item, np.ndarray):
        return "numpy array"
    return "torch tensor" if isinstance(item, torch.Tensor) else None


def image_of(item: Any, number: int) -> Any:
    """Return the image of a row: the "image" of a dict, the first of a tuple (image, target).

    Parameters
    ----------
    item : object
        An image, the result of `segclf.data.load_image`, or a row with an image.
    number : int
        Number of the row, for the error.

    Returns
    -------
    path, PIL image, array, tensor; or the item, if it is none of these

    Raises
    ------
    ValueError
        For a dict without an "image", and for a tuple with several images.
    """
    if isinstance(item, ImageData):
        return item.array
    if isinstance(item, Mapping):
        if "image" not in item:
            raise ValueError(f"Image {number} is a dict of {list(item)}; expected a key 'image'.")
        return item["image"]
    if not isinstance(item, tuple) or not item or not _is_image(item[0]):
        return item
    if any(kind_of(other) == kind_of(item[0]) and _is_image(other) for other in item[1:]):
        raise ValueError(
            f"Image {number} is a tuple with several images; expected one, or (image, target)."
        )
    return item[0]


def column(values: Any) -> Any:
    """Return the one column (n,) of a table of paths or objects; anything else unchanged.

    Parameters
    ----------
    values : object

    Returns
    -------
    object

    Raises
    ------
    ValueError
        For a table of several columns that contain text.
    """
    if not isinstance(values, np.ndarray) or values.ndim != 2 or values.dtype.kind not in "OUST":
        return values
    first: Any = values[0] if len(values) else ()
    if len(first) == 1 and (isinstance(first[0], Mapping) or _is_image(first[0])):
        return values[:, 0]
    if not any(_is_image(cell) for cell in first):
        return values
    raise ValueError(
        f"X is a table of {values.shape[1]} columns, some with text or images; "
        "pass the one that holds the images or their paths, such as X['path']."
    )


def is_dataset(values: object) -> bool:
    """Tell a Dataset: it has a length and items, and is no type of Python or numpy.

    Parameters
    ----------
    values : object

    Returns
    -------
    bool
    """
    if isinstance(values, list | tuple | str | bytes | Mapping | torch.utils.data.IterableDataset):
        return False
    own = hasattr(values, "dtype") or hasattr(values, "__array__") or hasattr(values, "to_numpy")
    return not own and hasattr(values, "__len__") and hasattr(values, "__getitem__")


def why_not(values: object) -> str | None:
    """Say why an object holds no images, and what to pass instead.

    Parameters
    ----------
    values : object

    Returns
    -------
    str or None
        None for lists, arrays and the like, whose content decides.
    """
    reason = _one_image(values) or _stream(values)
    if reason is None:
        if is_dataset(values) or isinstance(values, list | tuple):
            return None if len(values) else "X is empty"  # type: ignore[arg-type]
        if hasattr(values, "__array__") or hasattr(values, "to_numpy") or hasattr(values, "dtype"):
            return None
        reason = f"X is a {type(values).__name__}"
    return reason


def _one_image(values: object) -> str | None:
    if isinstance(values, Image.Image):
        return "X is one PIL image; pass [X]"
    if isinstance(values, Mapping) and "image" in values:
        return "X is one row, a dict; pass [X]"
    if not isinstance(values, str | os.PathLike):
        return None
    path = os.fspath(values)
    if os.path.isdir(path):
        return f"X is a folder, {path!r}; pass its files: sorted(Path({path!r}).glob('*.png'))"
    if glob.has_magic(path) and not os.path.exists(path):
        return f"X is a pattern, {path!r}; pass the files: sorted(glob.glob({path!r}))"
    kind = _STORED.get(os.path.splitext(path)[1].lower())
    return f"X is one path, {path!r}; pass {f'segclf.data.{kind}(X)' if kind else '[X]'}"


def _stream(values: object) -> str | None:
    """Describe an object that can only be read from its beginning, if it is one."""
    if isinstance(values, torch.utils.data.DataLoader):
        return "X is a DataLoader; pass its images as a map-style Dataset: X.dataset"
    if isinstance(values, Iterator | torch.utils.data.IterableDataset):
        name = type(values).__name__
        return f"X is a {name}, which has no length and is read in order; pass list(X)"
    return None


def _is_image(item: object) -> bool:
    return kind_of(item) is not None and getattr(item, "ndim", 2) >= 2
