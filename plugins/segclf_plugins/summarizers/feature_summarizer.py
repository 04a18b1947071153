"""Summarizers that compute features of each map for a scikit-learn classifier."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.multiclass import OneVsRestClassifier
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from segclf.data import LabelsLike
from segclf.export import as_module, refuse
from segclf_plugins.summarizers.map_classifier import MapClassifier
from segclf_plugins.summarizers.maps import Stack, check_maps

__all__ = ["FeatureSummarizer"]


class FeatureSummarizer(MapClassifier, ABC):
    """Base class of summarizers that classify features of the maps.

    Parameters
    ----------
    classifier : classifier or None
        Any scikit-learn classifier or pipeline with ``predict_proba``; for an indicator, one is
        fitted for each column.

    Attributes
    ----------
    classifier_ : classifier
        The fitted classifier; its classes are indices into ``classes_``.
    n_channels_ : int
        The number of channels of the maps.
    """

    classifier: Any = None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "classifier": [HasMethods(["fit", "predict_proba"]), None],
    }

    @abstractmethod
    def _default(self) -> Any:
        """Return the classifier that None means."""

    @abstractmethod
    def _features(self, maps: Stack) -> NDArray[Any]:
        """Return the features (n, d) of the maps."""

    def _learn_features(self, maps: Stack) -> None:
        """Fit what the features depend on."""

    def fit(self, P: Any, y: LabelsLike) -> Self:
        """Fit the classifier on maps and labels.

        Parameters
        ----------
        P : ndarray of shape (n, k, h, w) or list of n ndarray of shape (k, h, w)
            Probabilities of the k foreground classes.
        y : array-like of shape (n,) or (n, n_classes)
            Labels, or a 0/1 indicator; -1 where unlabeled.

        Returns
        -------
        self
            The fitted summarizer.
        """
        self._validate_params()
        maps, labels, labeled = self._take_in(P, y)
        self._learn_features(maps)
        classifier = self._default() if self.classifier is None else clone(self.classifier)
        if labels.multilabel:
            classifier = OneVsRestClassifier(classifier)
        self.classifier_ = classifier.fit(self._features(maps)[labeled], labels.encoded[labeled])
        return self

    def predict_proba(self, P: Any) -> NDArray[np.float64]:
        """Return the probability of each class (n, n_classes); for an indicator, of each label.

        Parameters
        ----------
        P : ndarray of shape (n, k, h, w) or list of n ndarray of shape (k, h, w)
            Probabilities of the k foreground classes.
        """
        check_is_fitted(self, "classes_")
        maps = check_maps(P, n_channels=self.n_channels_)
        # Sums in float32 would depend on the number of maps.
        return self.classifier_.predict_proba(self._features(maps).astype(np.float64))

    def as_module(self) -> nn.Module:
        """Return features and classifier as a torch module; see `segclf.export`.

        Raises
        ------
        TypeError
            If one of them cannot be a torch module.
        """
        check_is_fitted(self, "classes_")
        return _FeatureModule(self._feature_module(), as_module(self.classifier_))

    def _feature_module(self) -> nn.Module:
        """Return a module that computes features (n, d) of maps (n, k, h, w)."""
        return refuse(self, "torch cannot compute its features")

    def predict(self, P: Any) -> NDArray[Any]:
        """Return the most probable label of each map, or an indicator (n, n_classes).

        Parameters
        ----------
        P : ndarray of shape (n, k, h, w) or list of n ndarray of shape (k, h, w)
            Probabilities of the k foreground classes.
        """
        return self._decide(self.predict_proba(P))


class _FeatureModule(nn.Module):
    """A classifier of features."""

    def __init__(self, features: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.features, self.classifier = features, classifier

    def forward(self, maps: Tensor, inside: Tensor | None = None) -> Tensor:
        """Return probabilities (n, n_classes) of maps (n, k, h, w)."""
        proba: Tensor = self.classifier(self.features(maps).double())
        return proba
