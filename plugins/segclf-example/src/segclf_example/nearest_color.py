"""Pseudo masks by color: each pixel gets the class with the nearest mean color."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import pairwise_distances_argmin
from sklearn.utils.validation import check_is_fitted

from segclf.base import Estimator

__all__ = ["NearestColorLabeler"]


class NearestColorLabeler(Estimator):
    """Predict masks by the mean color of each class.

    Parameters
    ----------
    empty_negatives : bool
        Whether an image labeled 0 gets an empty mask, regardless of its colors.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The mask ids that occurred.
    colors_ : ndarray of shape (n_classes, n_channels)
        The mean color of each class.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf_example.nearest_color import NearestColorLabeler
    >>> X = np.array([[[[0, 0, 9], [9, 0, 0]]], [[[8, 0, 0], [0, 0, 8]]]])
    >>> labeler = NearestColorLabeler().fit(X, [[[0, 1]], None])
    >>> labeler.predict(X)
    array([[[0, 1]],
    <BLANKLINE>
           [[1, 0]]])
    """

    empty_negatives: bool = True

    def fit(
        self, X: Sequence[Any], y: Sequence[Any] | None = None, *, labels: ArrayLike | None = None
    ) -> Self:
        """Average the colors of each class.

        Parameters
        ----------
        X : ndarray of shape (n, h, w) or (n, h, w, c), or list of n images
            The images.
        y : ndarray of shape (n, h, w) or list
            Their masks; None for an image without one, -1 for an unlabeled pixel.
        labels : array-like of shape (n,), optional
            Image labels; not used.

        Returns
        -------
        NearestColorLabeler
            Itself.
        """
        labeled = [i for i, mask in enumerate([] if y is None else y) if mask is not None]
        if y is None or not labeled:
            raise ValueError(
                "NearestColorLabeler needs at least one mask to learn colors from; got none."
            )
        colors = np.concatenate([_colors(X[i]) for i in labeled])
        ids = np.concatenate([np.ravel(y[i]) for i in labeled])
        self.classes_ = np.unique(ids[ids >= 0])
        self.colors_ = np.stack([colors[ids == one].mean(axis=0) for one in self.classes_])
        return self

    def predict(
        self, X: Sequence[Any], *, labels: ArrayLike | None = None
    ) -> NDArray[Any] | list[NDArray[Any]]:
        """Predict masks.

        Parameters
        ----------
        X : ndarray of shape (n, h, w) or (n, h, w, c), or list of n images
            The images.
        labels : array-like of shape (n,), optional
            Their labels, -1 where unlabeled.

        Returns
        -------
        ndarray of shape (n, h, w) or list of ndarray of shape (h, w)
            Mask ids.
        """
        check_is_fitted(self)
        masks = [self._predict_mask(np.asarray(image)) for image in X]
        if labels is not None and self.empty_negatives:
            for mask, label in zip(masks, np.asarray(labels), strict=True):
                mask[...] = np.where(label == 0, 0, mask)
        return np.stack(masks) if isinstance(X, np.ndarray) else masks

    def _predict_mask(self, image: NDArray[Any]) -> NDArray[Any]:
        nearest = pairwise_distances_argmin(_colors(image), self.colors_)
        return self.classes_[nearest].reshape(image.shape[:2])


def _colors(image: Any) -> NDArray[np.float64]:
    """List an image's pixels, (h * w, c)."""
    image = np.asarray(image, dtype=np.float64)
    return image.reshape(image.shape[0] * image.shape[1], -1)
