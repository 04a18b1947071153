"""The red channel relative to the total intensity: color without brightness."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags

from segclf.data.arrays import to_float
from segclf.data.images import as_images
from segclf.data.kinds import ImagesLike


class RedNormalizer(TransformerMixin, BaseEstimator):
    """Turn color images into one channel, ``R / sqrt(R^2 + G^2 + B^2 + 1e-11)``.

    Brightness cancels out, and with it shadows and uneven light. S4MI preprocesses skin images in
    this way (section 3.3 of Singh et al., "Shifting to machine supervision"), after Thanh et al.,
    "A skin lesion segmentation method for dermoscopic images based on adaptive thresholding with
    normalization of color models", ICEEE 2019. The public code of S4MI does it only in training; a
    pipeline also does it in prediction.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.data import RedNormalizer
    >>> image = np.array([[[200, 0, 0], [100, 100, 100], [10, 10, 10], [0, 0, 0]]], dtype=np.uint8)
    >>> print(RedNormalizer().fit_transform([image])[0][..., 0].round(4))
    [[1.     0.5774 0.5774 0.    ]]
    """

    def fit(self, X: ImagesLike, y: Any = None) -> Self:
        """Do nothing: there is nothing to learn."""
        return self

    def transform(self, X: ImagesLike) -> NDArray[np.float32] | list[NDArray[np.float32]]:
        """Return the normalized red channel.

        Parameters
        ----------
        X : array (n, h, w, 3), list of arrays (h, w, 3), paths or tensor (n, 3, h, w)
            Colors as RGB. Gray images in files are treated as RGB images without color.

        Returns
        -------
        array (n, h, w, 1), float32, or a list of arrays (h, w, 1)
            From 0 to 1; a list if the images have several sizes.

        Raises
        ------
        ValueError
            If images do not have 3 channels, or an item is not an image.
        """
        images = as_images(X, n_channels=3)
        reds = [_normalized_red(images[index]) for index in range(len(images))]
        return np.stack(reds) if len({red.shape for red in reds}) == 1 else reds

    def __sklearn_tags__(self) -> Tags:
        """Return the tags: it works without `fit`."""
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


def _normalized_red(image: NDArray[Any]) -> NDArray[np.float32]:
    scaled = to_float(image)
    light = np.sqrt(np.square(scaled).sum(axis=2, keepdims=True) + np.float32(1e-11))
    return scaled[..., :1] / light
