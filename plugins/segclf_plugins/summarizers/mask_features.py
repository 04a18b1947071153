"""Measurements of masks, like those of a radiologist, for any scikit-learn classifier.

They measure size, number, probability, place and shape of findings. They are not in the S4C paper,
whose learned summarizers read the mask itself (section 3.2).
"""

from numbers import Real
from typing import Any, ClassVar, Self

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from sklearn.base import TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted
from torch import nn

from segclf.axes import are_volumetric
from segclf.base import Estimator
from segclf.export import refuse
from segclf_plugins.summarizers.feature_summarizer import FeatureSummarizer
from segclf_plugins.summarizers.maps import Stack, check_maps

__all__ = ["MaskFeatures", "MaskFeaturesSummarizer"]

_PROBABILITY = [Interval(Real, 0, 1, closed="neither")]
_NAMES = (
    "area",
    "largest_area",
    "n_regions",
    "mean",
    "max",
    "row",
    "column",
    "eccentricity",
    "extent",
)
_NAMES_OF_VOLUMES = (*_NAMES[:5], "slice", *_NAMES[5:])


class MaskFeatures(TransformerMixin, Estimator):
    """Compute nine features of each class's mask.

    ========================  ======================================================================
    ``area``                  share of the pixels that reach `threshold`
    ``largest_area``          share of the pixels in the largest region of them (8-connected)
    ``n_regions``             number of regions
    ``mean``, ``max``         of the probabilities
    ``row``, ``column``       center of the pixels that reach `threshold`, from 0 to 1
    ``eccentricity``          of the largest region: 0 for a circle, near 1 for a line
    ``extent``                of the largest region: its share of its bounding box
    ========================  ======================================================================

    For an empty mask all are 0 except the probabilities and the center, which is that of the image.
    For volumes there are ten, with ``slice`` before ``row``; regions are 26-connected, and
    ``eccentricity`` compares the longest and the shortest axis.

    Parameters
    ----------
    threshold : float, default=0.5
        The probability at or above which a pixel counts, in (0, 1).

    Attributes
    ----------
    n_channels_ : int
        The number of channels of the maps.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf_plugins.summarizers import MaskFeatures
    >>> P = np.zeros((1, 1, 8, 8))
    >>> P[0, 0, 2:4, 1:5] = 0.75
    >>> features = MaskFeatures().fit(P)
    >>> dict(zip(features.get_feature_names_out(["nodule"]), features.transform(P)[0].tolist()))
    ... # doctest: +NORMALIZE_WHITESPACE
    {'nodule_area': 0.125, 'nodule_largest_area': 0.125, 'nodule_n_regions': 1.0,
     'nodule_mean': 0.09375, 'nodule_max': 0.75, 'nodule_row': 0.375, 'nodule_column': 0.375,
     'nodule_eccentricity': 0.8944271909999159, 'nodule_extent': 1.0}
    """

    threshold: float = 0.5

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {"threshold": _PROBABILITY}

    def fit(self, P: Any, y: Any = None) -> Self:
        """Store the number of channels.

        Parameters
        ----------
        P : ndarray of shape (n, k, h, w) or list of n ndarray of shape (k, h, w)
            Probabilities of the k foreground classes.
        y : ignored
            Present for pipelines.

        Returns
        -------
        self
            The transformer.
        """
        self._validate_params()
        maps = check_maps(P)
        self.n_channels_ = len(maps[0])
        self._names = _NAMES_OF_VOLUMES if are_volumetric(maps) else _NAMES
        return self

    def transform(self, P: Any) -> NDArray[np.float64]:
        """Measure the masks.

        Parameters
        ----------
        P : ndarray of shape (n, k, h, w) or list of n ndarray of shape (k, h, w)
            Probabilities of the k foreground classes.

        Returns
        -------
        ndarray of shape (n, 9 * k), for volumes (n, 10 * k)
            The features, channel by channel.
        """
        check_is_fitted(self, "n_channels_")
        self._validate_params()
        maps = check_maps(P, n_channels=self.n_channels_)
        measure = _measured_in_volume if are_volumetric(maps) else _measured
        rows = [[measure(mask, float(self.threshold)) for mask in p] for p in maps]
        return np.array(rows, dtype=np.float64).reshape(len(maps), -1)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[Any]:
        """Name the columns.

        Parameters
        ----------
        input_features : array-like of str of shape (k,), optional
            Names of the channels; "mask0", "mask1", ... by default.

        Returns
        -------
        ndarray of str of shape (9 * k,), for volumes (10 * k,)
            ``"mask0_area"`` and so on.
        """
        check_is_fitted(self, "n_channels_")
        default = [f"mask{channel}" for channel in range(self.n_channels_)]
        channels = default if input_features is None else list(np.asarray(input_features))
        if len(channels) != self.n_channels_:
            raise ValueError(
                f"input_features has {len(channels)} names; the maps have {self.n_channels_} "
                "channels."
            )
        return np.array([f"{c}_{name}" for c in channels for name in self._names], dtype=object)

    def __sklearn_tags__(self) -> Tags:
        """Return the tags: maps are read, not rows."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        return tags


class MaskFeaturesSummarizer(FeatureSummarizer):
    """Classify images by measurements of their masks, with a scikit-learn classifier.

    Parameters
    ----------
    classifier : classifier or None
        Any scikit-learn classifier, for the features of :class:`MaskFeatures`. None is logistic
        regression on standardized features.
    threshold : float, default=0.5
        As for :class:`MaskFeatures`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from segclf_plugins.summarizers import MaskFeaturesSummarizer
    >>> P = np.zeros((4, 1, 10, 10))
    >>> P[2:, 0, :2] = 0.9
    >>> summarizer = MaskFeaturesSummarizer(classifier=DecisionTreeClassifier(random_state=0))
    >>> summarizer.fit(P, ["no", "no", "yes", "yes"]).predict(P)
    array(['no', 'no', 'yes', 'yes'], dtype='<U3')
    """

    threshold: float = 0.5

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "threshold": _PROBABILITY,
    }

    def _default(self) -> Any:
        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))

    def _feature_module(self) -> nn.Module:
        return refuse(self, "it measures connected components, which a graph cannot compute")

    def _features(self, maps: Stack) -> NDArray[np.float64]:
        return MaskFeatures(threshold=self.threshold).fit(maps).transform(maps)


def _measured(mask: NDArray[Any], threshold: float) -> tuple[float, ...]:
    """Return the features of `_NAMES` for one mask (h, w)."""
    positive = (mask >= threshold).astype(np.uint8)
    mean, highest = float(mask.mean(dtype=np.float64)), float(mask.max())
    count, labels, stats, _ = cv2.connectedComponentsWithStats(positive, connectivity=8)
    if count == 1:  # only background
        return 0.0, 0.0, 0.0, mean, highest, 0.5, 0.5, 0.0, 0.0
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    area = int(stats[largest, cv2.CC_STAT_AREA])
    box = int(stats[largest, cv2.CC_STAT_WIDTH]) * int(stats[largest, cv2.CC_STAT_HEIGHT])
    rows, columns = np.nonzero(positive)
    center = [(i.mean() + 0.5) / side for i, side in zip((rows, columns), mask.shape, strict=True)]
    share = len(rows) / mask.size
    shape = _eccentricity((labels == largest).astype(np.uint8)), area / box
    return share, area / mask.size, count - 1, mean, highest, *center, *shape


def _measured_in_volume(mask: NDArray[Any], threshold: float) -> tuple[float, ...]:
    """Return the features of `_NAMES_OF_VOLUMES` for one mask (d, h, w)."""
    positive = mask >= threshold
    mean, highest = float(mask.mean(dtype=np.float64)), float(mask.max())
    labels, count = ndimage.label(positive, structure=np.ones((3, 3, 3)))
    if count == 0:
        return 0.0, 0.0, 0.0, mean, highest, 0.5, 0.5, 0.5, 0.0, 0.0
    sizes = np.bincount(labels.ravel())[1:]
    largest, area = 1 + int(sizes.argmax()), int(sizes.max())
    box = ndimage.find_objects(labels)[largest - 1]
    region = labels[box] == largest
    voxels = [np.count_nonzero(positive, axis=axes) for axes in ((1, 2), (0, 2), (0, 1))]
    center = [(each @ np.arange(len(each)) / each.sum() + 0.5) / len(each) for each in voxels]
    shape = _eccentricity_in_volume(region), area / region.size
    return sizes.sum() / mask.size, area / mask.size, count, mean, highest, *center, *shape


def _eccentricity_in_volume(region: NDArray[np.bool_]) -> float:
    """Return the eccentricity of longest and shortest axis, for the ellipsoid of equal moments."""
    spread = np.linalg.eigvalsh(np.cov(np.argwhere(region).T, bias=True))
    shortest, longest = max(float(spread[0]), 0.0), float(spread[-1])
    return float(np.sqrt(1 - shortest / longest)) if longest > 0 else 0.0


def _eccentricity(region: NDArray[np.uint8]) -> float:
    """Return the eccentricity of the ellipse of equal second moments; 0 for a single pixel."""
    moments = cv2.moments(region, binaryImage=True)
    half = (moments["mu20"] + moments["mu02"]) / 2
    apart = np.hypot((moments["mu20"] - moments["mu02"]) / 2, moments["mu11"])
    return float(np.sqrt(2 * apart / (half + apart))) if half + apart > 0 else 0.0
