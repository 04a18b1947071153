"""Estimators whose ``transform`` returns embeddings of images."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from segclf.base.embedding import embed_by_network
from segclf.base.network_holder import NetworkHolder
from segclf.data import ImagesLike


class ImageTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, NetworkHolder):
    """Base class of transformers with one network that has an ``embed`` method."""

    def transform(self, X: ImagesLike) -> NDArray[Any]:
        """Return the embedding of each image.

        Returns
        -------
        array of shape (n, d)
            float32, or float64 for an `X` of that type.
        """
        check_is_fitted(self)
        dtype = np.float64 if getattr(X, "dtype", None) == np.float64 else np.float32
        return embed_by_network(self, X).astype(dtype, copy=False)

    def __sklearn_tags__(self) -> Tags:
        """Return the tags: float32 and float64 are preserved."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        network: Any = self.network_
        return int(network.n_features)
