"""Pseudo-labelers that pass on what a segmenter, the teacher, predicts."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import nullcontext
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import _num_samples, check_is_fitted

from segclf import SupervisedSegmenter
from segclf.base import Estimator, as_a_part, stack_maps, supervise
from segclf.data import ImagesLike, LabelsLike, MasksLike
from segclf_plugins.pseudo_labelers.pseudo_masks import (
    Mask,
    Masks,
    each_label,
    empty_negatives,
)

__all__ = ["TeacherLabeler"]


class TeacherLabeler(CallbackSupportMixin, Estimator, ABC):
    """What labelers with a teacher share.

    Parameters
    ----------
    teacher : segmenter, FrozenEstimator or None
        Cloned and fitted on what is labeled; a fitted one inside ``sklearn.frozen.FrozenEstimator``
        is used as it is. None is the baseline of the `PseudoLabelSemiSupervised` around; on its own
        a `SupervisedSegmenter` with the "tiny" encoder.
    margin : float or None
        A pixel is kept where the largest probability is above .5 + `margin`, else it is -1; .15 in
        the script of S4C's reference [32] (Hooper et al., Journal of Medical Imaging 2023), .05 by
        its command line's default. With many classes few pixels reach one half, and a teacher
        that is never sure of small objects predicts background alone. None keeps all.
    random_state : int, RandomState or None
        Seed of the teacher; None leaves the teacher's own.

    Attributes
    ----------
    teacher_ : segmenter
        The fitted teacher.
    """

    teacher: Any = None
    margin: float | None = 0.15
    random_state: Any = None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "teacher": [HasMethods(["fit", "predict_proba"]), None],
        "margin": [Interval(Real, -0.5, 0.5, closed="left"), None],
        "random_state": ["random_state"],
    }

    @with_callbacks
    def fit(
        self,
        X: ImagesLike,
        y: MasksLike | None = None,
        *,
        labels: LabelsLike | None = None,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Fit the teacher.

        Parameters
        ----------
        X : images
            Everything that a segmenter takes.
        y : list or ndarray, optional
            Masks: id 0 is background, -1 an unlabeled pixel, None an image without a mask.
        labels : array-like of shape (n,) or (n, k), optional
            Image labels, -1 where nobody said.
        sample_weight : array-like of shape (n,), optional
            Weight of each image.
        groups : array-like of shape (n,), optional
            Group of each image.

        Returns
        -------
        self
            Itself.
        """
        self._validate_params()
        context = self._init_callback_context(max_subtasks=1)
        context.call_on_fit_task_begin(estimator=self)
        teacher = self._new_teacher()
        supervision = supervise(
            X, masks=y, labels=labels, sample_weight=sample_weight, groups=groups
        )
        task = context.subcontext(task_name="teacher")
        lent = isinstance(teacher, CallbackSupportMixin)
        with as_a_part(task, teacher) if lent else nullcontext():
            supervision.fit(teacher)
        self.teacher_ = teacher
        context.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes=dict)
        return self

    def predict(self, X: ImagesLike, *, labels: LabelsLike | None = None) -> Masks:
        """Predict masks.

        Parameters
        ----------
        X : images
            The n images.
        labels : array-like of shape (n,) or (n, k), optional
            Their labels, -1 where nobody said.

        Returns
        -------
        ndarray of shape (n, h, w) or (n, k, h, w), or list of n ndarray
            Ids, or 0 and 1 for each class; -1 where the teacher is not sure.
        """
        check_is_fitted(self)
        self._validate_params()
        given = each_label(labels, _num_samples(X))
        masks: list[Any] = [None] * len(given)
        for indices, maps in self._batches(X):
            for index, probabilities in zip(indices, maps, strict=True):
                masks[index] = self._predict_mask(probabilities, given[index])
        return stack_maps(masks)

    def predict_proba(self, X: ImagesLike) -> Any:
        """Return how sure the teacher is of each class at each pixel, as a segmenter does."""
        check_is_fitted(self)
        return self.teacher_.predict_proba(X)

    @abstractmethod
    def _corrected(self, mask: Mask, label: Any) -> Mask:
        """Correct what the teacher decided by the label of the image, None where there is none."""

    def _new_teacher(self) -> Any:
        if self.teacher is None:
            teacher: Any = SupervisedSegmenter(encoder="tiny")
        else:
            teacher = clone(self.teacher)
        if self.random_state is not None and not isinstance(teacher, FrozenEstimator):
            seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
            teacher.set_params(random_state=seed)
        return teacher

    def _batches(self, X: Any) -> Iterator[tuple[Any, Any]]:
        if hasattr(self.teacher_, "predict_proba_batches"):
            yield from self.teacher_.predict_proba_batches(X)
        else:
            maps = self.teacher_.predict_proba(X)
            yield range(len(maps)), maps

    def _predict_mask(self, probabilities: NDArray[Any], label: Any) -> Mask:
        """Return a mask of the maps (n_classes, h, w) of an image."""
        if getattr(self.teacher_, "multilabel_", False):
            decided, sure = probabilities >= 0.5, np.maximum(probabilities, 1 - probabilities)
        else:
            decided, sure = probabilities.argmax(axis=0), probabilities.max(axis=0)
        mask = self._corrected(decided.astype(np.int16), label)
        if self.margin is not None:
            mask = np.where(sure > 0.5 + self.margin, mask, np.int16(-1))
        return empty_negatives(mask, label)
