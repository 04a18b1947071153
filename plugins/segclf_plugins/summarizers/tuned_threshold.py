"""The rule-based summarizer with the probability and the area that label images best.

S4C sets both by hand (.5, and 100 pixels of 224 x 224). If a segmenter is underconfident or
predicts specks, other values are better, and they can be chosen on labeled images.

Hooper et al., "Segmentation for classification" (S4C), appendix A2.1, Algorithms 1 and 2.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from segclf.axes import as_planes
from segclf.base import Estimator
from segclf.data import LabelsLike
from segclf.metrics import best_area_rule
from segclf_plugins.summarizers.decision import POOLINGS
from segclf_plugins.summarizers.threshold import ThresholdSummarizer
from segclf_plugins.summarizers.threshold_module import ThresholdModule

__all__ = ["TunedThresholdSummarizer"]


class TunedThresholdSummarizer(ClassifierMixin, Estimator):
    """Label an image by the area of its predicted mask, by the rule of best balanced accuracy.

    All channels share one rule. A segmenter is more confident on its own training images, so a rule
    fitted on them is too strict: fit on other images, or on out-of-fold masks.

    Parameters
    ----------
    thresholds : sequence of float or None, default=None
        The probabilities to try, increasing in (0, 1). None chooses them from the values in the
        masks, so that low ones are included. All areas are tried.
    pooling : {"mean", "rank", "top_mean", "max"}, default="mean"
        As for :class:`ThresholdSummarizer`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, as in :class:`ThresholdSummarizer`.
    threshold_, min_area_ : float
        The rule.
    score_ : float
        Its balanced accuracy on the masks in `fit`.
    summarizer_ : ThresholdSummarizer
        The summarizer with that rule.

    See Also
    --------
    segclf.metrics.best_area_rule : The search.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf_plugins.summarizers import TunedThresholdSummarizer
    >>> P = np.zeros((3, 1, 8, 8), dtype=np.float32)
    >>> P[1, 0, :2] = 0.3  # a speck is not yet a finding
    >>> P[2, 0, :4] = 0.3
    >>> summarizer = TunedThresholdSummarizer().fit(P, [0, 0, 1])
    >>> round(summarizer.threshold_, 4), summarizer.min_area_, summarizer.score_
    (0.15, 0.375, 1.0)
    >>> summarizer.predict(P)
    array([0, 0, 1])
    """

    thresholds: Sequence[float] | None = None
    pooling: str = "mean"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "thresholds": ["array-like", None],
        "pooling": [StrOptions(set(POOLINGS))],
    }

    def fit(self, P: Any, y: LabelsLike) -> Self:
        """Find the rule.

        Parameters
        ----------
        P : ndarray of shape (n, k, h, w) or list of n ndarray of shape (k, h, w)
            Probabilities in [0, 1] of the k foreground classes.
        y : array-like of shape (n,) or (n, k)
            Labels (-1 where unlabeled) or an indicator, as for :class:`ThresholdSummarizer`.

        Returns
        -------
        TunedThresholdSummarizer
            Itself.

        Raises
        ------
        ValueError
            If the classes do not fit the channels, or `P` does not hold probabilities.
        """
        self._validate_params()
        plain = ThresholdSummarizer(pooling=self.pooling).fit(P, y)
        channels = [channel for maps in as_planes(P) for channel in np.asarray(maps)]
        rule = best_area_rule(_channel_labels(y, plain).ravel(), channels, grid=self.thresholds)
        self.threshold_, self.min_area_, self.score_ = rule
        self.summarizer_ = plain.set_params(threshold=rule.threshold, min_area=rule.min_area)
        self.classes_ = plain.classes_
        return self

    def predict_proba(self, P: Any) -> NDArray[np.float64]:
        """Return the scores, rescaled so that the threshold becomes one half.

        Parameters
        ----------
        P : ndarray of shape (n, k, h, w) or list of n ndarray of shape (k, h, w)
            Probabilities in [0, 1] of the k foreground classes.

        Returns
        -------
        ndarray of shape (n, n_classes)
            As of :class:`ThresholdSummarizer`.
        """
        check_is_fitted(self)
        return self.summarizer_.predict_proba(P)

    def predict(self, P: Any) -> NDArray[Any]:
        """Return the label of each image.

        Parameters
        ----------
        P : ndarray of shape (n, k, h, w) or list of n ndarray of shape (k, h, w)
            Probabilities in [0, 1] of the k foreground classes.

        Returns
        -------
        ndarray of shape (n,) or (n, k)
            As of :class:`ThresholdSummarizer`.
        """
        check_is_fitted(self)
        return self.summarizer_.predict(P)

    def as_module(self) -> ThresholdModule:
        """Return the rule as a torch module; see `segclf.export`."""
        check_is_fitted(self)
        return self.summarizer_.as_module()

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.input_tags.two_d_array = False
        return tags


def _channel_labels(y: ArrayLike, fitted: ThresholdSummarizer) -> NDArray[np.int64]:
    """Return whether each image shows the class of each channel (n, k); -1 where unlabeled."""
    y = np.asarray(y)
    if fitted.multilabel_:
        return y
    y = y.reshape(len(y), 1)
    there = (y == fitted.classes_[-fitted.n_channels_ :]).astype(np.int64)
    return np.where(y == -1, -1, there) if y.dtype.kind in "iuf" else there
