"""Base classes of thresholders."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import TransformerMixin
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions

from segclf.base import Estimator, check_rows, holds_images
from segclf.data import Images, ImagesLike, as_images
from segclf_plugins.thresholders.gray import Levels, to_gray, to_levels

__all__ = ["BaseThresholder", "GlobalThresholder"]

Masks = NDArray[np.bool_] | list[NDArray[np.bool_]]

_BATCH_IMAGES = 32
_BATCH_PIXELS = 2**20


class BaseThresholder(TransformerMixin, Estimator, ABC):
    """Parameters and methods of every thresholder.

    Nothing is learned, so calling `fit` is optional. Images are first converted to gray: three
    channels are RGB and give the luma (.299, .587, .114), like ``cv2.COLOR_RGB2GRAY``; any other
    number of channels is averaged. A constant image has an empty mask.

    Parameters
    ----------
    polarity : {"bright", "dark", "auto"}, default="bright"
        Whether the object is brighter than the threshold or not. "auto" chooses the side with fewer
        pixels on the border of the image, or "bright" if both have the same number.
    image_shape : tuple of int, optional
        Shape (h, w) or (h, w, c) of each image if images are passed as rows (n, f); None means
        (1, f).

    Attributes
    ----------
    n_features_in_ : int
        Number of features, when fitted on rows.
    """

    polarity: str = "bright"
    image_shape: tuple[int, ...] | None = None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "polarity": [StrOptions({"auto", "bright", "dark"})],
        "image_shape": [tuple, list, None],
    }

    def fit(self, X: ImagesLike, y: Any = None) -> Self:
        """Check parameters and images; there is nothing to learn.

        Parameters
        ----------
        X : array, list, paths or tensor
            Everything that `segclf.data.as_images` takes.
        y : None
            Ignored.

        Returns
        -------
        self
            Itself.
        """
        self._open(X, reset=True)
        return self

    def transform(self, X: ImagesLike) -> Masks:
        """Return the masks of many images.

        Parameters
        ----------
        X : array, list, paths or tensor
            Everything that `segclf.data.as_images` takes.

        Returns
        -------
        ndarray of bool of shape (n, h, w), or list of n ndarray of shape (h, w)
            True on the object; a list if images have different sizes, rows (n, h * w) if X was
            rows.

        Raises
        ------
        ValueError
            If X cannot be images, or has NaN or infinity; the message has the number of the image.
        """
        images = self._open(X, reset=False)
        sizes = images.sizes()
        masks: Masks
        if (sizes == sizes[0]).all():
            masks = np.empty((len(sizes), *sizes[0]), dtype=bool)
        else:
            masks = [np.empty(size, dtype=bool) for size in sizes]
        for rows, grays in _gray_batches(X, images):
            self._fill(grays, masks[rows])
        return masks if holds_images(X) else np.reshape(masks, (len(masks), -1))

    def __call__(self, image: ArrayLike, /) -> NDArray[np.bool_]:
        """Separate one image into object and background.

        Parameters
        ----------
        image : ndarray of shape (h, w) or (h, w, c)
            Any real dtype and range: 8-bit, 16-bit or float.

        Returns
        -------
        ndarray of bool of shape (h, w)
            True where the object is.

        Raises
        ------
        ValueError
            If it is not an image, or has NaN or infinity.
        """
        array = np.asarray(image)
        if array.ndim not in (2, 3):
            raise ValueError(f"The image has shape {array.shape}; expected (h, w) or (h, w, c).")
        return self.transform([array])[0]

    def __sklearn_tags__(self) -> Tags:
        """Return the tags: nothing is learned, and masks are boolean for all images."""
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _open(self, X: Any, *, reset: bool) -> Images:
        self._validate_params()
        return as_images(check_rows(self, X, reset=reset), image_shape=self.image_shape)

    def _fill(self, grays: Sequence[NDArray[Any]], masks: Masks) -> None:
        """Fill the masks of gray images."""
        self._fill_bright(grays, masks)
        if self.polarity == "bright":
            return
        for gray, mask in zip(grays, masks, strict=True):
            turns = self.polarity == "dark" or _fills_border(mask)
            if turns and gray.min() < gray.max():
                np.logical_not(mask, out=mask)

    @abstractmethod
    def _fill_bright(self, grays: Sequence[NDArray[Any]], masks: Masks) -> None:
        """Fill the masks with the pixels brighter than the threshold; none in a constant image."""


class GlobalThresholder(BaseThresholder):
    """A thresholder with one threshold for each image, from the histogram of its gray values.

    Integers of 8 and 16 bits have one bin for each value, so nothing is lost, even if images fill
    only a part of their range. A whole bin is either bright or dark, so a uint8 image and its float
    version in 0 to 1 have the same mask.

    Parameters
    ----------
    n_bins : int, default=256
        Number of equal bins between the smallest and the largest value of a float image, or of
        integers of more than 16 bits.
    """

    n_bins: int = 256

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_bins": [Interval(Integral, 2, 2**16, closed="both")],
    }

    def thresholds(self, X: ImagesLike) -> NDArray[np.float64]:
        """Find the threshold of each image.

        Parameters
        ----------
        X : array, list, paths or tensor
            Everything that `segclf.data.as_images` takes.

        Returns
        -------
        ndarray of shape (n,)
            Gray values; larger pixels are bright. For floats it is the center of the last dark bin
            (as in scikit-image). For a constant image it is the value of the image.
        """
        batches = _gray_batches(X, self._open(X, reset=False))
        return np.concatenate([self._thresholds(grays) for _, grays in batches])

    def _thresholds(self, grays: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
        images = [to_levels(gray, self.n_bins) for gray in grays]
        return np.array(
            [
                image.low + image.step * split
                for image, split in zip(images, self._splits(images), strict=True)
            ]
        )

    def _fill_bright(self, grays: Sequence[NDArray[Any]], masks: Masks) -> None:
        images = [to_levels(gray, self.n_bins) for gray in grays]
        for image, mask, split in zip(images, masks, self._splits(images), strict=True):
            levels = image.levels
            np.greater(levels, levels.dtype.type(split), out=mask)  # rounds down

    @abstractmethod
    def _splits(self, images: Sequence[Levels]) -> Sequence[float] | NDArray[np.float64]:
        """Find the last dark level of each image; for a constant image, its only level."""


def _gray_batches(X: Any, images: Images) -> Iterator[tuple[slice, list[NDArray[Any]]]]:
    """Yield a few gray images at a time, so that they stay in the cache and memory stays flat."""
    n_pixels = images.sizes().prod(axis=1)
    n_images = int(np.clip(_BATCH_PIXELS // n_pixels.max(), 1, _BATCH_IMAGES))
    is_gray_stack = isinstance(X, np.ndarray) and X.ndim == 3 and X.dtype == np.uint8
    for start in range(0, len(images), n_images):
        rows = slice(start, min(start + n_images, len(images)))
        if is_gray_stack:  # a copy would cost a tenth of Otsu's time
            yield rows, [np.ascontiguousarray(gray) for gray in X[rows]]
        else:
            batch = images.take(np.arange(rows.start, rows.stop))
            yield rows, [to_gray(image) for image in batch]


def _fills_border(mask: NDArray[np.bool_]) -> bool:
    """Return whether more than half of the border pixels are True."""
    inner = mask[1:-1, 1:-1]
    n_true = np.count_nonzero(mask) - np.count_nonzero(inner)
    return bool(2 * n_true > mask.size - inner.size)
