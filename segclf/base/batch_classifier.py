"""Classifiers that predict a few images at a time, and so any number of them."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.base.classifier import Classifier
from segclf.data import ImagesLike

#: Indices of images, and the probability of each class for them, (b, k).
LabelBatches = Iterator[tuple[NDArray[np.intp], NDArray[np.float64]]]


class BatchClassifier(Classifier):
    """A classifier that computes probabilities batch by batch."""

    @abstractmethod
    def _label_batches(self, X: Any) -> tuple[int, LabelBatches]:
        """Return the number of images, and (indices, probabilities (b, k)) of a few at a time."""

    def predict_proba(self, X: ImagesLike) -> NDArray[np.float64]:
        """Return the probability of each class, (n, k); of each label for multi-label targets."""
        n_images, batches = self._label_batches(X)
        probabilities = np.empty((n_images, len(self.classes_)))
        for indices, batch in batches:
            probabilities[indices] = batch
        return probabilities

    def predict_proba_batches(self, X: ImagesLike) -> LabelBatches:
        """Yield (indices, probabilities (b, k)); only a few images are in memory at once.

        Together they equal `predict_proba`, bit for bit.
        """
        yield from self._label_batches(X)[1]

    def predict(self, X: ImagesLike) -> NDArray[Any]:
        """Return the most probable class of each image, or the indicator (n, k)."""
        return self._decide(self.predict_proba(X))

    def predict_batches(self, X: ImagesLike) -> Iterator[tuple[NDArray[np.intp], NDArray[Any]]]:
        """Yield (indices, labels (b,) or indicator (b, k)); together they equal `predict`."""
        for indices, probabilities in self.predict_proba_batches(X):
            yield indices, self._decide(probabilities)
