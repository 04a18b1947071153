"""Pseudo masks by an already trained segmenter, as S4C takes one off the shelf.

Hooper et al., "A case for reframing automated medical image classification as segmentation",
NeurIPS 2023, whose masks of the spine come from a published network.
"""

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.validation import check_is_fitted

from segclf.axes import N_SPATIAL
from segclf.base import Estimator, n_spatial, stack_maps
from segclf.data import ImagesLike, LabelsLike, MasksLike, as_images
from segclf.registry import make_plugin
from segclf_plugins.pseudo_labelers.pseudo_masks import (
    Mask,
    Masks,
    each_label,
    empty_negatives,
)

__all__ = ["PretrainedLabeler"]


class PretrainedLabeler(Estimator):
    """Predict masks by a fitted segmenter; images labeled 0 get an empty mask.

    Parameters
    ----------
    segmenter : callable, FrozenEstimator or None
        A function ``segmenter(image)`` that takes one image (h, w, c) in its own type, colors as
        RGB, and returns its mask (h, w) of bool or ids, or (k, h, w). Or a fitted estimator with
        ``predict`` inside ``sklearn.frozen.FrozenEstimator``, since a clone of another would be
        unfitted. None is the thresholder "otsu", which needs no training.

    Attributes
    ----------
    segmenter_ : callable or FrozenEstimator
        The segmenter that is used.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf_plugins.pseudo_labelers import PretrainedLabeler
    >>> X = np.array([[[10, 10, 90]], [[10, 80, 90]]], dtype=np.uint8)
    >>> labeler = PretrainedLabeler(segmenter=lambda image: image[..., 0] > 50)
    >>> labeler.fit(X).predict(X, labels=[-1, 0]).tolist()
    [[[0, 0, 1]], [[0, 0, 0]]]
    """

    segmenter: Any = None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "segmenter": [callable, HasMethods(["predict"]), None],
    }

    def fit(
        self, X: ImagesLike, y: MasksLike | None = None, *, labels: LabelsLike | None = None
    ) -> Self:
        """Check the segmenter; there is nothing to learn.

        Parameters
        ----------
        X : images
            Ignored.
        y : list or ndarray, optional
            Ignored.
        labels : array-like, optional
            Ignored.

        Returns
        -------
        self
            Itself.
        """
        self._validate_params()
        segmenter = make_plugin("thresholder", "otsu") if self.segmenter is None else self.segmenter
        if hasattr(segmenter, "predict"):
            check_is_fitted(segmenter)
        self.segmenter_ = segmenter
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
            Ids, or 0 and 1 for each class.
        """
        check_is_fitted(self)
        masks = self._masks(X)
        pairs = zip(masks, each_label(labels, len(masks)), strict=True)
        return stack_maps([empty_negatives(_as_ids(mask), label) for mask, label in pairs])

    @property
    def reads_volumes(self) -> bool:
        """Whether it predicts masks of volumes, that is, whether `segmenter` does."""
        return n_spatial(self.segmenter) != N_SPATIAL

    def _masks(self, X: Any) -> Any:
        if hasattr(self.segmenter_, "predict"):
            return self.segmenter_.predict(X)
        images = as_images(X)
        return [self.segmenter_(images[index]) for index in range(len(images))]


def _as_ids(mask: Any) -> Mask:
    given = np.asarray(mask)
    return given.astype(np.int16) if given.dtype == bool else given
