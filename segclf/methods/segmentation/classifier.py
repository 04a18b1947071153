"""Segmentation for classification: segment the image, then summarize the mask into a label.

Each pixel is a training example, the finding is separated from the background, and the mask
explains the label. Hooper, Chen, Saab, Bhatia, Langlotz and Ré, "A case for reframing automated
medical image classification as segmentation", NeurIPS 2023, sections 2 and 3.
"""

from dataclasses import field
from functools import partial
from numbers import Integral
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.exceptions import NotFittedError
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import _num_samples, check_is_fitted

from segclf.base import CheckpointParameters, Segmenter, SegmenterEnsemble
from segclf.base.batch_classifier import BatchClassifier, LabelBatches
from segclf.base.front_door import check_rows
from segclf.base.maps import Maps, stack_maps, to_masks
from segclf.base.negative_class import class_ranks
from segclf.base.nothing_found import warn_once
from segclf.cache import as_memory
from segclf.data import ImagesLike, LabelsLike, MasksLike, Whole, watched_files
from segclf.isolation.cached import cached_property
from segclf.methods.segmentation.folds import choose_folds, reading_to_learn, with_folds
from segclf.methods.segmentation.kept_segmenter import KeptSegmenter, fit_segmenter, usable
from segclf.methods.segmentation.parts import new_parts, rows_to_learn, supervise_classes
from segclf.methods.segmentation.reading import (
    Reading,
    Readings,
    hears_inside,
    read,
    reads_a_layer,
    with_inside,
)
from segclf.methods.segmentation.summarizer_input import as_read, fit_summarizer
from segclf.methods.segmentation.united import united, united_reading
from segclf.networks import encoded_once


class SegmentationClassifier(BatchClassifier, CallbackSupportMixin, CheckpointParameters):
    """Classify images through their segmentation.

    Any mixture of supervision is valid: masks for some images, labels for others, nothing for the
    rest. Images of the negative class need no masks: theirs are empty.

    Labels of two classes may also go with masks of several channels, such as vertebrae: an image is
    positive if any channel shows a finding. The summarizer then reads the highest probability over
    the channels at each pixel.

    Parameters
    ----------
    segmenter : segmenter or None
        Predicts the masks; None means ``SupervisedSegmenter()``. It may be a search or pipeline of
        a segmenter, or any estimator with ``fit(X, masks)`` and a ``predict_proba(X)`` that returns
        maps (n, n_ids, h, w), the background first.
    summarizer : str or classifier
        Predicts the label from the predicted probabilities (n, k, h, w) of the k foreground
        classes: the name of an installed summarizer, such as "threshold", or a scikit-learn
        classifier. One with a ``layer`` reads that layer of the segmenter instead. "joint" also
        reads the encoder's features inside the predicted findings; "threshold" is the paper's, by
        area alone.
    negative_class : label, "auto", "first" or None
        The class whose images show no finding, so that their masks are empty. Mask ids 1, 2, ...
        belong to the other classes, in the order of ``classes_``; further ids are context, which
        does not affect the label. "auto" takes the class whose masks are empty, if there is exactly
        one, else the first class. "first" always takes the first class, unless a class has that
        name. None: every class has a region, and mask id j belongs to ``classes_[j - 1]``.
    class_weight : dict, "balanced" or None
        Weight of the images of each class.
    cv : int, splitter or None
        How the summarizer's training masks are predicted. None: by the segmenter for its own
        training images, on which it is more confident than on others. Folds: by clones that were
        trained on the other folds only, while `segmenter_` is trained on all images. A number of
        folds is stratified and keeps groups together; see `SemiSupervisedSplit`, which splits. A
        summarizer that learns nothing needs no folds, unless it is calibrated.
    ensemble : bool
        Whether the segmenters of the folds are kept and predict together, by the mean of their
        probabilities, in place of one more that is trained on all images. That takes k trainings
        instead of k + 1, and k times as long to predict. Folds are then used with any summarizer,
        and `segmenter_` is a `segclf.base.SegmenterEnsemble`.
    calibrate : {"sigmoid", "isotonic"} or None
        Maps the summarizer's score of each class to a probability, learned from out-of-fold masks:
        by a sigmoid of its log-odds (Platt), which keeps the order of images, or by any increasing
        function, which needs hundreds of labels. Without `cv`, five folds are used for it, which
        takes five more trainings; `memory` keeps them. `predict` then returns the most probable
        class, which may differ from the summarizer's prediction. None leaves scores, which rank
        images but are not probabilities.
    memory : str, path, joblib.Memory or None
        Where fitted segmenters and their predicted maps are kept, so that a search over summarizers
        trains only one segmenter for each fold. A segmenter is identified by its parameters, the
        images, masks, labels, weights and groups that it is fitted on, and the installed code; its
        maps by its weights and the images. Image files are identified by their bytes. If every
        ``random_state`` is None, the first fit is reused, as in ``Pipeline``. With a callback other
        than scikit-learn's, which may stop training, no fit is kept. The files are safetensors and
        JSON, never pickles; only the folder of a `joblib.Memory` is used.
    random_state : int, RandomState or None
        Seeds the segmenter, and the parts of the summarizer without a seed; with None, both keep
        theirs.

    Attributes
    ----------
    negative_class_ : label or None
        The class whose images show no finding; None if there is none.
    segmenter_ : Segmenter
        The trained segmenter, or the ensemble of those of the folds.
    summarizer_ : classifier
        The fitted summarizer. With `calibrate`, this is the calibrator, and the summarizer is its
        ``estimator_``.

    See Also
    --------
    ImageClassifier : The baseline, straight from image to label.

    Examples
    --------
    >>> from segclf import SegmentationClassifier, SupervisedSegmenter
    >>> from segclf.datasets import make_shapes
    >>> shapes = make_shapes(8, image_size=32, n_objects=3, random_state=0)
    >>> segmenter = SupervisedSegmenter(encoder="tiny", max_epochs=1)
    >>> classifier = SegmentationClassifier(segmenter=segmenter, random_state=0)
    >>> classifier = classifier.fit(shapes.images, shapes.target, masks=shapes.masks)
    >>> classifier.predict_proba(shapes.images).shape, classifier.predict_masks(shapes.images).shape
    ((8, 2), (8, 32, 32))
    """

    segmenter: Any = field(default=None, kw_only=False)
    summarizer: Any = "joint"
    negative_class: Any = "auto"
    class_weight: Any = None
    cv: Any = None
    ensemble: bool = False
    calibrate: str | None = None
    memory: Any = None
    random_state: Any = None

    _n_united: ClassVar[int] = 0  # number of channels, any of which decides the label

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "segmenter": [HasMethods(["fit", "predict_proba"]), None],
        "summarizer": [str, HasMethods(["fit", "predict_proba"])],
        "negative_class": [object],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "cv": [Interval(Integral, 2, None, closed="left"), HasMethods(["split"]), None],
        "ensemble": ["boolean"],
        "calibrate": [StrOptions({"sigmoid", "isotonic"}), None],
        "memory": [str, PathLike, HasMethods(["cache"]), None],
        "random_state": ["random_state"],
    }

    @with_callbacks
    @warn_once()
    @watched_files()
    def fit(
        self,
        X: ImagesLike,
        y: LabelsLike,
        sample_weight: ArrayLike | None = None,
        *,
        masks: MasksLike | None = None,
        groups: ArrayLike | None = None,
        X_val: ImagesLike | Whole | None = None,
        y_val: LabelsLike | Whole | None = None,
        masks_val: MasksLike | Whole | None = None,
    ) -> Self:
        """Train the segmenter, then the summarizer on the masks that it predicts.

        Parameters
        ----------
        X : array, list, paths or tensor
            The n images.
        y : array of shape (n,) or (n, k)
            Labels, -1 where unlabeled; or a multi-label indicator.
        sample_weight : array of shape (n,), optional
            Weight of each image.
        masks : array (n, h, w) or (n, k, h, w), list or None
            Mask ids, 0 the background, -1 an unlabeled pixel; or multi-label masks. A
            list may hold paths, and None for an image without a mask.
        groups : array of shape (n,), optional
            Group of each image; folds and the segmenter's validation split keep groups together.
        X_val, y_val, masks_val : images, labels and masks, optional
            A validation set for the segmenter, in the form of X, y and masks; the summarizer never
            sees it. Wrap each in `segclf.data.Whole` so that searches do not split it into folds.

        Returns
        -------
        self
            The fitted estimator.
        """
        self._validate_params()
        X = check_rows(self, X, reset=True)
        given = (sample_weight, masks, groups, X_val, y_val, masks_val)
        supervision, target = supervise_classes(self, X, y, *given)
        segmenter, summarizer = new_parts(self)
        chosen = rows_to_learn(summarizer, target)
        folds = choose_folds(self, summarizer, supervision)
        memory = usable(as_memory(self.memory), self, segmenter)
        context = self._init_callback_context(max_subtasks=(not self.ensemble) + len(folds))
        context.call_on_fit_task_begin(estimator=self)
        fit = partial(fit_segmenter, segmenter, memory=memory, context=context, owner=self)
        first = SegmenterEnsemble(segmenter, cv=self.cv) if self.ensemble else fit(supervision)
        kept, to_read = with_folds(first, fit, supervision, folds, chosen)
        reading = reading_to_learn(partial(self._read, summarizer), X, chosen, to_read)
        fit_summarizer(summarizer, reading, target, chosen, supervision, self._findings)
        self._keep(kept, summarizer, memory)
        context.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes=dict)
        return self

    def predict_masks(self, X: ImagesLike) -> Maps:
        """Return the masks that the labels come from, at the images' own size."""
        check_is_fitted(self)
        X = check_rows(self, X, reset=False)
        if hasattr(self.segmenter_, "predict"):
            return self.segmenter_.predict(X)
        maps = self.segmenter_.predict_proba(X)
        decide = partial(to_masks, multilabel=self._multilabel or self._n_united > 0)
        return stack_maps([decide(np.asarray(each)[None])[0] for each in maps])

    def predict_mask_proba(self, X: ImagesLike) -> Maps:
        """Return the probability of each mask id at each pixel, (n, n_ids, h, w) float32."""
        check_is_fitted(self)
        return self.segmenter_.predict_proba(check_rows(self, X, reset=False))

    def _predict_with_masks(self, X: Any) -> tuple[NDArray[np.float64], Any]:
        """Segment once for both, if the summarizer reads the probabilities of masks."""
        check_is_fitted(self)
        segmenter = getattr(self.segmenter_, "_segmenter", self.segmenter_)
        if reads_a_layer(self.summarizer_) or not isinstance(segmenter, Segmenter):
            return super()._predict_with_masks(X)
        X = check_rows(self, X, reset=False)
        probabilities = np.empty((_num_samples(X), len(self.classes_)))
        masks: list[Any] = [None] * len(probabilities)
        with encoded_once():
            for indices, maps in segmenter.predict_proba_batches(X):
                reading = Reading(maps[:, self._findings])
                reading = united_reading(reading) if self._n_united else reading
                if not self.ensemble and hears_inside(self.summarizer_):
                    reading = with_inside(reading, segmenter, _safe_indexing(X, indices))
                probabilities[indices] = self._summarize(reading)
                for index, mask in zip(indices, segmenter._decide(maps), strict=True):
                    masks[index] = mask
        return probabilities, masks

    @cached_property
    def segmenter_(self) -> Any:
        """The trained segmenter; one from memory is built on first access."""
        kept = self.__dict__.get("_kept")
        if kept is not None:
            self.__dict__.setdefault("segmenter_", kept.restore())
            self.__dict__.pop("_kept", None)
        elif "segmenter_" not in self.__dict__:  # another thread may have built it just now
            raise NotFittedError(f"This {type(self).__name__} is not fitted yet; call fit first.")
        return self.__dict__["segmenter_"]

    def __getstate__(self) -> dict[str, Any]:
        """Return the state with the segmenter itself."""
        getattr(self, "segmenter_", None)
        return dict(super().__getstate__())

    def _keep(self, kept: KeptSegmenter, summarizer: Any, memory: Any) -> None:
        self._kept, self.summarizer_ = kept, summarizer
        self.__dict__.pop("segmenter_", None)
        if memory is None:
            self.segmenter_ = kept.restore()
            del self._kept

    def _label_batches(self, X: Any) -> tuple[int, LabelBatches]:
        check_is_fitted(self)
        X = check_rows(self, X, reset=False)
        kept = self.__dict__.get("_kept") or KeptSegmenter(self.segmenter_)
        readings = self._read(self.summarizer_, kept, X)
        return _num_samples(X), ((rows, self._summarize(reading)) for rows, reading in readings)

    def _summarize(self, reading: Reading) -> NDArray[np.float64]:
        maps = as_read(self.summarizer_, reading.maps)
        return self.summarizer_.predict_proba(maps, **reading.named)[:, self._columns]

    def _read(self, summarizer: Any, kept: KeptSegmenter, X: Any) -> Readings:
        inside = not self.ensemble and hears_inside(summarizer)
        readings = read(kept, as_memory(self.memory), X, summarizer, self._findings, inside)
        return united(readings) if self._n_united and not reads_a_layer(summarizer) else readings

    @property
    def _findings(self) -> slice:
        """Which channels of the segmenter's maps decide the label."""
        if self._multilabel or self._n_united:
            return slice(0, self._n_united or len(self.classes_))
        return slice(1, len(self.classes_) + (self.negative_class_ is None))

    @property
    def _columns(self) -> NDArray[np.int64]:
        """Which column of the summarizer is each class's."""
        return class_ranks(self.classes_, self.negative_class_)
