"""Combine mask scores and encoder features inside the masks in one linear model.

The score of a mask uses only its highest pixels. The encoder's features at the predicted place help
to distinguish true findings from false ones. The rest of the image is not used, so a mark in the
corner, which may mislead a classifier of whole images, has no influence.
"""

from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, logit, softmax
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from segclf.axes import as_planes
from segclf.data import LabelsLike
from segclf_plugins.summarizers.decision import decide
from segclf_plugins.summarizers.least_area import check_areas, least_areas
from segclf_plugins.summarizers.map_classifier import MapClassifier
from segclf_plugins.summarizers.maps import Stack, check_maps
from segclf_plugins.summarizers.threshold_module import Decision

__all__ = ["JointSummarizer"]

_N_FOLDS = 5
# Lower bounds of a probability, and of a standard deviation.
_LEAST = 1e-6
# So fine that differences in the last bits, such as from memory alignment, stay small.
_TOLERANCE = 1e-10
# Tolerance of the objective in a line search; rounding hides much smaller differences.
_SMALLEST_SLOPE = 1e-8
_SCALES = 0.1, 1e3

# Weights (d, c) and biases (c,).
Line = tuple[NDArray[np.float64], NDArray[np.float64]]


class JointSummarizer(MapClassifier):
    """Classify images by the score of each mask and the encoder's features inside it.

    This is logistic regression on the log-odds of the mean of each mask's highest pixels, and on
    the encoder's maps averaged over the predicted findings, which `segclf.SegmentationClassifier`
    passes. A sigmoid, fitted to out-of-fold predictions, makes the outputs probabilities.

    Parameters
    ----------
    C : float
        Inverse strength of the penalty on the weights, as in ``LogisticRegression``, for features
        scaled to a standard deviation of 1.
    score_weight : float
        Standard deviation that scores are scaled to, compared with 1 for each feature: the larger
        it is, the smaller is the influence of the features.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        The labels; for multi-label data, channel numbers.
    n_channels_ : int
        The number of channels of the maps.
    min_area_ : array of shape (n_channels_,)
        Share of the image that the highest pixels of each channel make up, chosen as in
        `ThresholdSummarizer`.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf_plugins.summarizers import JointSummarizer
    >>> P = np.full((8, 1, 10, 10), 0.1)
    >>> P[4:, 0, :2] = 0.9
    >>> JointSummarizer().fit(P, 4 * ["no"] + 4 * ["yes"]).predict(P[3:5])
    array(['no', 'yes'], dtype='<U3')
    """

    C: float = 1e-3
    score_weight: float = 5.0

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "C": [Interval(Real, 0, None, closed="neither")],
        "score_weight": [Interval(Real, 0, None, closed="neither")],
    }

    def fit(
        self,
        P: Any,
        y: LabelsLike,
        areas: ArrayLike | None = None,
        inside: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Fit the weights of scores and features.

        Parameters
        ----------
        P : array (n, k, h, w), or list of n arrays (k, h, w)
            Probabilities of the k findings.
        y : array-like of shape (n,) or (n, n_classes)
            Labels, or a 0/1 indicator; -1 where unlabeled.
        areas : array-like of shape (n, k), optional
            Fraction of the labeled pixels that each finding covers in the training masks; 0 if it
            is absent, NaN without a mask.
        inside : array-like of shape (n, d), optional
            The encoder's features inside the predicted findings. Without them only scores are
            used.
        sample_weight : array-like of shape (n,), optional
            Weight of each image.

        Returns
        -------
        self
            The fitted summarizer.
        """
        self._validate_params()
        maps, labels, labeled = self._take_in(P, y)
        self.min_area_ = least_areas(check_areas(areas, self.n_channels_))
        self._n_inside = 0 if inside is None else np.shape(inside)[1]
        features = self._features(maps, inside)[labeled]
        self._mean, self._deviation = features.mean(axis=0), features.std(axis=0) + _LEAST
        target = labels.encoded[labeled]
        columns = list(target.T) if labels.multilabel else [target]
        rows = self._standardized(features)
        n_classes = 2 if labels.multilabel else len(labels.classes)
        model = LogisticRegression(C=self.C, tol=_SMALLEST_SLOPE, max_iter=1000)
        weight = np.ones(len(maps)) if sample_weight is None else np.asarray(sample_weight)
        weight = weight[labeled] / weight[labeled].mean()
        self._lines = [_fitted(model, rows, column, n_classes, weight) for column in columns]
        return self

    def predict_proba(self, P: Any, inside: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return the probability of each class (n, n_classes); for an indicator, of each label.

        Parameters
        ----------
        P : array (n, k, h, w), or list of n arrays (k, h, w)
            Probabilities of the k findings.
        inside : array-like of shape (n, d), optional
            As in `fit`.
        """
        check_is_fitted(self, "classes_")
        maps = check_maps(P, n_channels=self.n_channels_)
        rows = self._standardized(self._features(maps, inside))
        answers = [rows @ weights + bias for weights, bias in self._lines]
        if self._multilabel:
            return expit(np.column_stack([each[:, 1] - each[:, 0] for each in answers]))
        return np.asarray(softmax(answers[0], axis=1))

    def predict(self, P: Any, inside: ArrayLike | None = None) -> NDArray[Any]:
        """Return the most probable label of each map, or an indicator (n, n_classes).

        Parameters
        ----------
        P : array (n, k, h, w), or list of n arrays (k, h, w)
            Probabilities of the k findings.
        inside : array-like of shape (n, d), optional
            As in `fit`.
        """
        return self._decide(self.predict_proba(P, inside))

    def as_module(self) -> nn.Module:
        """Return the summarizer as a torch module; see `segclf.export`."""
        check_is_fitted(self, "classes_")
        return _JointModule(self)

    def _features(self, maps: Stack, inside: ArrayLike | None) -> NDArray[np.float64]:
        """Return the log-odds of the scores with the features, (n, k + d)."""
        scores = np.array([self._scores(p) for p in as_planes(maps)]).reshape(len(maps), -1)
        odds = logit(np.clip(scores, _LEAST, 1 - _LEAST))
        given = np.empty((len(maps), 0)) if inside is None else np.asarray(inside, np.float64)
        if given.shape != (len(maps), self._n_inside):
            raise ValueError(
                f"inside has shape {given.shape}; expected ({len(maps)}, {self._n_inside}), as "
                "in fit."
            )
        return np.concatenate([odds, given], axis=1)

    def _scores(self, p: NDArray[Any]) -> list[float]:
        areas = self.min_area_.tolist()
        return [float(decide(m, 0.5, a, "top_mean")[1]) for m, a in zip(p, areas, strict=True)]

    def _standardized(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        rows = (features - self._mean) / self._deviation
        rows[:, : self.n_channels_] *= self.score_weight
        return rows


class _JointModule(nn.Module):
    """Computes the same as `JointSummarizer.predict_proba`."""

    mean: Tensor
    scale: Tensor

    def __init__(self, fitted: JointSummarizer) -> None:
        super().__init__()
        self.decision = Decision(0.5, fitted.min_area_, "top_mean")
        self.multilabel = fitted._multilabel
        scale = np.ones_like(fitted._mean)
        scale[: fitted.n_channels_] = fitted.score_weight
        arrays = {"mean": fitted._mean, "scale": scale / fitted._deviation}
        for number, (weights, bias) in enumerate(fitted._lines):
            arrays |= {f"weights{number}": weights, f"bias{number}": bias}
        self.n_lines = len(fitted._lines)
        for name, values in arrays.items():
            self.register_buffer(name, torch.as_tensor(values, dtype=torch.float64))

    def forward(self, maps: Tensor, inside: Tensor | None = None) -> Tensor:
        odds = torch.logit(self.decision(maps)[1], eps=_LEAST)
        features = odds if inside is None else torch.cat([odds, inside.double()], dim=1)
        rows = (features - self.mean) * self.scale
        answers = [
            rows @ getattr(self, f"weights{n}") + getattr(self, f"bias{n}")
            for n in range(self.n_lines)
        ]
        if self.multilabel:
            return torch.sigmoid(torch.stack([each[:, 1] - each[:, 0] for each in answers], dim=1))
        return torch.softmax(answers[0], dim=1)


def _fitted(
    model: LogisticRegression,
    rows: NDArray[np.float64],
    target: NDArray[np.int64],
    n_classes: int,
    weight: NDArray[np.float64],
) -> Line:
    """Return weights and biases of the log-probabilities of all classes, up to a constant.

    A class that no image shows gets a probability near 0.
    """
    classes, counts = np.unique(target, return_counts=True)
    weights, bias = np.zeros((rows.shape[1], n_classes)), np.full(n_classes, np.log(_LEAST))
    bias[classes] = 0.0
    if len(classes) > 1:
        weights[:, classes], bias[classes] = _line(model.fit(rows, target, weight))
        scale, shift = _unshrunk(model, rows, np.searchsorted(classes, target), counts, weight)
        weights, bias = scale * weights, scale * bias
        bias[classes] += shift
    return weights, bias


def _line(model: LogisticRegression) -> Line:
    """Return weights (d, c) and biases (c,); for two classes, those of the first are 0."""
    if len(model.classes_) > 2:
        return model.coef_.T, model.intercept_
    weights = np.hstack([np.zeros_like(model.coef_.T), model.coef_.T])
    return weights, np.array([0.0, model.intercept_[0]])


def _unshrunk(
    model: LogisticRegression,
    rows: NDArray[np.float64],
    target: NDArray[np.int64],
    counts: NDArray[np.int64],
    weight: NDArray[np.float64],
) -> tuple[float, NDArray[np.float64]]:
    """Fit the scale and shifts that undo the penalty, on out-of-fold predictions (Platt, 1999)."""
    n_folds = min(_N_FOLDS, int(counts.min()))
    if n_folds < 2:
        return 1.0, np.zeros(len(counts))
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=0)
    answers = np.zeros((len(rows), len(counts)))
    for train, test in folds.split(rows, target):
        weights, bias = _line(clone(model).fit(rows[train], target[train], weight[train]))
        answers[test] = rows[test] @ weights + bias
    # Platt's targets are never exactly 0 or 1, so the scale stays finite.
    doubt = 1 / (counts[target] + 2)
    wanted = np.repeat(doubt[:, None] / (len(counts) - 1), len(counts), axis=1)
    wanted[np.arange(len(rows)), target] = 1 - doubt

    def cross_entropy(p: NDArray[np.float64]) -> float:
        log_proba = log_softmax(np.exp(p[0]) * answers + p[1:], axis=1)
        return -float((weight[:, None] * wanted * log_proba).mean())

    # The scale is bounded: scores keep their order, and no prediction is certain.
    bounds = [np.log(_SCALES), *[(None, None)] * len(counts)]
    start = np.zeros(1 + len(counts))
    found = minimize(cross_entropy, start, method="L-BFGS-B", bounds=bounds, tol=_TOLERANCE).x
    return float(np.exp(found[0])), found[1:]
