"""Tiny images for the checks, and estimators fitted on them."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone


class Samples(NamedTuple):
    """Images with masks and labels.

    Parameters
    ----------
    images : array (n, h, w, 3), uint8
        Noise with a bright square in the colour of its class.
    masks : array (n, h, w), uint8
        The mask id of the square at its pixels, 0 elsewhere.
    labels : array (n,)
        The mask id of each image, 0 for an image without a square.
    """

    images: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    labels: NDArray[np.int64]


def make_samples(
    n_samples: int = 6, size: tuple[int, int] = (16, 16), n_classes: int = 2
) -> Samples:
    """Make images; every n_classes-th one is empty."""
    generator = np.random.default_rng(n_samples)
    images = generator.integers(0, 80, (n_samples, *size, 3), dtype=np.uint8)
    masks = np.zeros((n_samples, *size), dtype=np.uint8)
    labels = np.arange(n_samples) % n_classes
    for image, mask, label in zip(images, masks, labels, strict=True):
        if label:
            top, left = (generator.integers(0, 1 + s // 2) for s in size)
            square = (slice(top, top + size[0] // 2), slice(left, left + size[1] // 2))
            mask[square] = label
            image[square][..., (label - 1) % 3] = 255
    return Samples(images, masks, labels)


def indicator(samples: Samples, n_classes: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return multi-label masks (n, k, h, w) and labels (n, k) for the classes from id 1 on."""
    ids = np.arange(1, n_classes)
    masks = (samples.masks[:, None] == ids[:, None, None]).astype(np.int64)
    return masks, masks.any((2, 3)).astype(np.int64)


def fresh(estimator: Any) -> Any:
    """Return an unfitted copy with a fixed seed."""
    copy = clone(estimator)
    return copy.set_params(random_state=0) if "random_state" in copy.get_params() else copy


def fitted(segmenter: Any, samples: Samples | None = None) -> Any:
    """Return a copy that is fitted on images and masks."""
    samples = samples or make_samples()
    return fresh(segmenter).fit(samples.images, samples.masks)


def answer(estimator: Any, images: Any) -> Any:
    """Return the output of an estimator: embeddings of a pretrainer, otherwise probabilities."""
    kind = "transform" if hasattr(estimator, "transform") else "predict_proba"
    return getattr(estimator, kind)(images)


def assert_equal(actual: Any, expected: Any, message: str = "") -> None:
    """Assert that maps, in one array or a list of arrays, are equal bit by bit."""
    assert len(actual) == len(expected), f"{len(actual)} maps for {len(expected)} images. {message}"
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=message)
