"""A classifier that answers what it was told to, and counts what it is asked."""

import numpy as np


class Answering:
    """Says the probabilities and masks of the images whose numbers it is shown (pixel 0, 0)."""

    def __init__(self, probabilities, masks=None, classes=(0, 1)):
        self.probabilities, self.classes_ = np.asarray(probabilities), np.asarray(classes)
        self.most = 0
        if masks is not None:
            self.predict_masks = lambda X: [masks[i] for i in self._numbers(X)]

    def predict_proba(self, X):
        self.most = max(self.most, len(X))
        return self.probabilities[self._numbers(X)]

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def _numbers(self, X):
        return [int(np.ravel(image)[0]) for image in X]


class AnsweringLabels(Answering):
    """The same, of labels that do not exclude each other."""

    def predict(self, X):
        return (self.predict_proba(X) >= 0.5).astype(int)


def numbered_images(n, height=12, width=16):
    """Gray images, the number of each in its first pixel."""
    images = np.random.default_rng(0).integers(0, 255, (n, height, width)).astype(np.uint16)
    images[:, 0, 0] = np.arange(n)
    return images


def two_class(n, seed=0):
    """Images, labels, masks, and a classifier that is right in some three of four."""
    random = np.random.default_rng(seed)
    y = np.arange(n) % 2
    masks = np.zeros((n, 12, 16), dtype=int)
    masks[y == 1, 2:6, 3:9] = 1
    score = np.clip(0.5 + 0.35 * (2 * y - 1) + random.normal(0, 0.4, n), 0.01, 0.99)
    predicted = np.roll(masks, random.integers(0, 3, n)[0], axis=1) * (score > 0.5)[:, None, None]
    return numbered_images(n), y, masks, Answering(np.c_[1 - score, score], predicted)


def two_class_of_volumes(n, depth=9):
    """The same of volumes, in one to three of whose slices the finding is."""
    X, y, masks, estimator = two_class(n)
    random = np.random.default_rng(1)
    volumes = random.integers(0, 255, (n, depth, *X.shape[1:])).astype(np.uint16)
    volumes[:, 0, 0, 0] = np.arange(n)
    predicted = estimator.predict_masks(X)
    deep, said = np.zeros((2, *volumes.shape), dtype=np.uint8)
    for i in range(n):
        start = random.integers(1, depth - 3)
        deep[i, start : start + 3] = masks[i]
        said[i, start + 1 : start + 3] = predicted[i]
    return volumes, y, deep, VolumeAnswering(estimator.probabilities, said)


class VolumeAnswering(Answering):
    """Reads volumes."""

    _n_spatial = 3
