"""From mask to label by area: logistic regression on the area of each class."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from segclf.base import Estimator

__all__ = ["AreaLogisticSummarizer"]


class AreaLogisticSummarizer(ClassifierMixin, Estimator):
    """Learn the label from the area of each class.

    The features are the logarithms of the expected area of each class, the mean of its
    probabilities, so an additional pixel matters more in a small area.

    Parameters
    ----------
    C : float
        Inverse strength of the regularization.
    smallest : float
        The share of the image below which all areas count as equal.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    regression_ : LogisticRegression
        The fitted regression on the areas.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf_example.area_logistic import AreaLogisticSummarizer
    >>> P = np.zeros((4, 1, 10, 10))
    >>> P[2:, 0, :2] = 0.9
    >>> AreaLogisticSummarizer().fit(P, ["no", "no", "yes", "yes"]).predict(P)
    array(['no', 'no', 'yes', 'yes'], dtype='<U3')
    """

    C: float = 100.0
    smallest: float = 1e-4

    def fit(self, P: Any, y: ArrayLike) -> Self:
        """Fit the regression on masks and labels.

        Parameters
        ----------
        P : ndarray of shape (n, k, h, w) or list of n ndarray of shape (k, h, w)
            Probabilities of the k foreground classes.
        y : array-like of shape (n,)
            Labels.

        Returns
        -------
        AreaLogisticSummarizer
            Itself.
        """
        self.regression_ = LogisticRegression(C=self.C).fit(self._features(P), y)
        self.classes_ = self.regression_.classes_
        return self

    def predict_proba(self, P: Any) -> NDArray[np.float64]:
        """Return the probability of each class, (n, n_classes)."""
        check_is_fitted(self)
        return self.regression_.predict_proba(self._features(P))

    def predict(self, P: Any) -> NDArray[Any]:
        """Return the most probable class, (n,)."""
        probabilities = self.predict_proba(P)
        return self.classes_[probabilities.argmax(axis=1)]

    def _features(self, P: Any) -> NDArray[np.float64]:
        areas = np.stack([np.mean(p, axis=(-2, -1), dtype=np.float64) for p in P])
        return np.log(np.maximum(areas, self.smallest))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        return tags
