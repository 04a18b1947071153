"""Pseudo masks by a threshold: pixels brighter (or darker) than it get the class of the label."""

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from segclf.base import Estimator, stack_maps, supervise
from segclf.data import ImagesLike, LabelsLike, MasksLike, as_images
from segclf.registry import make_plugin
from segclf_plugins.pseudo_labelers.pseudo_masks import (
    Mask,
    Masks,
    each_label,
    empty_negatives,
)
from segclf_plugins.thresholders.gray import to_gray

__all__ = ["ThresholderLabeler"]


class ThresholderLabeler(Estimator):
    """Predict the region of a thresholder, with the class of the image label.

    The region gets the id of the image's label; it is empty in images labeled 0. In unlabeled
    images it gets id 1 if that is the only class, otherwise -1. For multi-label masks, the region
    is 1 in the channel of the image's only class, or -1 in the channels of several classes.

    Parameters
    ----------
    thresholder : str or callable
        A name among the installed thresholders, such as "otsu" or "ght", or an object such as
        ``OtsuThresholder(polarity="dark")``, for objects darker than their surroundings.

    Attributes
    ----------
    n_classes_ : int
        Number of mask ids with the background, or of channels of multi-label masks.
    multilabel_ : bool
        Whether a pixel may be of several classes.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf_plugins.pseudo_labelers import ThresholderLabeler
    >>> X = np.array([[[10, 10, 90]], [[10, 80, 90]]], dtype=np.uint8)
    >>> ThresholderLabeler().fit(X, labels=[2, 0]).predict(X, labels=[2, 0]).tolist()
    [[[0, 0, 2]], [[0, 0, 0]]]
    """

    thresholder: Any = "otsu"

    reads_volumes: ClassVar[bool] = False

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {"thresholder": [str, callable]}

    def fit(
        self, X: ImagesLike, y: MasksLike | None = None, *, labels: LabelsLike | None = None
    ) -> Self:
        """Determine the number of classes.

        Parameters
        ----------
        X : images
            Images as a segmenter takes them, except rows.
        y : list or ndarray, optional
            Masks: id 0 is background, -1 an unlabeled pixel, None an image without a mask.
        labels : array-like of shape (n,) or (n, k), optional
            Image labels, -1 where unlabeled.

        Returns
        -------
        self
            Itself.
        """
        self._validate_params()
        masks = supervise(X, images=as_images(X), masks=y, labels=labels).masks
        self.multilabel_, self.n_classes_ = masks.multilabel, masks.n_classes
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
            Ids, or 0 and 1 for each class; -1 where the class is ambiguous.
        """
        check_is_fitted(self)
        self._validate_params()
        thresholder = make_plugin("thresholder", self.thresholder)
        images = as_images(X)
        given = each_label(labels, len(images))
        masks = [
            self._predict_mask(np.asarray(thresholder(to_gray(images[index]))), label)
            for index, label in enumerate(given)
        ]
        return stack_maps(masks)

    def _predict_mask(self, region: Mask, label: Any) -> Mask:
        """Convert a region (h, w) to a mask of the classes that the label allows."""
        if self.multilabel_:
            said = np.full(self.n_classes_, -1) if label is None else label
            # It is 1 if it cannot belong to another class.
            kinds = np.where(said == 0, 0, 1 if (said != 0).sum() == 1 else -1)
            return np.where(region, kinds[:, None, None], 0).astype(np.int16)
        labeled = label is not None and label >= 0
        kind = label if labeled else 1 if self.n_classes_ == 2 else -1
        return empty_negatives(np.where(region, kind, 0).astype(np.int16), label)
