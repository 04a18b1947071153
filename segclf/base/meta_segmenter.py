"""Segmenters that train another segmenter, and predict with it."""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.callback import CallbackSupportMixin
from sklearn.utils.validation import check_is_fitted

from segclf.base.checkpoint_parameters import CheckpointParameters
from segclf.base.maps import MapBatches, Maps
from segclf.base.mask_targets import MaskTargets
from segclf.base.segmenter import Segmenter
from segclf.data import ImagesLike, MasksLike


@Segmenter.register
class MetaSegmenter(CallbackSupportMixin, MaskTargets, CheckpointParameters):
    """A segmenter around another one; by ``isinstance`` it is a `Segmenter`.

    Attributes
    ----------
    n_classes_ : int
        Number of mask ids with the background, or of channels of multi-label masks.
    classes_ : array of shape (n_classes,)
        The mask ids, or the numbers of the channels.
    multilabel_ : bool
        Whether a pixel may belong to several classes.
    network_ : nn.Module
        The trained network.
    history_ : dict of array
        Mean of each loss term, epoch by epoch.
    n_channels_ : int
        Number of image channels.
    n_features_in_ : int
        Number of features in each row; only if X holds rows.
    """

    _takes_checked_masks: ClassVar[bool] = True
    # The attribute with the fitted segmenter that predicts.
    _answering: ClassVar[str]

    @property
    def _segmenter(self) -> Any:
        return getattr(self, self._answering)

    def predict(self, X: ImagesLike) -> Maps:
        """Return masks at the images' own size.

        Returns
        -------
        array (n, h, w) of ids or (n, k, h, w) of 0 and 1, uint8, or a list of them
            A list if the images have several sizes.
        """
        check_is_fitted(self)
        return self._segmenter.predict(X)

    def predict_batches(self, X: ImagesLike) -> MapBatches:
        """Yield (indices, masks (b, h, w) or (b, k, h, w)); a batch at a time is in memory."""
        check_is_fitted(self)
        return self._segmenter.predict_batches(X)

    def predict_proba(self, X: ImagesLike) -> Maps:
        """Return the probability of each class at each pixel.

        Returns
        -------
        array (n, n_classes, h, w), float32, or a list of them
            A list if the images have several sizes. Exclusive classes sum to 1.
        """
        check_is_fitted(self)
        return self._segmenter.predict_proba(X)

    def predict_proba_batches(self, X: ImagesLike) -> MapBatches:
        """Yield (indices, probabilities (b, n_classes, h, w)); a batch at a time is in memory."""
        check_is_fitted(self)
        return self._segmenter.predict_proba_batches(X)

    def embed_batches(
        self, X: ImagesLike, layer: str = "deep"
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
        """Yield (indices, maps (b, d, h', w')) of a layer of `network_`; images are not tiled.

        Parameters
        ----------
        X : array, list, paths or tensor
            The images.
        layer : str
            "deep", "shallow" or a module's name, see `segclf.networks.layer_reader`.
        """
        check_is_fitted(self)
        return self._segmenter.embed_batches(X, layer)

    def score(self, X: ImagesLike, y: MasksLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the mean IoU of the foreground classes; pixels of -1 do not count.

        With `sample_weight` (n,), each pixel has the weight of its image.
        """
        check_is_fitted(self)
        return float(self._segmenter.score(X, y, sample_weight))

    @property
    def n_classes_(self) -> int:
        """Number of mask ids with the background, or of channels of multi-label masks."""
        return self._segmenter.n_classes_

    @property
    def classes_(self) -> NDArray[np.int64]:
        """The mask ids, the background among them, or the numbers of the channels."""
        return self._segmenter.classes_

    @property
    def multilabel_(self) -> bool:
        """Whether a pixel may belong to several classes."""
        return self._segmenter.multilabel_

    @property
    def network_(self) -> Any:
        """The network that predicts."""
        return self._segmenter.network_

    @property
    def history_(self) -> dict[str, NDArray[Any]]:
        """Mean of each loss term of the segmenter that predicts, epoch by epoch."""
        return self._segmenter.history_

    @property
    def n_channels_(self) -> int:
        """Number of image channels."""
        return self._segmenter.n_channels_

    @property
    def n_features_in_(self) -> int:
        """Number of features, when fitted on rows."""
        return self._segmenter.n_features_in_
