"""Segmentation for classification: segment the image, then summarize the mask into a label.

Each pixel is a training example, the background is told apart from the finding, and the mask
shows why. Hooper, Chen, Saab, Bhatia, Langlotz and Ré, "A case for reframing automated medical
image classification as segmentation", NeurIPS 2023, sections 2 and 3.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import _safe_indexing, check_random_state, get_tags
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.validation import _num_samples, check_is_fitted

from segclf.base import Classifier
from segclf.base.classifier import Labels, check_labels
from segclf.base.front_door import check_rows, check_weights
from segclf.base.maps import Maps
from segclf.base.parts import as_a_part
from segclf.methods.supervised_segmenter import SupervisedSegmenter
from segclf.registry import make_plugin


@dataclass(kw_only=True, eq=False, repr=False)
class SegmentationClassifier(Classifier, CallbackSupportMixin, BaseEstimator):
    """Classify images through their segmentation.

    Any mixture of supervision is valid: masks for some images, labels for others, nothing for the
    rest. An image of the negative class has an empty mask, for free.

    Parameters
    ----------
    segmenter : Segmenter or None
        Draws the masks; None means ``SupervisedSegmenter()``.
    summarizer : str or classifier
        From the predicted probabilities (n, k, h, w) of the k foreground classes to a label: a
        name among the installed summarizers, such as "threshold", or a scikit-learn classifier.
    negative_class : {"first"} or None
        "first": the first of ``classes_`` is the negative one, whose images show nothing, and mask
        id j belongs to ``classes_[j]``. None: every class has a region, and mask id j belongs to
        ``classes_[j - 1]``. Further mask ids are context, which decides no label.
    class_weight : dict, "balanced" or None
        Weight of the images of each class.
    random_state : int, RandomState or None
        Seed of the segmenter; None leaves the segmenter's own.

    Attributes
    ----------
    classes_ : array of shape (k,)
        The classes.
    segmenter_ : Segmenter
        The trained segmenter.
    summarizer_ : classifier
        The fitted summarizer.

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

    segmenter: Any = None
    summarizer: Any = "threshold"
    negative_class: str | None = "first"
    class_weight: Any = None
    random_state: Any = None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "segmenter": [HasMethods(["fit", "predict_proba"]), None],
        "summarizer": [str, HasMethods(["fit", "predict_proba"])],
        "negative_class": [StrOptions({"first"}), None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "random_state": ["random_state"],
    }

    @with_callbacks
    def fit(
        self,
        X: Any,
        y: Any,
        *,
        masks: Any = None,
        sample_weight: Any = None,
        groups: Any = None,
    ) -> Self:
        """Train the segmenter, then the summarizer on the masks that it predicts.

        Parameters
        ----------
        X : array, list, paths or tensor
            The n images.
        y : array of shape (n,) or (n, k)
            Labels, -1 where nobody said; or a multi-label indicator.
        masks : array (n, h, w) or (n, k, h, w), list or None
            Mask ids, 0 the background, -1 a pixel that nobody labeled; or multi-label masks. A
            list may hold paths, and None for an image without a mask.
        sample_weight : array of shape (n,), optional
            Weight of each image.
        groups : array of shape (n,), optional
            Group of each image; the segmenter's validation split keeps groups together.

        Returns
        -------
        self
            The fitted estimator.
        """
        self._validate_params()
        X = check_rows(self, X, reset=True)
        labels = check_labels(y, _num_samples(X))
        self.classes_, self._multilabel = labels.classes, labels.multilabel
        told = {
            "sample_weight": self._image_weights(labels, sample_weight, _num_samples(X)),
            "groups": groups,
        }
        self.segmenter_ = self._new_segmenter()
        context = self._init_callback_context(max_subtasks=1)
        context.call_on_fit_task_begin(estimator=self)
        with as_a_part(context.subcontext(task_name="segmenter"), self.segmenter_):
            self.segmenter_.fit(
                X,
                masks,
                labels=self._mask_ids(labels.encoded),
                **{name: value for name, value in told.items() if value is not None},
            )
        self.summarizer_ = self._fit_summarizer(X, labels)
        context.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes=dict)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class, (n, k); of each label where labels are many."""
        check_is_fitted(self)
        X = check_rows(self, X, reset=False)
        probabilities = np.empty((_num_samples(X), len(self.classes_)))
        for indices, maps in self.segmenter_.predict_proba_batches(X):
            probabilities[indices] = self.summarizer_.predict_proba(self._findings(maps))
        return probabilities

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class of each image, or the indicator (n, k)."""
        return self._decide(self.predict_proba(X))

    def predict_masks(self, X: Any) -> Maps:
        """Return the masks that the labels come from, at the images' own size."""
        check_is_fitted(self)
        return self.segmenter_.predict(check_rows(self, X, reset=False))

    def predict_mask_proba(self, X: Any) -> Maps:
        """Return the probability of each mask id at each pixel, (n, n_ids, h, w) float32."""
        check_is_fitted(self)
        return self.segmenter_.predict_proba(check_rows(self, X, reset=False))

    def _new_segmenter(self) -> Any:
        segmenter = SupervisedSegmenter() if self.segmenter is None else clone(self.segmenter)
        if self.random_state is not None:
            seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
            segmenter.set_params(random_state=seed)
        return segmenter

    def _mask_ids(self, encoded: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions in `classes_` to mask ids; -1 and indicators stay."""
        shifted = self.negative_class is None and not self._multilabel
        return np.where(encoded >= 0, encoded + 1, encoded) if shifted else encoded

    def _findings(self, maps: NDArray[Any]) -> NDArray[Any]:
        """Take the channels (b, k, h, w) of the classes, without background and context."""
        if self._multilabel:
            return maps[:, : len(self.classes_)]
        n_findings = len(self.classes_) - (self.negative_class is not None)
        return maps[:, 1 : 1 + n_findings]

    def _image_weights(
        self, labels: Labels, sample_weight: Any, n_samples: int
    ) -> NDArray[np.float32] | None:
        weights = check_weights(sample_weight, n_samples)
        class_weights = labels.weights(self.class_weight)
        if class_weights is None:
            return weights
        of_image = np.where(labels.encoded >= 0, class_weights[labels.encoded], np.float32(1))
        return of_image if weights is None else of_image * weights

    def _fit_summarizer(self, X: Any, labels: Labels) -> Any:
        """Fit on all labeled images, or on one of each class where masks teach it nothing."""
        summarizer = clone(make_plugin("summarizer", self.summarizer))
        encoded = labels.encoded
        chosen = np.flatnonzero((encoded.reshape(len(encoded), -1) >= 0).all(1))
        if not get_tags(summarizer).requires_fit:
            chosen = chosen[np.unique(encoded[chosen], axis=0, return_index=True)[1]]
        return summarizer.fit(self._maps(X, chosen), encoded[chosen])

    def _maps(self, X: Any, chosen: NDArray[np.intp]) -> Any:
        """Predicted maps of the chosen images; a list where they are of several sizes."""
        maps: list[Any] = [None] * len(chosen)
        for indices, batch in self.segmenter_.predict_proba_batches(_safe_indexing(X, chosen)):
            for index, value in zip(indices, self._findings(batch), strict=True):
                maps[index] = value
        same = len({value.shape for value in maps}) == 1
        return np.stack(maps) if same else maps
