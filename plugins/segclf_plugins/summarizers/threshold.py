"""The rule-based summarizer: an image is positive if enough of its mask is.

Nothing is learned. A pixel counts if its probability reaches `threshold`, and an image is positive
if at least `min_area` pixels count. The score is the mean probability of the pixels that decided
the label, so operating points can be compared (AUROC).

Hooper et al., "Segmentation for classification" (S4C), appendix A2.1, Algorithms 1 and 2.
"""

from collections.abc import Sequence
from functools import partial
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

from segclf.axes import (
    N_SPATIAL,
    N_SPATIAL_OF_VOLUMES,
    are_maps,
    are_volumetric,
    as_planes,
    is_indicator,
)
from segclf.base import Estimator
from segclf.data import LabelsLike
from segclf_plugins.summarizers.decision import MIN_AREA, POOLINGS, decide
from segclf_plugins.summarizers.expected_area import expected_areas, shared_by_area
from segclf_plugins.summarizers.least_area import (
    check_areas,
    least_areas,
    least_pixels,
    warn_if_large,
)
from segclf_plugins.summarizers.threshold_module import ThresholdModule

__all__ = ["ThresholdSummarizer"]

# Keeps scores on the side of one half that agrees with the label, also normalized and as float32.
_MARGIN = 1e-6


class ThresholdSummarizer(ClassifierMixin, Estimator):
    """Label an image by the area of its predicted mask (S4C, Algorithms 1 and 2).

    Parameters
    ----------
    threshold : float, default=0.5
        The probability at or above which a pixel counts, in (0, 1): the paper's t.
    min_area : float, int or "auto", default="auto"
        The least number of such pixels in a positive image, the paper's tau: a float in (0, 1) is a
        fraction of the image, an int is pixels. The paper uses 100 pixels at 224 x 224, which is
        ``100 / 224**2``. "auto" uses, for each channel, the 5 % quantile of the areas of its
        findings in the training masks, but at most the paper's area and at least one pixel; without
        such masks, the paper's area. For volumes, pixels are voxels and fractions are of the
        volume.
    spacing : tuple of float or None, default=None
        Size of a pixel along each spatial axis (slices, rows, columns), for example in millimeters.
        If `min_area` is a number, it is then an area or volume in that unit, such as mm3.
    pooling : {"mean", "rank", "top_mean", "max"}, default="mean"
        How the score is computed from the pixels:

        - ``"mean"``: Algorithm 2, the mean of the pixels that reach `threshold` for a positive
          image, and of all others for a negative one.
        - ``"rank"``: the `min_area`-th highest pixel, which reaches `threshold` exactly if
          Algorithm 1 predicts positive.
        - ``"top_mean"``: the mean of the `min_area` highest pixels. Here the score decides the
          label, a softer rule than Algorithm 1: fewer pixels suffice if they are more probable.
        - ``"max"``: the highest pixel, clipped below `threshold` for a negative image.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels. If there is one more than mask channels, the first is the negative class.
        Channel numbers if `multilabel_`.
    multilabel_ : bool
        Whether it was fitted with an indicator matrix.
    n_channels_ : int
        The number of channels of the masks.
    min_area_ : ndarray of shape (n_channels_,)
        The area of each channel: fractions of the image, or pixels if integers.

    Notes
    -----
    `predict_proba` returns scores. They order images and agree with `predict`, but they are means
    of pixels, not frequencies of positive images.
    ``SegmentationClassifier(calibrate="sigmoid")`` converts them to probabilities.

    If several findings of an image reach their area and classes are exclusive, the label is the one
    of the greatest expected area, which is the sum of its probabilities over the pixels that reach
    `threshold`: 3,600 pixels at .93 count more than 36 at .97. It gets the highest score of these
    findings, and each other finding a part of it in proportion to its expected area.

    Scores of positive images reach `threshold` and those of negative images do not, regardless of
    rounding. The paper does not cover one case, a negative image without a pixel below `threshold`
    (all of 8 x 8 at .9, against 100 pixels): its score is the largest number below `threshold`. An
    image with fewer than `min_area` pixels is always negative.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf_plugins.summarizers import ThresholdSummarizer
    >>> P = np.zeros((2, 1, 224, 224), dtype=np.float32)
    >>> P[0, 0, :9, :11] = 0.9  # 99 pixels
    >>> P[1, 0, :10, :10] = 0.9
    >>> summarizer = ThresholdSummarizer(pooling="mean").fit(P, [0, 1])
    >>> summarizer.predict(P)
    array([0, 1])
    >>> summarizer.predict_proba(P)[:, 1].round(6)
    array([0. , 0.9])
    """

    threshold: float = 0.5
    min_area: Any = "auto"
    pooling: str = "top_mean"
    spacing: Any = None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "threshold": [Interval(Real, 0, 1, closed="neither")],
        "min_area": [
            Interval(Real, 0, None, closed="neither"),
            StrOptions({"auto"}),
        ],
        "spacing": ["array-like", None],
        "pooling": [StrOptions(set(POOLINGS))],
    }

    def fit(self, P: Any, y: LabelsLike, areas: ArrayLike | None = None) -> Self:
        """Store labels, channels and the areas of findings; nothing else is learned.

        Parameters
        ----------
        P : ndarray of shape (n, k, h, w) or list of n ndarray of shape (k, h, w)
            Probabilities in [0, 1] of the k foreground classes.
        y : array-like of shape (n,) or (n, k)
            Labels with every class present (-1 where unlabeled), or a 0/1 indicator. With k + 1
            classes the first is negative and channel j belongs to class j + 1; with k classes
            channel j belongs to class j.
        areas : array-like of shape (m, k), optional
            Fraction of the labeled pixels that each finding covers in the masks of the m training
            images, which may be more than those of `P`; 0 if it is absent, NaN without a mask. Used
            for ``min_area="auto"``. For other values there is a warning if more than 5 % of the
            findings are smaller.

        Returns
        -------
        ThresholdSummarizer
            Itself.

        Raises
        ------
        ValueError
            If the classes or `areas` do not fit the channels, or `P` does not hold probabilities.
        """
        self._validate_params()
        check_consistent_length(P, y)
        stacks = _as_stacks(P)
        n_channels = stacks[0].shape[1]
        self._decide(stacks, np.full(n_channels, MIN_AREA))  # only to check P
        areas = check_areas(areas, n_channels)
        self._auto_area = least_areas(areas)
        if self.min_area != "auto":
            n_spatial = N_SPATIAL_OF_VOLUMES if are_volumetric(P) else N_SPATIAL
            area = least_pixels(self.min_area, self.spacing, n_spatial)
            warn_if_large(area, areas, max(stack[0, 0].size for stack in stacks))
        self.multilabel_ = is_indicator(y) and np.shape(y)[1] > 1
        self.classes_ = np.arange(np.shape(y)[1]) if self.multilabel_ else _labeled_classes(y)
        self.n_channels_ = n_channels
        if len(self.classes_) - n_channels not in ((0,) if self.multilabel_ else (0, 1)):
            expected = n_channels if self.multilabel_ else f"{n_channels} or {n_channels + 1}"
            raise ValueError(
                f"The masks have {n_channels} channel(s), so y should have {expected} classes; "
                f"it has {len(self.classes_)}: {self.classes_}."
            )
        return self

    @property
    def min_area_(self) -> NDArray[Any]:
        """The area of each channel."""
        check_is_fitted(self, "classes_")
        if self.min_area == "auto":
            return self._auto_area
        return np.full(self.n_channels_, least_pixels(self.min_area, self.spacing))

    def predict_proba(self, P: Any) -> NDArray[np.float64]:
        """Return the scores, rescaled so that `threshold` becomes one half.

        Parameters
        ----------
        P : ndarray of shape (n, k, h, w) or list of n ndarray of shape (k, h, w)
            Probabilities in [0, 1] of the k foreground classes.

        Returns
        -------
        ndarray of shape (n, n_classes)
            With two classes and one channel, column 1 is the score (Algorithm 2's up to 1e-6, for
            a `threshold` of one half). Rows sum to 1, except for an indicator, whose columns are
            independent.
        """
        check_is_fitted(self, "classes_")
        self._validate_params()
        stacks = _as_stacks(P)
        if stacks[0].shape[1] != self.n_channels_:
            given = stacks[0].shape[1]
            raise ValueError(f"Fitted on masks of {self.n_channels_} channel(s), got {given}.")
        labels, scores = self._decide(stacks, self.min_area_)
        proba = _centered(scores, self.threshold)
        proba = np.where(labels, np.maximum(proba, 0.5 + _MARGIN), np.minimum(proba, 0.5 - _MARGIN))
        if self.multilabel_:
            return proba
        if (labels.sum(axis=1) > 1).any():
            areas = np.concatenate([expected_areas(each, self.threshold) for each in stacks])
            proba = shared_by_area(proba, labels, areas)
        if len(self.classes_) > self.n_channels_:
            proba = np.column_stack([1 - proba.max(axis=1), proba])
        total = proba.sum(axis=1, keepdims=True)
        nothing = np.full_like(proba, 1 / len(self.classes_))
        return np.divide(proba, total, out=nothing, where=total > 0)

    def predict(self, P: Any) -> NDArray[Any]:
        """Return the label of each image.

        Parameters
        ----------
        P : ndarray of shape (n, k, h, w) or list of n ndarray of shape (k, h, w)
            Probabilities in [0, 1] of the k foreground classes.

        Returns
        -------
        ndarray of shape (n,) or (n, k)
            The class whose mask is positive by Algorithm 1. If there are several, the one of the
            greatest expected area; if there is none, the first class. Or an indicator, if fitted
            with one.
        """
        proba = self.predict_proba(P)
        if self.multilabel_:
            return (proba >= 0.5).astype(np.int64)
        return self.classes_[proba.argmax(axis=1)]

    def as_module(self) -> ThresholdModule:
        """Return the rule as a torch module; see `segclf.export`."""
        check_is_fitted(self, "classes_")
        return ThresholdModule(self, margin=_MARGIN)

    def _decide(
        self, stacks: list[NDArray[Any]], min_area: NDArray[Any]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Label and score every channel of every image, (n, k) each."""

        def one(first: int, stack: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
            channels = zip(stack.swapaxes(0, 1), min_area, strict=True)
            rule = partial(decide, threshold=self.threshold, pooling=self.pooling, first=first)
            labels, scores = zip(*(rule(each, min_area=a) for each, a in channels), strict=True)
            return np.column_stack(labels), np.column_stack(scores)

        labels, scores = zip(*(one(*each) for each in enumerate(stacks)), strict=True)
        return np.concatenate(labels), np.concatenate(scores)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False  # masks are only checked, so a few of them suffice
        tags.classifier_tags.multi_label = True
        tags.input_tags.two_d_array = False
        return tags


def _as_stacks(P: Any) -> list[NDArray[Any]]:
    """Check the shape of masks, and return them as arrays (m, k, h, w), each of one size.

    Masks of volumes become (m, k, d * h, w), since the position of a voxel does not matter.
    """
    stacks = [np.asarray(p)[None] for p in P] if isinstance(P, Sequence) else [np.asarray(P)]
    for sample, stack in enumerate(stacks):
        if not are_maps(stack) or stack.shape[1] != stacks[0].shape[1]:
            raise ValueError(
                "P should be an array (n, k, h, w) or a list of arrays (k, h, w) with equal k; "
                f"got shape {stack.shape[-3:]} at sample {sample}, {stacks[0].shape} first."
            )
    return [as_planes(stack) for stack in stacks]


def _centered(scores: NDArray[np.float64], threshold: float) -> NDArray[np.float64]:
    """Stretch [0, threshold] to [0, .5] and [threshold, 1] to [.5, 1]."""
    below = scores / (2 * threshold)
    above = 0.5 + (scores - threshold) / (2 * (1 - threshold))
    return np.clip(np.where(scores < threshold, below, above), 0.0, 1.0)


def _labeled_classes(y: ArrayLike) -> NDArray[Any]:
    """Return the sorted labels, without -1."""
    labels = column_or_1d(y, warn=True)
    check_classification_targets(labels)
    return np.unique(labels[labels != -1] if labels.dtype.kind in "iuf" else labels)
