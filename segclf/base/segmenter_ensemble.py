"""Segmenters of several folds as one: the mean of their probabilities."""

from collections.abc import Iterator
from dataclasses import field
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import _num_samples, check_is_fitted

from segclf.axes import N_SPATIAL
from segclf.base.checkpoint_parameters import CheckpointParameters
from segclf.base.front_door import check_rows
from segclf.base.maps import MapBatches, Maps, stack_maps, to_masks
from segclf.base.mask_targets import MaskTargets
from segclf.base.nothing_found import warn_once
from segclf.base.parts import as_a_part
from segclf.base.seeding import seed_part
from segclf.base.segmenter import Segmenter
from segclf.base.spatial import n_spatial
from segclf.base.supervision import supervise
from segclf.base.validation_set import with_validation
from segclf.data import ImagesLike, LabelsLike, Masks, MasksLike, Whole, as_masks, watched_files
from segclf.progress import Task, counted

# Number of images whose maps are in memory at once.
BLOCK = 16


@Segmenter.register
class SegmenterEnsemble(CallbackSupportMixin, MaskTargets, CheckpointParameters):
    """Segment images with the mean probabilities of segmenters that were trained on folds.

    It is `segmenter_` of a ``SegmentationClassifier(ensemble=True)``, and a segmenter by itself;
    nnU-Net predicts with five in this way (Isensee et al., Nature Methods 2021). There is no
    ``embed_batches``: layers of different networks are not comparable.

    Parameters
    ----------
    segmenter : segmenter
        For each fold, a clone is trained on the other folds. Any estimator with ``fit(X, masks)``
        and ``predict_proba(X)``, which returns maps (n, n_ids, h, w), the background first.
    cv : int or splitter
        The folds; a number makes stratified folds that keep groups together. Unlabeled images are
        in no fold, so every segmenter trains on them.
    random_state : int, RandomState or None
        Seeds the segmenter; None keeps the segmenter's own.

    Attributes
    ----------
    segmenters_ : list
        The trained segmenters. A parameter set on one of them, such as `tile_size`, applies to that
        one only; `post_processing` of the first one applies to all.
    n_classes_ : int
        Number of mask ids with the background, or of channels of multi-label masks.
    classes_ : array of shape (n_classes,)
        The mask ids, or the numbers of the channels.
    multilabel_ : bool
        Whether a pixel may belong to several classes.
    n_features_in_ : int
        Number of features in each row; only if X holds rows.

    Examples
    --------
    >>> from segclf import SupervisedSegmenter
    >>> from segclf.base import SegmenterEnsemble
    >>> from segclf.datasets import make_shapes
    >>> shapes = make_shapes(8, image_size=32, n_objects=3, random_state=0)
    >>> segmenter = SupervisedSegmenter(encoder="tiny", max_epochs=1, random_state=0)
    >>> ensemble = SegmenterEnsemble(segmenter, cv=2).fit(shapes.images, shapes.masks)
    >>> len(ensemble.segmenters_), ensemble.predict(shapes.images).shape
    (2, (8, 32, 32))
    """

    segmenter: Any = field(kw_only=False)
    cv: Any = 5
    random_state: Any = None

    _takes_checked_masks: ClassVar[bool] = True
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "segmenter": [HasMethods(["fit", "predict_proba"])],
        "cv": [Interval(Integral, 2, None, closed="left"), HasMethods(["split"])],
        "random_state": ["random_state"],
    }

    @with_callbacks
    @warn_once()
    @watched_files()
    def fit(
        self,
        X: ImagesLike,
        y: MasksLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        labels: LabelsLike | None = None,
        groups: ArrayLike | None = None,
        X_val: ImagesLike | Whole | None = None,
        y_val: MasksLike | Whole | None = None,
        labels_val: LabelsLike | Whole | None = None,
    ) -> Self:
        """Train a segmenter for each fold, on the other folds.

        Parameters
        ----------
        X, y, sample_weight, labels, groups, X_val, y_val, labels_val
            See `Segmenter.fit`.

        Returns
        -------
        self
            The fitted estimator.
        """
        self._validate_params()
        X = check_rows(self, X, reset=True)
        y = as_masks(y, _num_samples(X), n_spatial=n_spatial(self))
        given = supervise(X, masks=y, labels=labels, sample_weight=sample_weight, groups=groups)
        given = with_validation(given, X_val, masks=y_val, labels=labels_val)
        segmenter = self._lend(clone(self.segmenter))
        if self.random_state is not None:
            seed_part(segmenter, check_random_state(self.random_state).randint(2**31 - 1))
        folds, segmenters = given.folds(self.cv), []
        context = self._init_callback_context(max_subtasks=len(folds))
        context.call_on_fit_task_begin(estimator=self)
        for train, _ in counted(folds, "ensemble", total=len(folds), unit="folds"):
            segmenters.append(clone(segmenter))
            with as_a_part(context.subcontext(task_name="segmenter"), segmenters[-1], self):
                given.subset(train).fit(segmenters[-1])
        self._learn(segmenters, given.masks)
        context.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes=dict)
        return self

    @classmethod
    def of(cls, segmenters: list[Any]) -> Self:
        """Return trained segmenters of the same classes as one ensemble.

        Parameters
        ----------
        segmenters : list
            At least one, of any kinds.
        """
        first = segmenters[0]
        ensemble = cls(clone(first))
        ensemble._take(segmenters, first.n_classes_, first.multilabel_)
        return ensemble

    def predict(self, X: ImagesLike) -> Maps:
        """Return masks at the images' own size.

        Returns
        -------
        array (n, h, w) of ids or (n, k, h, w) of 0 and 1, uint8, or a list of them
            A list if the images have several sizes.
        """
        return _in_order(self.predict_batches(X))

    def predict_batches(self, X: ImagesLike) -> MapBatches:
        """Yield (indices, masks (b, h, w) or (b, k, h, w)); few images are in memory at once."""
        for indices, maps in self.predict_proba_batches(X):
            yield indices, self._decide(maps)

    def predict_proba(self, X: ImagesLike) -> Maps:
        """Return the probability of each class at each pixel: the mean over the segmenters.

        Returns
        -------
        array (n, n_classes, h, w), float32, or a list of them
            A list if the images have several sizes. Exclusive classes sum to 1.
        """
        return _in_order(self.predict_proba_batches(X))

    def predict_proba_batches(self, X: ImagesLike) -> MapBatches:
        """Yield (indices, probabilities (b, n_classes, h, w)); few images are in memory at once."""
        check_is_fitted(self)
        X = check_rows(self, X, reset=False)
        size = BLOCK if n_spatial(self) == N_SPATIAL else 1
        with Task("prediction", _num_samples(X), "images") as task:
            for start in range(0, _num_samples(X), size):
                rows = np.arange(start, min(start + size, _num_samples(X)))
                yield from _by_size(rows, self._mean(_safe_indexing(X, rows)))
                task.add(len(rows))

    score = Segmenter.score

    @property
    def classes_(self) -> NDArray[np.int64]:
        """The mask ids, the background among them, or the numbers of the channels."""
        return np.arange(self.n_classes_)

    def _learn(self, segmenters: list[Any], masks: Masks) -> None:
        """Take over trained segmenters, and the kind of the masks that they learned from."""
        self._take(segmenters, masks.n_classes, masks.multilabel)

    def _take(self, segmenters: list[Any], n_classes: int, multilabel: bool) -> None:
        self.segmenters_ = segmenters
        self.n_classes_, self.multilabel_ = n_classes, multilabel
        if hasattr(segmenters[0], "n_features_in_"):
            self.n_features_in_ = segmenters[0].n_features_in_

    def _mean(self, X: Any) -> list[NDArray[Any]]:
        """Return the mean map of each image; the sum and one segmenter's maps are in memory."""
        total: list[Any] = [None] * _num_samples(X)
        for segmenter in self.segmenters_:
            for indices, maps in map_batches(segmenter, X):
                for index, each in zip(indices, maps, strict=True):
                    total[index] = _sum(total[index], np.asarray(each))
        return [each / len(self.segmenters_) for each in total]

    def _decide(self, probabilities: NDArray[Any]) -> NDArray[np.uint8]:
        return decide_as(self.segmenters_[0], probabilities, multilabel=self.multilabel_)


def decide_as(segmenter: Any, maps: NDArray[Any], *, multilabel: bool) -> NDArray[np.uint8]:
    """Turn maps into masks as a segmenter of any kind does."""
    answering = getattr(segmenter, "_segmenter", segmenter)
    if isinstance(answering, Segmenter):
        return answering._decide(maps)
    return to_masks(maps, multilabel=multilabel)


def map_batches(segmenter: Any, X: Any) -> Iterator[tuple[NDArray[np.intp], NDArray[Any]]]:
    """Yield (indices, probabilities) of a segmenter of any kind, few images at a time."""
    if hasattr(segmenter, "predict_proba_batches"):
        yield from segmenter.predict_proba_batches(X)
        return
    for start in range(0, _num_samples(X), BLOCK):
        rows = np.arange(start, min(start + BLOCK, _num_samples(X)))
        yield from _by_size(
            rows, [np.asarray(m) for m in segmenter.predict_proba(_safe_indexing(X, rows))]
        )


def _sum(total: NDArray[Any] | None, each: NDArray[Any]) -> NDArray[Any]:
    if total is None:
        return each
    if total.shape != each.shape:
        raise ValueError(
            f"The segmenters give maps {total.shape} and {each.shape} for one image; expected one "
            "shape. Each was trained without a fold: set n_classes= to the number of all classes."
        )
    return total + each


def _by_size(
    rows: NDArray[np.intp], maps: list[NDArray[Any]]
) -> Iterator[tuple[NDArray[np.intp], NDArray[Any]]]:
    shapes = [each.shape for each in maps]
    for shape in dict.fromkeys(shapes):
        chosen = [place for place, each in enumerate(shapes) if each == shape]
        yield rows[chosen], np.stack([maps[place] for place in chosen])


def _in_order(batches: Iterator[tuple[NDArray[np.intp], NDArray[Any]]]) -> Maps:
    maps = {i: each for indices, part in batches for i, each in zip(indices, part, strict=True)}
    return stack_maps([maps[index] for index in range(len(maps))])
