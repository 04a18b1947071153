"""Summarizers, and the scikit-learn estimators in them, as torch modules."""

from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from segclf.base import CalibratedSummarizer, NetworkClassifier
from segclf.base.calibrated_summarizer import LEAST
from segclf.export.answers import Asked, Labels

__all__ = ["as_module", "refuse"]


def as_module(estimator: Any) -> nn.Module:
    """Return a fitted summarizer, or classifier of rows, as a module for a graph.

    Parameters
    ----------
    estimator : classifier
        A summarizer that has ``as_module()`` or trains a network, or a logistic regression of
        scikit-learn, in pipelines with scalers.

    Returns
    -------
    nn.Module
        From maps (n, k, h, w) float32, or rows (n, d), to probabilities (n, n_classes) float64, in
        the order of its `predict_proba`; with ``inside`` (n, d) as a second argument if its `fit`
        takes it.

    Raises
    ------
    TypeError
        For other estimators; the message names them.

    Examples
    --------
    >>> rows, y = [[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1]
    >>> module = as_module(LogisticRegression().fit(rows, y))
    >>> module(torch.tensor([[0.0], [3.0]])).argmax(dim=1)
    tensor([0, 1])
    """
    if hasattr(estimator, "as_module"):
        module: nn.Module = estimator.as_module()
        return module
    for kind, make in _KINDS.items():
        if isinstance(estimator, kind):
            return make(estimator)
    if hasattr(estimator, "best_estimator_"):
        return as_module(estimator.best_estimator_)
    return refuse(estimator)


def refuse(estimator: Any, reason: str = "it is not supported") -> Any:
    """Raise for a part of an estimator that cannot be expressed in a graph.

    Raises
    ------
    TypeError
        With its name, the reason, and what can be exported.

    Examples
    --------
    >>> from segclf.export import refuse
    >>> refuse(object(), "nobody knows what it computes")
    Traceback (most recent call last):
    TypeError: ...
    """
    raise TypeError(
        f"{type(estimator).__name__} cannot be exported: {reason}. Supported summarizers are "
        "threshold, tuned_threshold, pooled, fully_connected, joint, those that train a network, "
        "any with a method as_module(), and LogisticRegression, also after a StandardScaler in a "
        "Pipeline or in a OneVsRestClassifier."
    )


class _Scaled(nn.Module):
    """`StandardScaler`."""

    mean: Tensor
    scale: Tensor

    def __init__(self, scaler: StandardScaler) -> None:
        super().__init__()
        n_features = scaler.n_features_in_
        mean, scale = scaler.mean_, scaler.scale_
        self.register_buffer("mean", _tensor(np.zeros(n_features) if mean is None else mean))
        self.register_buffer("scale", _tensor(np.ones(n_features) if scale is None else scale))

    def forward(self, rows: Tensor, inside: Tensor | None = None) -> Tensor:
        scaled: Tensor = (rows.double() - self.mean) / self.scale
        return scaled


class _Logistic(nn.Module):
    """`LogisticRegression`."""

    weights: Tensor
    bias: Tensor

    def __init__(self, model: LogisticRegression) -> None:
        super().__init__()
        self.register_buffer("weights", _tensor(model.coef_.T))
        self.register_buffer("bias", _tensor(model.intercept_))
        self.binary = len(model.classes_) <= 2

    def forward(self, rows: Tensor, inside: Tensor | None = None) -> Tensor:
        scores = rows.double() @ self.weights + self.bias
        if not self.binary:
            return torch.softmax(scores, dim=1)
        positive = torch.sigmoid(scores)
        return torch.cat([1 - positive, positive], dim=1)


class _Steps(nn.Module):
    """`Pipeline`."""

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__()
        steps = [step for _, step in pipeline.steps if step not in (None, "passthrough")]
        self.steps = nn.ModuleList(map(as_module, steps))

    def forward(self, rows: Tensor, inside: Tensor | None = None) -> Tensor:
        for step in self.steps:
            rows = step(rows)
        return rows


class _Columns(nn.Module):
    """`OneVsRestClassifier` for an indicator: a column for each label."""

    def __init__(self, model: OneVsRestClassifier) -> None:
        super().__init__()
        if not model.multilabel_:
            refuse(model, "it is supported only for a multi-label indicator")
        self.columns = nn.ModuleList(map(as_module, model.estimators_))

    def forward(self, rows: Tensor, inside: Tensor | None = None) -> Tensor:
        return torch.cat([column(rows)[:, 1:] for column in self.columns], dim=1)


class _Network(nn.Module):
    """A summarizer that trains a network on maps."""

    def __init__(self, summarizer: NetworkClassifier) -> None:
        super().__init__()
        self.labels = Labels(Asked(summarizer), summarizer._activate_labels)

    def forward(self, maps: Tensor, inside: Tensor | None = None) -> Tensor:
        probabilities: Tensor = self.labels(maps)["probabilities"]
        return probabilities.double()


class _Calibrated(nn.Module):
    """`CalibratedSummarizer`."""

    def __init__(self, calibrated: CalibratedSummarizer) -> None:
        super().__init__()
        self.summarizer = as_module(calibrated.estimator_)
        self.multilabel, self.n_classes = calibrated._multilabel, len(calibrated.classes_)
        make = _Sigmoid if calibrated.method == "sigmoid" else _Increasing
        self.calibrators = nn.ModuleList(make(each) for each in calibrated.calibrators_)

    def forward(self, maps: Tensor, inside: Tensor | None = None) -> Tensor:
        scores = self.summarizer(maps, inside)
        binary = not self.multilabel and self.n_classes == 2
        columns = scores[:, 1:] if binary else scores
        pairs = zip(self.calibrators, columns.unbind(dim=1), strict=True)
        proba = torch.stack([calibrator(column) for calibrator, column in pairs], dim=1)
        if self.multilabel:
            return proba
        if binary:
            return torch.cat([1 - proba, proba], dim=1)
        total = proba.sum(dim=1, keepdim=True)
        nothing = torch.full_like(proba, 1 / self.n_classes)
        return torch.where(total > 0, proba / torch.where(total > 0, total, 1.0), nothing)


class _Sigmoid(nn.Module):
    """Slope and intercept of the log-odds."""

    def __init__(self, line: Any) -> None:
        super().__init__()
        self.slope, self.intercept = map(float, line)

    def forward(self, scores: Tensor) -> Tensor:
        odds = torch.log(scores + LEAST) - torch.log(1 - scores + LEAST)
        return torch.sigmoid(self.slope * odds + self.intercept)


class _Increasing(nn.Module):
    """Interpolation between points as by `numpy.interp`."""

    places: Tensor
    values: Tensor

    def __init__(self, points: Any) -> None:
        super().__init__()
        self.register_buffer("places", _tensor(points[0]))
        self.register_buffer("values", _tensor(points[1]))

    def forward(self, scores: Tensor) -> Tensor:
        if len(self.places) == 1:
            return torch.zeros_like(scores) + self.values
        right = (scores[:, None] >= self.places).sum(dim=1).clamp(1, len(self.places) - 1)
        start, end = self.places[right - 1], self.places[right]
        share = ((scores - start) / (end - start)).clamp(0, 1)
        return self.values[right - 1].lerp(self.values[right], share)


_KINDS: dict[type, Any] = {
    CalibratedSummarizer: _Calibrated,
    NetworkClassifier: _Network,
    StandardScaler: _Scaled,
    LogisticRegression: _Logistic,
    Pipeline: _Steps,
    OneVsRestClassifier: _Columns,
}


def _tensor(values: Any) -> Tensor:
    return torch.as_tensor(np.asarray(values, dtype=np.float64))
