"""Base class of pseudo-labelers that use the predictions of a segmenter, the teacher."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.frozen import FrozenEstimator
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import _num_samples, check_is_fitted

from segclf import SupervisedSegmenter
from segclf.axes import across
from segclf.base import CheckpointParameters, n_spatial, stack_maps, supervise
from segclf.data import ImagesLike, LabelsLike, MasksLike, as_masks
from segclf_plugins.pseudo_labelers.cuts import best_cuts, cut
from segclf_plugins.pseudo_labelers.pseudo_masks import (
    Mask,
    Masks,
    each_label,
    empty_negatives,
)
from segclf_plugins.pseudo_labelers.teaching import Rows, Teaching

__all__ = ["TeacherLabeler"]


class TeacherLabeler(CallbackSupportMixin, CheckpointParameters, ABC):
    """Base class of labelers with a teacher.

    If an image is labeled with a class but no predicted pixel of that class is left, its whole
    mask is -1 (for multi-label masks, that channel), so that it does not count as empty.

    Parameters
    ----------
    teacher : segmenter, FrozenEstimator, list of such, or None
        Cloned and fitted on the labeled data; a fitted one inside
        ``sklearn.frozen.FrozenEstimator`` is used unchanged. The maps of several teachers, such as
        of different encoders or seeds, are averaged. None is the baseline of the
        `PseudoLabelSemiSupervised` that contains the labeler, otherwise a `SupervisedSegmenter`
        with the "tiny" encoder.
    threshold : "tuned", float, array of shape (k,) or None
        A class is predicted where its probability exceeds this; of several exclusive classes, the
        one that exceeds its threshold most. "tuned" maximizes the IoU with the given masks for each
        class, on maps of teachers that have not seen these masks (`cv`), as CheXseg does for
        saliency maps: a teacher of few masks seldom reaches one half. The tuned threshold is at
        least .1, since teachers of fewer masks are less confident. Images without a finding are
        included if some image may show a finding but is unlabeled. None means the most probable
        class, and one half for multi-label masks; "tuned" does the same if fewer than two images,
        or groups, show a finding in their masks.
    margin : float or None
        Pixels within this distance of `threshold` become -1. Without a `threshold`, pixels whose
        largest probability is at most .5 + `margin`: .15 in the script of S4C's reference [32]
        (Hooper et al., Journal of Medical Imaging 2023), .05 by its command line's default. None
        keeps all pixels.
    cv : int
        Number of folds of the given masks for "tuned" and `ensemble`, with one more teacher for
        each; groups stay together. A frozen teacher is not fitted again, so its maps may be of
        masks that it was trained on.
    ensemble : bool
        Whether to average the maps of the teachers of the folds, instead of using one teacher
        fitted on all masks.
    random_state : int, RandomState or None
        Seed of the teacher; None keeps the teacher's own.

    Attributes
    ----------
    teacher_ : segmenter
        The fitted teacher; for several, a `segclf.base.SegmenterEnsemble`.
    thresholds_ : array of shape (k,) or (1,), or None
        Threshold of each class without the background, or one for all; None means the most
        probable class.
    """

    teacher: Any = None
    threshold: Any = "tuned"
    margin: float | None = None
    cv: int = 3
    ensemble: bool = False
    random_state: Any = None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "teacher": [HasMethods(["fit", "predict_proba"]), list, None],
        "threshold": [
            StrOptions({"tuned"}),
            Interval(Real, 0, 1, closed="both"),
            "array-like",
            None,
        ],
        "margin": [Interval(Real, -0.5, 0.5, closed="left"), None],
        "cv": [Interval(Integral, 2, None, closed="left")],
        "ensemble": ["boolean"],
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
        refit: Callable[[Rows], Any] | None = None,
    ) -> Self:
        """Fit the teacher and choose the thresholds of its maps.

        Parameters
        ----------
        X : images
            Images as a segmenter takes them.
        y : list or ndarray, optional
            Masks: id 0 is background, -1 an unlabeled pixel, None an image without a mask.
        labels : array-like of shape (n,) or (n, k), optional
            Image labels, -1 where unlabeled.
        sample_weight : array-like of shape (n,), optional
            Weight of each image.
        groups : array-like of shape (n,), optional
            Group of each image.
        refit : callable, optional
            ``refit(rows)`` returns a segmenter trained like the frozen `teacher`, but without the
            annotations of these images.

        Returns
        -------
        self
            Itself.
        """
        self._validate_params()
        context = self._init_callback_context(max_subtasks=None)
        context.call_on_fit_task_begin(estimator=self)
        teachers = self._new_teachers()
        masks = as_masks(y, _num_samples(X), n_spatial=n_spatial(teachers[0]))
        supervision = supervise(
            X, masks=masks, labels=labels, sample_weight=sample_weight, groups=groups
        )
        teaching = Teaching(
            teachers=teachers, supervision=supervision, context=context, refit=refit
        )
        self._learn(teaching)
        context.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes=dict)
        return self

    def predict(self, X: ImagesLike, *, labels: LabelsLike | None = None) -> Masks:
        """Predict masks.

        Parameters
        ----------
        X : images
            The n images.
        labels : array-like of shape (n,) or (n, k), optional
            Their labels, -1 where unlabeled.

        Returns
        -------
        ndarray of shape (n, h, w) or (n, k, h, w), or list of n ndarray
            Ids, or 0 and 1 for each class; -1 where the teacher is uncertain or does not find the
            class that an image is labeled with.
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
        """Return the teacher's probability of each class at each pixel, like a segmenter."""
        check_is_fitted(self)
        return self.teacher_.predict_proba(X)

    @abstractmethod
    def _is_there(self, region: NDArray[np.bool_]) -> bool:
        """Return whether a region (h, w) is large enough for the class of the image's label."""

    def _learn(self, teaching: Teaching) -> None:
        """Keep the teacher and the thresholds of its maps."""
        tuned = isinstance(self.threshold, str)
        joins = self.ensemble and teaching.refits
        maps: dict[int, NDArray[Any]] = {}
        members = []
        for rows in teaching.folds(self.cv) if tuned or joins else []:
            member = teaching.teach_without(rows)
            if tuned:
                predicted = member.predict_proba(_safe_indexing(teaching.supervision.X, rows))
                maps.update(zip(rows.tolist(), map(np.asarray, predicted), strict=True))
            if joins:
                members.append(member)
        self.teacher_ = teaching.mean(members) if members else teaching.teach()
        self.thresholds_ = None if tuned or self.threshold is None else np.ravel(self.threshold)
        if maps:
            self.thresholds_ = best_cuts(teaching.supervision.masks, maps)

    def _new_teachers(self) -> list[Any]:
        given = self.teacher
        if given is None:
            given = SupervisedSegmenter(encoder="tiny")
        given = given if isinstance(given, list) else [given]
        teachers = [self._lend(clone(each)) for each in given]
        random = None if self._seeds is None else check_random_state(self._seeds)
        for teacher in teachers:
            if random is None or isinstance(teacher, FrozenEstimator):
                continue
            if self.random_state is not None or getattr(teacher, "random_state", None) is None:
                teacher.set_params(random_state=random.randint(np.iinfo(np.int32).max))
        return teachers

    def _batches(self, X: Any) -> Iterator[tuple[Any, Any]]:
        if hasattr(self.teacher_, "predict_proba_batches"):
            yield from self.teacher_.predict_proba_batches(X)
        else:
            maps = self.teacher_.predict_proba(X)
            yield range(len(maps)), maps

    def _predict_mask(self, probabilities: NDArray[Any], label: Any) -> Mask:
        """Return a mask of the maps (n_classes, h, w) of an image."""
        multilabel = getattr(self.teacher_, "multilabel_", False)
        mask = cut(probabilities, self.thresholds_, self.margin, multilabel=multilabel)
        return self._open_positives(empty_negatives(mask, label), label)

    def _open_positives(self, mask: Mask, label: Any) -> Mask:
        """Set to -1 where the label has a class that no pixel shows."""
        if label is None:
            return mask
        if isinstance(label, np.ndarray):
            pairs = zip(mask == 1, label, strict=True)
            missing = [said == 1 and not self._is_there(region) for region, said in pairs]
            return np.where(across(np.array(missing), mask), mask.dtype.type(-1), mask)
        left_open = label > 0 and not self._is_there(mask == label)
        return np.full_like(mask, -1) if left_open else mask
