"""Embeddings of whole images: one vector each, from the network of a fitted estimator."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from segclf.base.network_holder import NetworkHolder
from segclf.data import ImagesLike


def embed(estimator: Any, X: ImagesLike) -> NDArray[Any]:
    """Return the embedding of each image, (n, d).

    Parameters
    ----------
    estimator : fitted estimator
        A pretrainer, segmenter or classifier with one network; an estimator around a segmenter; or
        anything with ``transform``.
    X : array, list, paths or tensor
        The n images.

    Raises
    ------
    TypeError
        If the estimator has neither a network nor ``transform``.

    Examples
    --------
    >>> from segclf import ImageClassifier
    >>> from segclf.datasets import make_shapes
    >>> shapes = make_shapes(4, image_size=32, n_objects=3, random_state=0)
    >>> classifier = ImageClassifier(encoder="tiny", max_epochs=1, random_state=0)
    >>> embed(classifier.fit(shapes.images, shapes.target), shapes.images).shape
    (4, 64)
    """
    if hasattr(estimator, "transform"):
        return np.asarray(estimator.transform(X))
    check_is_fitted(estimator)
    for name in ("segmenter_", "_segmenter"):  # classifiers through masks, meta-segmenters
        if hasattr(estimator, name):
            return embed(getattr(estimator, name), X)
    if isinstance(estimator, NetworkHolder):
        return embed_by_network(estimator, X)
    raise TypeError(
        f"{estimator!r:.120} cannot embed images; expected a transformer, such as a pretrainer, or "
        "a segmenter or classifier with a network."
    )


def embed_by_network(estimator: NetworkHolder, X: ImagesLike) -> NDArray[np.float32]:
    """Return the embedding that the network itself computes, (n, d)."""
    network: Any = estimator.network_
    images, outputs = estimator._outputs(X, forward=network.embed)
    embeddings = np.empty((len(images), network.n_features), dtype=np.float32)
    for indices, output in outputs:
        embeddings[indices] = output.numpy()
    return embeddings
