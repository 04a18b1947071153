"""A summarizer whose scores become probabilities, learned from maps that its segmenter predicted.

Platt, "Probabilistic outputs for support vector machines", 1999; Zadrozny and Elkan, "Transforming
classifier scores into accurate multiclass probability estimates", KDD 2002 (isotonic, and one
class against the rest, normalized).
"""

from dataclasses import field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, clone
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import check_cv
from sklearn.utils import Tags, _safe_indexing, get_tags
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from segclf.axes import is_indicator
from segclf.base.estimator import Estimator

N_FOLDS = 5
# Added to both sides of the odds, so that those of 0 and 1 are finite; the order does not change.
LEAST = 1e-4


class CalibratedSummarizer(ClassifierMixin, Estimator):
    """Summarize masks, and map the score of each class to its probability.

    `SegmentationClassifier` with ``calibrate`` wraps its summarizer in this class. Fit it on maps
    of images that the segmenter did not learn from. A summarizer that learns is calibrated on
    out-of-fold scores, from up to five folds of these maps.

    Parameters
    ----------
    estimator : classifier
        The summarizer; a clone is fitted.
    method : {"sigmoid", "isotonic"}
        "sigmoid" fits a sigmoid of the score's log-odds (Platt), which keeps the order of images.
        "isotonic" fits any increasing function, which needs more images and makes ties.

    Attributes
    ----------
    classes_ : array of shape (k,)
        The labels.
    estimator_ : classifier
        The fitted summarizer.
    calibrators_ : list of array
        For each class (only the second if there are two), the slope and intercept of the sigmoid,
        or the scores and probabilities (2, m) of the increasing function.

    Examples
    --------
    >>> from segclf.registry import make_plugin
    >>> P = np.repeat([0.2, 0.6, 0.7, 0.8], 5)[:, None, None, None] * np.ones((20, 1, 4, 4))
    >>> y = np.repeat([0, 0, 1, 1], 5)
    >>> summarizer = CalibratedSummarizer(make_plugin("summarizer", "threshold"), method="isotonic")
    >>> summarizer.fit(P, y).predict_proba(P[::5]).round(2).tolist()
    [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]
    """

    estimator: Any = field(kw_only=False)
    method: str = "sigmoid"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "method": [StrOptions({"sigmoid", "isotonic"})],
    }

    def fit(
        self,
        P: Any,
        y: ArrayLike,
        areas: ArrayLike | None = None,
        inside: ArrayLike | None = None,
    ) -> Self:
        """Fit the summarizer, then the map from its scores to probabilities.

        Parameters
        ----------
        P : array (n, k, h, w), list of n arrays (k, h, w), or rows
            Input of the summarizer.
        y : array of shape (n,) or (n, k)
            Labels, or an indicator.
        areas : array of shape (n, k), optional
            Areas of findings, for a summarizer that takes them.
        inside : array of shape (n, d), optional
            Features inside findings, for a summarizer that takes them.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            If the summarizer learns and a class has a single image.
        """
        self._validate_params()
        y = np.asarray(y)
        given = {"areas": areas, "inside": inside}.items()
        named = {n: np.asarray(v) for n, v in given if self._asks_for(n) and v is not None}
        self.estimator_ = clone(self.estimator).fit(P, y, **named)
        self.classes_ = self.estimator_.classes_
        self._multilabel = is_indicator(y) and y.shape[1] > 1
        scores = self._columns(self._held_out(P, y, named))
        truth = self._columns(y if self._multilabel else y[:, None] == self.classes_)
        fit = _fitted_sigmoid if self.method == "sigmoid" else _fitted_steps
        columns = zip(scores.T, truth.T.astype(float), strict=True)
        self.calibrators_ = [fit(*each) for each in columns]
        return self

    def predict_proba(self, P: Any, inside: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return the probability of each class, (n, k); of each label for multi-label targets."""
        check_is_fitted(self)
        scores = self._columns(_scores(self.estimator_, P, inside))
        apply = _sigmoid if self.method == "sigmoid" else _steps
        proba = np.column_stack(
            [apply(each, s) for each, s in zip(self.calibrators_, scores.T, strict=True)]
        )
        if self._multilabel:
            return proba
        if len(self.classes_) == 2:
            return np.column_stack([1 - proba, proba])
        total = proba.sum(axis=1, keepdims=True)
        nothing = np.full_like(proba, 1 / len(self.classes_))
        return np.divide(proba, total, out=nothing, where=total > 0)

    def predict(self, P: Any, inside: ArrayLike | None = None) -> NDArray[Any]:
        """Return the most probable class of each image, or an indicator of probabilities >= .5."""
        proba = self.predict_proba(P, inside)
        if self._multilabel:
            return (proba >= 0.5).astype(np.int64)
        return np.asarray(self.classes_[proba.argmax(axis=1)])

    @property
    def layer(self) -> str | None:
        """Layer of the segmenter that the summarizer reads in place of masks, if any."""
        return getattr(self.estimator, "layer", None)

    def __sklearn_tags__(self) -> Tags:
        """Return the tags, with the input tags of the summarizer."""
        tags = super().__sklearn_tags__()
        read = get_tags(self.estimator)
        tags.input_tags, tags.classifier_tags.multi_label = read.input_tags, True
        return tags

    def _asks_for(self, name: str) -> bool:
        return bool(has_fit_parameter(self.estimator, name))

    def _held_out(self, P: Any, y: NDArray[Any], named: dict[str, Any]) -> NDArray[np.float64]:
        """Score images with summarizers that did not learn from them."""
        if not get_tags(self.estimator).requires_fit:
            return _scores(self.estimator_, P, named.get("inside"))
        n_folds = N_FOLDS
        if not self._multilabel:
            n_folds = min(N_FOLDS, int(np.unique(y, return_counts=True)[1].min()))
        if n_folds < 2:
            raise ValueError(
                "Calibration needs two labeled images of each class, since "
                f"{type(self.estimator).__name__} is fitted on one to score the other; one class "
                "has a single image. Label more images, or use calibrate=None."
            )
        scores = np.empty((len(y), y.shape[1] if self._multilabel else len(self.classes_)))
        for train, test in check_cv(n_folds, y, classifier=True).split(y, y):
            seen, unseen = ({n: v[rows] for n, v in named.items()} for rows in (train, test))
            summarizer = clone(self.estimator).fit(_safe_indexing(P, train), y[train], **seen)
            scores[test] = _scores(summarizer, _safe_indexing(P, test), unseen.get("inside"))
        return scores

    def _columns(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the columns to calibrate: of two exclusive classes, only the second."""
        return values[:, 1:] if not self._multilabel and len(self.classes_) == 2 else values


def _scores(summarizer: Any, P: Any, inside: Any) -> NDArray[np.float64]:
    named = {} if inside is None else {"inside": inside}
    return np.asarray(summarizer.predict_proba(P, **named))


def _fitted_sigmoid(scores: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[Any]:
    """Fit slope and intercept to Platt's targets, which are never quite 0 or 1."""
    n, positive = len(truth), truth.sum()
    targets = np.where(truth == 1, (positive + 1) / (positive + 2), 1 / (n - positive + 2))
    fitted = LogisticRegression(C=np.inf).fit(
        np.tile(_log_odds(scores), 2)[:, None],
        np.repeat([1, 0], n),
        sample_weight=np.concatenate([targets, 1 - targets]),
    )
    return np.array([fitted.coef_[0, 0], fitted.intercept_[0]])


def _sigmoid(line: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-(line[0] * _log_odds(scores) + line[1]))))


def _log_odds(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.log(scores + LEAST) - np.log(1 - scores + LEAST)


def _fitted_steps(scores: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[Any]:
    fitted = IsotonicRegression(y_min=0, y_max=1).fit(scores, truth)
    return np.stack([fitted.X_thresholds_, fitted.y_thresholds_])


def _steps(points: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.interp(scores, *points)
