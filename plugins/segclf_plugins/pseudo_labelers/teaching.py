"""Train teachers on all annotations, and on all but one fold of the masks."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.callback import CallbackContext, CallbackSupportMixin
from sklearn.frozen import FrozenEstimator

from segclf.base import SegmenterEnsemble, Supervision, as_a_part

__all__ = ["Teaching"]

Rows = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True)
class Teaching:
    """Trains one segmenter, or several whose maps are averaged.

    Parameters
    ----------
    teachers : list of segmenter or FrozenEstimator
        Seeded teachers; clones of them are trained, frozen ones stay unchanged.
    supervision : Supervision
        The training data.
    context : CallbackContext
        Context of the labeler's fit.
    refit : callable or None
        ``refit(rows)`` returns a segmenter trained like the frozen teacher, but without the
        annotations of these images.
    """

    teachers: list[Any]
    supervision: Supervision
    context: CallbackContext
    refit: Callable[[Rows], Any] | None = None

    def teach(self) -> Any:
        """Return the teacher, fitted on all annotations."""
        return self.mean([self._fit(each, self.supervision, "teacher") for each in self.teachers])

    def teach_without(self, rows: Rows) -> Any:
        """Return a teacher that is fitted without the annotations of some images.

        A frozen teacher that cannot be fitted again is returned itself.
        """
        if self.refit is not None:
            return self.refit(rows)
        hidden = self.supervision.hide(rows)
        return self.mean([self._fit(each, hidden, "fold") for each in self.teachers])

    def folds(self, n_folds: int) -> list[Rows]:
        """Split the images that thresholds are chosen on into folds, with whole groups together.

        These are the images whose mask shows a finding. If some images are unlabeled, masks will
        also be predicted for images without a finding, so images with empty masks are included.

        Returns
        -------
        list of array
            Rows of each fold; no folds if fewer than two images, or groups, show a finding.
        """
        masks, labels, groups = (
            getattr(self.supervision, n) for n in ("masks", "labels", "groups")
        )
        shows, said = masks.show_findings(), masks.labeled.copy()
        if labels is not None:
            said |= (labels.reshape(len(labels), -1) >= 0).all(axis=1)
        judged = np.flatnonzero(shows if said.all() else masks.labeled)
        units = judged if groups is None else groups[judged]
        dealt = _deal(units, shows[judged], n_folds)
        return [judged[dealt == fold] for fold in range(dealt.max(initial=-1) + 1)]

    def mean(self, fitted: list[Any]) -> Any:
        """Return a single segmenter itself, or the ensemble of several."""
        return fitted[0] if len(fitted) == 1 else SegmenterEnsemble.of(fitted)

    @property
    def refits(self) -> bool:
        """Whether teachers can be fitted again without some images."""
        frozen = [isinstance(each, FrozenEstimator) for each in self.teachers]
        return self.refit is not None or not all(frozen)

    def _fit(self, teacher: Any, supervision: Supervision, task: str) -> Any:
        teacher, context = clone(teacher), self.context.subcontext(task_name=task)
        lent = isinstance(teacher, CallbackSupportMixin)
        with as_a_part(context, teacher) if lent else nullcontext():
            supervision.fit(teacher)
        return teacher


def _deal(units: NDArray[Any], shows: NDArray[np.bool_], n_folds: int) -> NDArray[np.intp]:
    """Assign a fold to each image: images with a finding evenly first, then the others."""
    names, codes = np.unique(units, return_inverse=True)
    positive = np.bincount(codes, weights=shows, minlength=len(names)) > 0
    n_folds = min(n_folds, int(positive.sum()))
    if n_folds < 2:
        return np.full(len(units), -1)
    order = np.lexsort((np.random.default_rng(0).permutation(len(names)), ~positive))
    dealt = np.empty(len(names), dtype=np.intp)
    dealt[order] = np.arange(len(names)) % n_folds
    return dealt[codes]
