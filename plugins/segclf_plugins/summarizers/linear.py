"""Linear summarizers: a fully connected layer on the mask, or on its mean.

Hooper et al., "Segmentation for classification" (S4C), section 3.2 and appendix A2.2. The paper
minimizes the cross-entropy by Adam. A linear layer under a softmax is logistic regression, whose
minimum scikit-learn finds without a learning rate or epochs to choose.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from segclf.axes import N_SPATIAL, are_volumetric, as_planes
from segclf.data import resize_image, resize_volume
from segclf.export import refuse, resized
from segclf_plugins.summarizers.feature_summarizer import FeatureSummarizer
from segclf_plugins.summarizers.maps import Stack

__all__ = ["FullyConnectedSummarizer", "PooledSummarizer"]

_ITERATIONS = 1000


class FullyConnectedSummarizer(FeatureSummarizer):
    """Classify images by every pixel of every mask (S4C's fully connected layer).

    All maps are resized to the size of those in `fit` (their median size if sizes differ). During
    `fit` a float32 copy of them is in memory.

    Parameters
    ----------
    classifier : classifier or None
        Any scikit-learn classifier, for pixels (n, k * h * w). None is
        ``LogisticRegression(max_iter=1000)``, which has a penalty that the paper does not have.

    Attributes
    ----------
    size_ : tuple of int
        Height and width that maps are resized to; for volumes depth, height and width.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf_plugins.summarizers import FullyConnectedSummarizer
    >>> P = np.zeros((4, 1, 10, 10))
    >>> P[2:, 0, :2] = 0.9
    >>> FullyConnectedSummarizer().fit(P, ["no", "no", "yes", "yes"]).predict(P)
    array(['no', 'no', 'yes', 'yes'], dtype='<U3')
    """

    def _default(self) -> Any:
        return LogisticRegression(max_iter=_ITERATIONS)

    def _learn_features(self, maps: Stack) -> None:
        median = np.median([p.shape[1:] for p in maps], axis=0).round().astype(int)
        self.size_ = tuple(median.tolist())

    def _features(self, maps: Stack) -> NDArray[np.float32]:
        if are_volumetric(maps):
            return np.stack([resize_volume(p, self.size_).ravel() for p in maps])
        pixels = np.empty((len(maps), *self.size_, self.n_channels_), dtype=np.float32)
        for row, p in zip(pixels, maps, strict=True):
            row[...] = resize_image(np.moveaxis(p, 0, -1).astype(np.float32), self.size_)
        return pixels.reshape(len(maps), -1)

    def _feature_module(self) -> nn.Module:
        if len(self.size_) > N_SPATIAL:
            return refuse(self, "it reads maps of volumes")
        return _Pixels(self.size_)


class PooledSummarizer(FeatureSummarizer):
    """Classify images by the mean of each mask (S4C's global average pooling and linear layer).

    Parameters
    ----------
    classifier : classifier or None
        Any scikit-learn classifier, for means (n, k). None is logistic regression on standardized
        means, almost without a penalty (``C=100``).

    Examples
    --------
    >>> import numpy as np
    >>> from segclf_plugins.summarizers import PooledSummarizer
    >>> P = np.zeros((4, 1, 10, 10))
    >>> P[2:, 0, :2] = 0.9
    >>> PooledSummarizer().fit(P, ["no", "no", "yes", "yes"]).predict(P)
    array(['no', 'no', 'yes', 'yes'], dtype='<U3')
    """

    def _default(self) -> Any:
        return make_pipeline(StandardScaler(), LogisticRegression(C=100, max_iter=_ITERATIONS))

    def _features(self, maps: Stack) -> NDArray[np.float64]:
        """Return the means (n, k) of maps (k, h, w)."""
        return np.stack([p.mean(axis=(1, 2), dtype=np.float64) for p in as_planes(maps)])

    def _feature_module(self) -> nn.Module:
        return _Means()


class _Pixels(nn.Module):
    """All pixels of resized maps, channels last."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, maps: Tensor) -> Tensor:
        return resized(maps, self.size).permute(0, 2, 3, 1).flatten(1)


class _Means(nn.Module):
    """The mean of each map."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.double().mean(dim=(2, 3))
