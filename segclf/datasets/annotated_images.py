"""Images and annotations read from files, ready for `fit`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["AnnotatedImages", "NameFunction", "of_names"]

Rows: TypeAlias = NDArray[np.intp]
#: Maps the name of an image, without folder and suffix, to its group or label.
NameFunction: TypeAlias = Callable[[str], Any]


@dataclass(frozen=True, eq=False)
class AnnotatedImages:
    """Images with their annotations; nothing is decoded before it is needed.

    Attributes
    ----------
    images : list of str, or array
        Paths, or arrays if the layout stores arrays: ``X`` of `fit`.
    masks : list or array, or None
        One mask for each image, as `fit` takes them: paths, arrays, masks that are drawn when they
        are read, or None for an image without a mask.
    class_names : list of str
        Names of the mask ids, the background first; for multi-label masks, of the channels.
    names : list of str
        A unique name for each image: that of its file, without folder and suffix.
    target : array of shape (n,) or (n, k), or None
        Labels of the images, -1 where unlabeled: ``y`` of classifiers.
    target_names : list of str
        Names of the values 0, 1, ... in `target`, or of its columns.
    groups : array of shape (n,), or None
        Group of each image, such as its patient.
    splits : list of (array, array), or None
        Rows for training and for validation in each fold, as scikit-learn's ``cv`` takes them.

    Examples
    --------
    ``segmenter.fit(found.images, found.masks, groups=found.groups)``
    """

    images: Any
    masks: Any
    class_names: list[str]
    names: list[str]
    target: NDArray[Any] | None = None
    target_names: list[str] = field(default_factory=list)
    groups: NDArray[Any] | None = None
    splits: list[tuple[Rows, Rows]] | None = None

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        """Return a short summary, since there may be many paths."""
        classes = ", ".join(self.class_names)
        return f"AnnotatedImages({len(self)} images; {classes})"

    def subset(self, rows: ArrayLike) -> AnnotatedImages:
        """Return some of the images.

        Parameters
        ----------
        rows : array-like of int or bool
            The rows to keep, in this order.

        Returns
        -------
        AnnotatedImages
            Without `splits`, which refer to all images.
        """
        chosen = np.arange(len(self))[np.asarray(rows)]
        parts = (_cut(each, chosen) for each in (self.images, self.masks, self.names))
        images, masks, names = parts
        target, groups = (_cut(each, chosen) for each in (self.target, self.groups))
        return AnnotatedImages(
            images, masks, self.class_names, names, target, self.target_names, groups
        )


def _cut(values: Any, rows: Rows) -> Any:
    if values is None or isinstance(values, np.ndarray):
        return values if values is None else values[rows]
    return [values[row] for row in rows.tolist()]


def of_names(function: NameFunction | None, names: Sequence[str]) -> NDArray[Any] | None:
    """Apply a function to each name; None without a function."""
    return None if function is None else np.array([function(name) for name in names])
