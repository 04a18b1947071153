"""Base classes of summarizers that are fitted on maps and labels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Tags

from segclf.base import Classifier, Estimator, check_labels
from segclf.data import LabelsLike
from segclf_plugins.summarizers.maps import Stack, check_maps

__all__ = ["MapClassifier", "MapTags"]


class MapTags(BaseEstimator):
    """Scikit-learn tags of a summarizer that is fitted on maps and supports multi-label data."""

    def __sklearn_tags__(self) -> Tags:
        """Return the tags: maps are read, not rows."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.input_tags.two_d_array = False
        return tags


class MapClassifier(MapTags, Classifier, Estimator):
    """A classifier of maps.

    Attributes
    ----------
    n_channels_ : int
        The number of channels of the maps.
    """

    def _take_in(self, P: Any, y: LabelsLike) -> tuple[Stack, Any, NDArray[np.bool_]]:
        """Check maps and labels; return maps, ``Labels``, and whether each map is labeled."""
        maps = check_maps(P)
        labels = check_labels(y, len(maps))
        self.n_channels_ = len(maps[0])
        self.classes_, self._multilabel = labels.classes, labels.multilabel
        labeled = np.asarray((labels.encoded.reshape(len(maps), -1) >= 0).all(axis=1))
        return maps, labels, labeled
