"""Base class of pseudo-labelers that use an image classifier."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.callback import CallbackContext, CallbackSupportMixin
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted
from torch import nn

from segclf import ImageClassifier
from segclf.base import CheckpointParameters, as_a_part, check_images, stack_maps, supervise
from segclf.data import Images, ImagesLike, LabelsLike, Masks
from segclf_plugins.pseudo_labelers.image_labels import as_indicator, image_labels

__all__ = ["ClassifierLabeler"]


class ClassifierLabeler(CallbackSupportMixin, CheckpointParameters, ABC):
    """Base class of labelers that use a classifier, trained by them or already fitted.

    Parameters
    ----------
    classifier : classifier, FrozenEstimator, nn.Module or None
        The classifier of the images.
    random_state : int, RandomState or None
        Seed of the classifier; None keeps the classifier's own.

    Attributes
    ----------
    classifier_ : classifier or nn.Module
        The fitted classifier.
    n_classes_ : int
        Number of mask ids with the background, or of channels of multi-label masks.
    multilabel_ : bool
        Whether masks are (k, h, w), 0 and 1 for each class.
    n_channels_ : int
        Number of image channels.
    image_scale_ : dict or None
        The scale of the images in `fit`, as for segmenters; images of other scales are rejected.
    """

    classifier: Any = None
    random_state: Any = None

    reads_volumes: ClassVar[bool] = False

    @abstractmethod
    def _default_classifier(self) -> ImageClassifier:
        """Return the classifier that None means."""

    @abstractmethod
    def _seen(self, images: Images) -> NDArray[np.bool_]:
        """Return the classes (n, k) that the classifier predicts."""

    @abstractmethod
    def _predict_masks(
        self, images: Images, rows: NDArray[np.intp], shown: NDArray[np.bool_]
    ) -> Iterator[tuple[int, NDArray[np.int16]]]:
        """Yield (row, mask) for the images in these rows, which show classes (n, k)."""

    def predict(
        self, X: ImagesLike, *, labels: LabelsLike | None = None
    ) -> NDArray[np.int16] | list[NDArray[np.int16]]:
        """Predict masks.

        Parameters
        ----------
        X : array, list, paths or tensor
            The n images.
        labels : array-like of shape (n,) or (n, k), optional
            As in `fit`. A class that an image does not show is not predicted. For unlabeled images
            the classifier decides.

        Returns
        -------
        array (n, h, w) of ids or (n, k, h, w) of 0 and 1, int16, or a list of them
            Masks at the size of the images; a list if sizes differ. -1 if an image shows a class
            for which no region can be predicted, so that it does not count as absent.
        """
        check_is_fitted(self)
        self._validate_params()
        images = self._open(X, reset=False)
        labels = np.full(len(images), -1) if labels is None else labels
        shown = self._decided(images, as_indicator(labels, self._n_findings, len(images)))
        masks = [self._blank(size) for size in images.sizes().tolist()]
        for row, mask in self._predict_masks(images, np.flatnonzero(shown.any(1)), shown):
            masks[row] = mask
        return stack_maps(masks)

    @property
    def _n_findings(self) -> int:
        return self.n_classes_ - (not self.multilabel_)

    @property
    def _learns(self) -> bool:
        return not isinstance(self.classifier, nn.Module | FrozenEstimator)

    @property
    def _n_least(self) -> int:
        """The least number of classes without the background."""
        classifier = self.classifier_
        fitted = hasattr(classifier, "classes_")
        return len(classifier.classes_) - (not classifier._multilabel) if fitted else 1

    def _new_classifier(self, seed: int) -> Any:
        if isinstance(self.classifier, nn.Module):
            return deepcopy(self.classifier)
        if isinstance(self.classifier, FrozenEstimator):
            check_is_fitted(self.classifier)
            return self.classifier.estimator
        given = self._default_classifier() if self.classifier is None else self.classifier
        return self._seeded(given, seed)

    def _seeded(self, estimator: Any, seed: int) -> Any:
        copy = self._lend(clone(estimator))
        return copy if self.random_state is None else copy.set_params(random_state=seed)

    def _open(self, X: Any, *, reset: bool) -> Images:
        return check_images(self, X, reset=reset, reader=self.classifier_)

    def _look(self, X: Any, y: Any, labels: Any) -> tuple[Images, Masks, NDArray[np.int64]]:
        """Return images, masks and the shown classes (n, k); check that they fit the classifier."""
        images = self._open(X, reset=True)
        supervision = supervise(X, images=images, masks=y, labels=labels)
        masks = supervision.masks
        shown = image_labels(masks, supervision.labels, self._n_least)
        self.multilabel_ = masks.multilabel
        if self._learns:
            _check_both_kinds(shown)
        elif isinstance(self.classifier, FrozenEstimator) and shown.shape[1] > self._n_least:
            raise ValueError(
                f"The classifier has {self._n_least} class(es) without the background, but masks "
                f"and labels show {shown.shape[1]}."
            )
        self.n_classes_ = shown.shape[1] + (not self.multilabel_)
        return images, masks, shown

    def _fit_classifier(self, X: Any, shown: NDArray[np.int64], context: CallbackContext) -> None:
        if self._learns:
            with as_a_part(context.subcontext(task_name="classifier"), self.classifier_):
                self.classifier_.fit(X, shown if shown.shape[1] > 1 else shown[:, 0])

    def _decided(self, images: Images, shown: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Fill unlabeled entries with the predictions of the classifier."""
        decided = shown == 1
        asked = np.flatnonzero((shown < 0).any(1))
        if len(asked):
            seen = self._seen(images.subset(asked))
            decided[asked] = np.where(shown[asked] < 0, seen, decided[asked])
        return decided

    def _blank(self, size: tuple[int, int]) -> NDArray[np.int16]:
        channels = (self.n_classes_,) if self.multilabel_ else ()
        return np.zeros((*channels, *size), dtype=np.int16)


def _check_both_kinds(shown: NDArray[np.int64]) -> None:
    for value, what in ((1, "to show"), (0, "not to show")):
        if not (shown == value).any():
            raise ValueError(
                f"None of the {len(shown)} images is labeled {what} a class, by its label or its "
                "mask; a classifier learns from images of both kinds."
            )
