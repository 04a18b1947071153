"""Validation of input: images by our own checks, rows by scikit-learn's."""

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import get_tags
from sklearn.utils.validation import check_array, check_consistent_length, validate_data

from segclf.base.spatial import n_spatial
from segclf.data import Images, ImagesLike, StoredImages, as_images
from segclf.data.arrays import unwrap
from segclf.data.dataset_rows import DatasetRows
from segclf.data.kinds import EXPECTED, column, image_of, is_dataset, kind_of, why_not
from segclf.data.scale import Scale


def check_images(
    estimator: BaseEstimator, X: ImagesLike, *, reset: bool, reader: Any = None
) -> Images:
    """Return the images of `X`, read with the parameters of `reader`, by default the estimator.

    These parameters are `channels` and `image_shape`, the shape of rows (n, f) as images, by
    default (1, f). With ``reset`` the estimator learns ``n_channels_`` and ``image_scale_`` (for
    rows None, and ``n_features_in_``); otherwise `X` must agree with them.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf import ImageClassifier
    >>> from segclf.base import check_images
    >>> classifier = ImageClassifier()
    >>> images = check_images(classifier, np.zeros((4, 16, 16, 3), np.uint8), reset=True)
    >>> len(images), classifier.n_channels_
    (4, 3)
    """
    reader = estimator if reader is None else reader
    images = as_images(
        check_rows(estimator, X, reset=reset),
        image_shape=getattr(reader, "image_shape", None),
        n_channels=None if reset else estimator.n_channels_,
        channels=getattr(reader, "channels", None),
        n_spatial=n_spatial(reader),
    )
    if reset:
        estimator.n_channels_ = images.n_channels
        images = images.learn_scale() if holds_images(X) else images
        estimator.image_scale_ = images.scale and images.scale._asdict()
        return images
    learned = getattr(estimator, "image_scale_", None)
    return images.expect(learned and Scale(**learned))


def check_rows(estimator: BaseEstimator, X: ImagesLike, *, reset: bool) -> Any:
    """Return `X` unchanged if it holds images; rows are validated by scikit-learn.

    For a Dataset of images, return rows that scikit-learn can index, loaded only when needed.

    Parameters
    ----------
    estimator : estimator
        Learns ``n_features_in_`` from rows, or compares with it.
    X : array, list, paths or tensor
        Images or rows.
    reset : bool
        Whether the estimator is fitted now.

    Raises
    ------
    ValueError
        If `X` holds neither, or is one array of rows although `fit` saw images.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf import SegmentationClassifier
    >>> from segclf.base import check_rows
    >>> images = np.zeros((4, 16, 16))
    >>> check_rows(SegmentationClassifier(), images, reset=True) is images
    True
    """
    if holds_images(X):
        if reset:
            for name in _OF_ROWS:
                vars(estimator).pop(name, None)
        return X if isinstance(X, Images | StoredImages) or not is_dataset(X) else DatasetRows(X)
    if reason := why_not(X):
        raise ValueError(f"{reason}. Expected {EXPECTED}.")
    if not reset and hasattr(estimator, "n_features_in_"):
        return validate_data(estimator, X, reset=False)
    if not reset and get_tags(estimator).requires_fit:
        raise ValueError(
            f"X holds rows, but {type(estimator).__name__} was fitted on images. If X is one gray "
            "image (h, w), pass X[None]."
        )
    return validate_data(estimator, X, reset=reset)


def holds_images(X: ImagesLike) -> bool:
    """Tell images from rows: paths, PIL images, arrays of two axes or more each, or many of them.

    What `segclf.data.as_images` refuses is neither.

    Parameters
    ----------
    X : object
        Anything that was passed as X.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.base import holds_images
    >>> holds_images(np.zeros((4, 16, 16))), holds_images(["a.png", "b.png"])
    (True, True)
    >>> holds_images(np.zeros((4, 256)))
    False
    """
    if isinstance(X, Images):
        return True
    if why_not(X):
        return False
    values = column(unwrap(X))
    if hasattr(values, "ndim") and hasattr(values, "dtype"):
        texts = values.ndim == 1 and getattr(values.dtype, "kind", "O") in "OUST"
        return values.ndim >= 3 or texts
    if not isinstance(values, list | tuple):
        return is_dataset(values)
    first = image_of(values[0], 0)
    return kind_of(first) is not None and getattr(first, "ndim", 2) >= 2


_OF_ROWS = ("n_features_in_", "feature_names_in_")


def check_weights(sample_weight: ArrayLike | None, n_samples: int) -> NDArray[np.float32] | None:
    """Return the weights as an array (n,), 1 in the mean of those above 0; None if all are equal.

    Otherwise losses that sum pixels before they divide, such as Dice, would change their scale with
    the number of images.
    """
    if sample_weight is None:
        return None
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_samples, sample_weight)
    weights = check_array(
        sample_weight, ensure_2d=False, dtype=np.float32, input_name="sample_weight"
    )
    if weights.ndim != 1:
        raise ValueError("Sample weights must be 1D array or scalar")
    check_consistent_length(np.empty(n_samples), weights)
    if (weights < 0).any():
        raise ValueError(
            f"sample_weight must not be negative, but is {weights[np.argmax(weights < 0)]} "
            f"for sample {np.argmax(weights < 0)}."
        )
    if not weights.any():
        raise ValueError("Every sample_weight is zero; at least one must be positive.")
    if (weights == weights[0]).all():
        return None
    mean = weights[weights > 0].mean(dtype=np.float64)
    if np.isclose(mean, 1, rtol=0, atol=1e-6):  # weights that were checked before stay unchanged
        return np.ascontiguousarray(weights)
    return np.ascontiguousarray(weights / mean, np.float32)
