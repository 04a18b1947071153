"""What users hand over, checked: images through our door, rows through scikit-learn's."""

import os
from numbers import Real
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, check_consistent_length, validate_data

from segclf.data import Images, as_images

ImageShape = tuple[int, ...] | None


def check_images(
    estimator: BaseEstimator, X: Any, *, image_shape: ImageShape = None, reset: bool
) -> Images:
    """Return the images of `X`; rows (n, f) become images of shape `image_shape`, else (1, f).

    With ``reset`` the estimator learns ``n_channels_`` (and ``n_features_in_`` for rows), else `X`
    must agree with them.
    """
    images = as_images(
        check_rows(estimator, X, reset=reset),
        image_shape=image_shape,
        n_channels=None if reset else estimator.n_channels_,
    )
    if reset:
        estimator.n_channels_ = images.n_channels
    return images


def check_rows(estimator: BaseEstimator, X: Any, *, reset: bool) -> Any:
    """Return `X`, validated by scikit-learn when it is rows and not images."""
    return X if holds_images(X) else validate_data(estimator, X, reset=reset)


def holds_images(X: Any) -> bool:
    """Tell images from rows: paths, arrays of two or more dimensions each, or a stack of them."""
    if isinstance(X, Images):
        return True
    if isinstance(X, torch.Tensor) or (hasattr(X, "ndim") and hasattr(X, "dtype")):
        texts = X.ndim == 1 and getattr(X.dtype, "kind", "O") in "OUST"
        return X.ndim >= 3 or texts
    if not isinstance(X, list | tuple) or not len(X):
        return False
    first = X[0]
    return isinstance(first, str | os.PathLike) or getattr(first, "ndim", 0) >= 2


def check_weights(sample_weight: Any, n_samples: int) -> NDArray[np.float32] | None:
    """Return the weights as an array (n,), 1 in the mean of those above 0; None if all are equal.

    Losses that sum pixels before they divide, such as Dice, would take another scale for another
    number of images.
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
        raise ValueError("Every sample_weight is zero; at least one image must weigh something.")
    if (weights == weights[0]).all():
        return None
    return np.ascontiguousarray(weights / weights[weights > 0].mean(dtype=np.float64), np.float32)
