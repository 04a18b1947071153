"""What a folder of somebody's annotations holds, ready for `fit`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["AnnotatedImages", "NameFunction", "of_names"]

Rows: TypeAlias = NDArray[np.intp]
#: From the name of an image, without folder and suffix, to its group or its label.
NameFunction: TypeAlias = Callable[[str], Any]


@dataclass(frozen=True, eq=False)
class AnnotatedImages:
    """Images and what people said of them; nothing is decoded before it is needed.

    Attributes
    ----------
    images : list of str, or array
        Paths, or arrays where the layout holds such: ``X`` of `fit`.
    masks : list or array, or None
        One each, as masks are passed to `fit`: paths, arrays, what is drawn when it is looked at,
        and None for an unannotated image.
    class_names : list of str
        Of the ids of the masks, the background first; where masks are multi-label, of the channels.
    names : list of str
        One each, and each once: those of the files, without folder and suffix.
    target : array of shape (n,) or (n, k), or None
        Labels of the images, -1 where unlabeled: ``y`` of classifiers.
    target_names : list of str
        Of 0, 1 and so on in `target`, or of its columns.
    groups : array of shape (n,), or None
        Which images belong together, such as those of a patient.
    splits : list of (array, array), or None
        Rows for training and for validation, fold by fold: ``cv`` of scikit-learn.

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
        """Say how much there is: paths may be many."""
        classes = ", ".join(self.class_names)
        return f"AnnotatedImages({len(self)} images; {classes})"

    def subset(self, rows: ArrayLike) -> AnnotatedImages:
        """Return some of the images.

        Parameters
        ----------
        rows : array-like of int or bool
            Which, in their order.

        Returns
        -------
        AnnotatedImages
            Without `splits`, which are of the whole.
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
    """Return what a function says of each name; None where there is no function."""
    return None if function is None else np.array([function(name) for name in names])
