"""Pseudo masks by thresholding the Grad-CAM maps of a classifier.

Gadgil et al., "CheXseg: combining expert annotations with DNN-generated saliency maps for X-ray
segmentation", MIDL 2021, section 3 and Appendix A.1: a classifier is trained on many image labels;
its maps, with thresholds chosen on a few expert masks, label the other images.
"""

from collections.abc import Iterator
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes
from sklearn.callback import with_callbacks
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from segclf import ImageClassifier
from segclf.base import Classifier
from segclf.data import Images, ImagesLike, LabelsLike, Masks, MasksLike
from segclf.metrics import best_of_counts, count_scores
from segclf_plugins.pseudo_labelers.class_maps import ClassMaps
from segclf_plugins.pseudo_labelers.classifier_labeler import ClassifierLabeler
from segclf_plugins.thresholders.otsu import OtsuThresholder

__all__ = ["GradCAMLabeler"]

# The thresholds that CheXseg's code tries.
THRESHOLDS = np.arange(20) / 20


class GradCAMLabeler(ClassifierLabeler):
    """Predict masks from the Grad-CAM maps of a classifier.

    A class is predicted in images that are labeled with it; for unlabeled images the classifier
    decides (at a probability of .5). Its mask is where its map exceeds the threshold of the class.
    Where classes overlap, the larger map wins, unless masks are multi-label.

    Parameters
    ----------
    classifier : ImageClassifier, FrozenEstimator, nn.Module or None
        The classifier of the images. An `ImageClassifier` is cloned and trained on image labels,
        and for images without a label on the classes in their masks. Two or more classes are
        trained as an indicator, since an image may show several. None is a classifier with
        CheXseg's settings (DenseNet-121, Adam at 1e-4, batches of 16) and 20 epochs, since the
        paper's 3 are of 224,316 images. Pass a fitted one inside
        ``sklearn.frozen.FrozenEstimator``; its first class is the negative one, unless it is
        multi-label. A fitted torch module maps images (n, c, h, w), 8-bit and 16-bit ones scaled to
        0 to 1, to logits: one for each class, or one more for exclusive classes with the background
        first.
    score : {"logit", "probability"}
        The score to differentiate: before the sigmoid, as in CheXseg's paper, or after it, as in
        its code. For exclusive classes the logit is the log-odds against all other classes, whose
        sigmoid is the probability. The two maps differ by a factor p (1 - p) for each image and
        class, so they are equal after `normalize`, except that there is no map for "probability" if
        p (1 - p) is 0.
    threshold : {"search", "otsu"} or float
        "search" takes the threshold of 0, .05, ..., .95 that maximizes the IoU over the images with
        masks, for each class, as in the paper; Otsu's method for a class that no mask shows. "otsu"
        applies Otsu's method to each map, as in the code. A float is for all classes.
    normalize : bool
        Whether each map is divided by its maximum, so that it ranges from 0 to 1; a map of zeros
        stays unchanged. In CheXseg's code this step is commented out.
    fill_holes : bool
        Whether holes in a mask are filled, as in CheXseg's code.
    layer : str or None
        Name of the network's module whose maps are used. None is the last one with maps; it must be
        given for a torch module. See `segclf.networks.grad_cam`.

    Attributes
    ----------
    thresholds_ : array of shape (k,)
        Threshold of each class without the background; NaN if Otsu's method is used on each map.

    Examples
    --------
    >>> from segclf import ImageClassifier
    >>> from segclf.datasets import make_shapes
    >>> from segclf_plugins.pseudo_labelers.grad_cam import GradCAMLabeler
    >>> shapes = make_shapes(8, image_size=32, n_objects=3, random_state=0)
    >>> masks = [*shapes.masks[:4], None, None, None, None]
    >>> labeler = GradCAMLabeler(classifier=ImageClassifier(encoder="tiny", max_epochs=1))
    >>> labeler = labeler.fit(shapes.images, masks, labels=shapes.target)
    >>> labeler.predict(shapes.images, labels=shapes.target).shape
    (8, 32, 32)
    """

    score: str = "logit"
    threshold: Any = "search"
    normalize: bool = True
    fill_holes: bool = True
    layer: str | None = None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "classifier": [Classifier, FrozenEstimator, nn.Module, None],
        "score": [StrOptions({"logit", "probability"})],
        "threshold": [StrOptions({"search", "otsu"}), Interval(Real, None, None, closed="neither")],
        "normalize": ["boolean"],
        "fill_holes": ["boolean"],
        "layer": [str, None],
        "random_state": ["random_state"],
    }

    @with_callbacks
    def fit(
        self, X: ImagesLike, y: MasksLike | None = None, *, labels: LabelsLike | None = None
    ) -> Self:
        """Train the classifier and choose the thresholds.

        Parameters
        ----------
        X : array, list, paths or tensor
            The n images.
        y : array (n, h, w) or (n, k, h, w), list or None
            Mask ids, 0 the background, -1 an unlabeled pixel; or multi-label masks. A
            list may hold paths, and None for an image without a mask.
        labels : array-like of shape (n,) or (n, k), optional
            The mask id that each image shows, 0 for none, -1 where unlabeled; or a multi-label
            indicator.

        Returns
        -------
        self
            The fitted labeler.

        Raises
        ------
        ValueError
            If a classifier cannot be trained because no image, or every image, shows a class.
        """
        self._validate_params()
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        self.classifier_ = self._new_classifier(seed)
        images, masks, shown = self._look(X, y, labels)
        context = self._init_callback_context(max_subtasks=1)
        context.call_on_fit_task_begin(estimator=self)
        self._fit_classifier(X, shown, context)
        self.thresholds_ = np.full(shown.shape[1], np.nan)
        if self.threshold == "search":
            self.thresholds_ = self._best_thresholds(images, masks, shown)
        elif self.threshold != "otsu":
            self.thresholds_[:] = self.threshold
        context.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes=dict)
        return self

    def _default_classifier(self) -> ImageClassifier:
        return ImageClassifier(
            encoder="densenet121", learning_rate=1e-4, batch_size=16, max_epochs=20
        )

    @property
    def _class_maps(self) -> ClassMaps:
        return ClassMaps(
            classifier=self.classifier_,
            n_classes=len(self.thresholds_),
            layer=self.layer,
            probability=self.score == "probability",
            normalize=self.normalize,
        )

    def _seen(self, images: Images) -> NDArray[np.bool_]:
        return self._class_maps.shown(images)

    def _predict_masks(
        self, images: Images, rows: NDArray[np.intp], shown: NDArray[np.bool_]
    ) -> Iterator[tuple[int, NDArray[np.int16]]]:
        for number, maps in self._class_maps.maps(images.subset(rows)):
            yield rows[number], self._predict_mask(maps, shown[rows[number]])

    def _best_thresholds(
        self, images: Images, masks: Masks, shown: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Search over the images with masks, for predicted masks without filled holes."""
        with_mask = np.flatnonzero(masks.labeled)
        decided = self._decided(images.subset(with_mask), shown[with_mask])
        chosen = with_mask[decided.any(1)]
        decided = decided[decided.any(1)]
        counts = np.zeros((2, shown.shape[1], len(THRESHOLDS) + 1), dtype=np.int64)
        for number, maps in self._class_maps.maps(images.subset(chosen)):
            truth: Any = masks[int(chosen[number])]
            counts += count_scores(truth, maps * decided[number][:, None, None], THRESHOLDS)
        return best_of_counts(counts, THRESHOLDS)

    def _predict_mask(
        self, maps: NDArray[np.float32], shown: NDArray[np.bool_]
    ) -> NDArray[np.int16]:
        """Threshold maps (k, h, w) to a mask; -1 if no pixel of a shown class was found."""
        found = np.zeros(maps.shape, dtype=bool)
        for c in np.flatnonzero(shown):
            found[c] = self._cut(maps[c], self.thresholds_[c])
        open_ = shown & ~found.any((1, 2))
        if self.multilabel_:
            return np.where(open_[:, None, None], -1, found).astype(np.int16)
        ids = np.where(found, maps, -1).argmax(0) + 1
        return np.where(found.any(0), ids, -1 if open_.any() else 0).astype(np.int16)

    def _cut(self, heat: NDArray[np.float32], threshold: float) -> NDArray[np.bool_]:
        if np.isnan(threshold):
            threshold = OtsuThresholder().thresholds([heat])[0]
        mask = heat > threshold
        return binary_fill_holes(mask) if self.fill_holes else mask
