"""Metrics that may decide the best epoch instead of the loss, computed on held-out images."""

from collections.abc import Callable, Iterator
from functools import reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from segclf.axes import N_SPATIAL, are_labels
from segclf.base.spatial import n_spatial
from segclf.data import Samples
from segclf.metrics.balanced_accuracy import balanced_accuracy
from segclf.metrics.mean_auroc import mean_auroc
from segclf.metrics.overlap import ious, mean_of_rows, selected
from segclf.metrics.pixel_counts import count_pixels
from segclf.objectives import Batch
from segclf.registry import make_plugin

Score = Callable[[Iterator[Batch]], float]
Predict = Callable[[Tensor], NDArray[Any]]

#: Metrics of labels, and of masks.
METRICS = ("auroc", "balanced_accuracy", "iou")


class Truth(NamedTuple):
    """The true labels of held-out images.

    Attributes
    ----------
    indicator : array of shape (n, k)
        1 if an image belongs to a class, else 0; -1 if unlabeled.
    exclusive : bool
        Whether each image belongs to one class.
    """

    indicator: NDArray[np.int64]
    exclusive: bool


def refuse_monitor(estimator: Any, held_out: Samples | None) -> None:
    """Refuse a metric that an estimator does not have, or that needs held-out images.

    Raises
    ------
    ValueError
        The message says what to set.
    """
    monitor, name = estimator.monitor, type(estimator).__name__
    if monitor not in estimator._monitors:
        raise ValueError(
            f"monitor={monitor!r} is not available in {name}; expected one of "
            f"{', '.join(map(repr, estimator._monitors))}, or None."
        )
    cut = getattr(estimator, "crop_size", None) is not None and n_spatial(estimator) != N_SPATIAL
    if cut and monitor != "iou":
        raise ValueError(
            f"monitor={monitor!r} needs labels of whole volumes, but with crop_size= only crops of "
            "the held-out volumes are scored; expected 'iou' or 'loss'."
        )
    if held_out is None:
        raise ValueError(
            f"monitor={monitor!r} is measured on held-out images, but {name} holds out none. Set "
            "validation_fraction=, such as 0.2, or pass X_val= and y_val= to fit; or set "
            "monitor='loss'."
        )


def iou_score(predict: Predict, held_out: Samples, n_classes: int) -> Score:
    """Return a function that computes the mean IoU of the foreground classes, as `score` does.

    Parameters
    ----------
    predict : callable
        From images to masks: ids (n, h, w), or 0 and 1 (n, k, h, w).
    held_out : Samples
        Their masks must show something.
    n_classes : int
        Number of mask ids or channels.

    Raises
    ------
    ValueError
        If no mask shows anything.
    """
    first = 0 if held_out.n_mask_channels is not None else 1
    if not held_out.pixel_counts(n_classes)[first:].any():
        raise ValueError(
            f"monitor='iou' needs masks that show something among the {len(held_out)} held-out "
            "images, but there are none. Hold out more images, or set monitor='loss'."
        )

    def score(batches: Iterator[Batch]) -> float:
        kind = {"n_classes": n_classes, "n_spatial": held_out.images.n_spatial}
        counts = (
            count_pixels(batch["mask"].cpu().numpy(), predict(batch["image"]), **kind)
            for batch in batches
        )
        total = reduce(add, (each.total() for each in counts))
        kept = selected(total, per_image=False, include_background=False)
        return mean_of_rows(ious(kept, "ignore"))

    return score


def label_score(monitor: str, predict: Predict, truth: Truth) -> Score:
    """Return a function that computes "auroc" or "balanced_accuracy".

    Parameters
    ----------
    monitor : str
        One of these two.
    predict : callable
        From images to probabilities (n, k).
    truth : Truth
        Labels of the held-out images.

    Raises
    ------
    ValueError
        If no class has both positive and negative images.
    """
    indicator, exclusive = truth
    if not ((indicator == 1).any(axis=0) & (indicator == 0).any(axis=0)).any():
        raise ValueError(
            f"monitor={monitor!r} needs held-out images of at least two classes, but these "
            f"{len(indicator)} all show the same. Hold out more images, or set "
            "monitor='loss'."
        )

    def score(batches: Iterator[Batch]) -> float:
        scores = np.full(indicator.shape, np.nan)
        for batch in batches:
            scores[batch["index"].cpu().numpy()] = predict(batch["image"])
        if not np.isfinite(scores).all():  # the loop reports it
            return float("nan")
        if monitor == "auroc":
            return mean_auroc(indicator, scores)
        return balanced_accuracy(indicator, _decided(scores, exclusive), exclusive=exclusive)

    return score


def one_hot(labels: NDArray[np.int64], n_classes: int) -> NDArray[np.int64]:
    """Return labels (n,) as an indicator (n, n_classes), -1 throughout where unlabeled."""
    indicator = (labels[:, None] == np.arange(n_classes)).astype(np.int64)
    indicator[labels < 0] = -1
    return indicator


def truth_of_labels(targets: NDArray[np.int64], n_classes: int) -> Truth:
    """Return the truth of positions (n,), or of an indicator (n, k)."""
    exclusive = are_labels(targets)
    return Truth(one_hot(targets, n_classes) if exclusive else targets, exclusive)


def truth_of_masks(samples: Samples, n_classes: int) -> Truth:
    """Return the label of each image, from its label or else from what its mask shows.

    For exclusive classes, column 0 is "nothing". If a mask shows several classes, or masks are
    multi-label, there is a column for each foreground class instead. If there are labels, mask ids
    above theirs are context.
    """
    multilabel, labels = samples.n_mask_channels is not None, samples.labels
    shown = np.full((len(samples), n_classes), -1, dtype=np.int64)
    if samples.masks is not None:
        shown = samples.masks.shown(n_classes).astype(np.int64)
    if multilabel:
        said = shown if labels is None else np.where(labels >= 0, labels, shown)
        return Truth(said, False) if n_classes > 1 else truth_of_labels(said[:, 0], 2)
    labels = np.full(len(samples), -1, dtype=np.int64) if labels is None else labels
    n_findings = int(labels.max()) if (labels > 0).any() else n_classes - 1
    shown = shown[:, 1 : n_findings + 1]
    said = np.where((labels >= 0)[:, None], one_hot(labels, n_findings + 1)[:, 1:], shown)
    if ((said == 1).sum(axis=1) > 1).any():
        return Truth(said, False)
    ids = np.where((said == 1).any(axis=1), said.argmax(axis=1) + 1, -1)
    ids[(said == 0).all(axis=1)] = 0
    return truth_of_labels(ids, n_findings + 1)


class Summarized:
    """Turn maps of a segmenter into label probabilities, by the summarizer "threshold".

    Parameters
    ----------
    truth : Truth
        The labels to predict.
    predict_maps : callable
        From images to probabilities (n, n_classes, h, w).
    first : int
        The channel of the first class that shows something.
    """

    def __init__(self, truth: Truth, predict_maps: Predict, first: int) -> None:
        n_columns = truth.indicator.shape[1]
        n_channels = n_columns - truth.exclusive
        self._predict_maps, self._channels = predict_maps, slice(first, first + n_channels)
        self._summarizer = make_plugin("summarizer", "threshold").set_params(pooling="top_mean")
        labels = np.arange(n_columns) if truth.exclusive else np.eye(n_columns, dtype=int)
        self._summarizer.fit(np.zeros((n_columns, n_channels, 1, 1)), labels)

    def __call__(self, images: Tensor) -> NDArray[Any]:
        """Return the probability of each label, (n, k)."""
        maps = self._predict_maps(images)[:, self._channels]
        if not np.isfinite(maps).all():
            return np.full((len(maps), len(self._summarizer.classes_)), np.nan)
        return np.asarray(self._summarizer.predict_proba(maps))


def _decided(scores: NDArray[Any], exclusive: bool) -> NDArray[np.int64]:
    if exclusive:
        return one_hot(scores.argmax(axis=1), scores.shape[1])
    return (scores >= 0.5).astype(np.int64)
