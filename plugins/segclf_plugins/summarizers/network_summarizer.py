"""Summarizers that train a network on the maps, with the common training loop."""

from abc import abstractmethod
from typing import Any, ClassVar, Self, cast

from sklearn.callback import with_callbacks
from torch import nn

from segclf.base import NetworkClassifier
from segclf.data import Images, LabelsLike, Samples
from segclf.objectives import Classification, Objective
from segclf_plugins.summarizers.map_classifier import MapTags
from segclf_plugins.summarizers.maps import check_maps

__all__ = ["NetworkSummarizer"]


class NetworkSummarizer(MapTags, NetworkClassifier):
    """Base class of summarizers that train a network by cross-entropy.

    All maps are resized to `image_size` if given, otherwise to the size of the maps in `fit`, or to
    their median size if sizes differ. Maps of volumes are not supported.
    """

    reads_volumes: ClassVar[bool] = False

    @abstractmethod
    def _make_network(self, n_channels: int, size: tuple[int, ...]) -> nn.Module:
        """Build the network, which maps mask probabilities to a score for each of `classes_`."""

    @with_callbacks
    def fit(self, P: Any, y: LabelsLike) -> Self:
        """Train on maps and labels.

        Parameters
        ----------
        P : ndarray of shape (n, k, h, w) or list of n ndarray of shape (k, h, w)
            Probabilities of the k foreground classes, or embeddings of k channels.
        y : array-like of shape (n,) or (n, n_classes)
            Labels, or a 0/1 indicator; -1 where unlabeled.

        Returns
        -------
        self
            The fitted summarizer.
        """
        images = self._open(Images.from_maps(check_maps(P, volumes=False)))
        self.image_size_ = self.image_size_ or cast("tuple[int, int] | None", images.size)
        labels = self._learn_classes(y, len(images))
        samples = Samples(images=images, size=self.image_size_, targets=labels.encoded)
        samples.sampler = self._make_sampler(samples)
        self._learn(samples, strata=labels.encoded, X=P, y=y)
        return self

    def _make_objective(self, samples: Samples) -> Objective:
        assert samples.size is not None
        network = self._make_network(samples.images.n_channels, samples.size)
        return Classification(network, loss="cross_entropy", class_weight=self._class_weight())

    def _as_images(self, P: Any) -> Images:
        return Images.from_maps(check_maps(P, n_channels=self.n_channels_, volumes=False))
