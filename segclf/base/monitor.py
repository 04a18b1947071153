"""What may tell the best epoch beside the loss: metrics of held-out images, epoch by epoch."""

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

#: Of labels, and of masks.
METRICS = ("auroc", "balanced_accuracy", "iou")


class Truth(NamedTuple):
    """What held-out images are.

    Attributes
    ----------
    indicator : array of shape (n, k)
        1 where an image is of a class, else 0; -1 where unlabeled.
    exclusive : bool
        Whether an image is of one class.
    """

    indicator: NDArray[np.int64]
    exclusive: bool


def refuse_monitor(estimator: Any, held_out: Samples | None) -> None:
    """Refuse a metric that an estimator does not have, or that nothing is held out for.

    Raises
    ------
    ValueError
        Saying what to set.
    """
    monitor, name = estimator.monitor, type(estimator).__name__
    if monitor not in estimator._monitors:
        raise ValueError(
            f"monitor={monitor!r} is nothing that {name} has while it trains; expected one of "
            f"{', '.join(map(repr, estimator._monitors))}, or None."
        )
    cut = getattr(estimator, "crop_size", None) is not None and n_spatial(estimator) != N_SPATIAL
    if cut and monitor != "iou":
        raise ValueError(
            f"monitor={monitor!r} is of labels of whole volumes, and with crop_size= parts of "
            "those held out are looked at; expected 'iou' or 'loss'."
        )
    if held_out is None:
        raise ValueError(
            f"monitor={monitor!r} is measured on images that are held out, and {name} holds out "
            "none. Set validation_fraction=, such as 0.2, or pass X_val= and y_val= to fit; or set "
            "monitor='loss'."
        )


def iou_score(predict: Predict, held_out: Samples, n_classes: int) -> Score:
    """Return what gives the mean IoU of the foreground classes, as `score` does.

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
        Where no mask shows anything.
    """
    first = 0 if held_out.n_mask_channels is not None else 1
    if not held_out.pixel_counts(n_classes)[first:].any():
        raise ValueError(
            f"monitor='iou' needs masks that show something among the {len(held_out)} held-out "
            "images, and there is none. Hold more images out, or set monitor='loss'."
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
    """Return what gives "auroc" or "balanced_accuracy".

    Parameters
    ----------
    monitor : str
        Which of them.
    predict : callable
        From images to probabilities (n, k).
    truth : Truth
        Of the held-out images.

    Raises
    ------
    ValueError
        Where no class is told from any other.
    """
    indicator, exclusive = truth
    if not ((indicator == 1).any(axis=0) & (indicator == 0).any(axis=0)).any():
        raise ValueError(
            f"monitor={monitor!r} needs held-out images of two classes at least, and of these "
            f"{len(indicator)} none shows what others do not. Hold more images out, or set "
            "monitor='loss'."
        )

    def score(batches: Iterator[Batch]) -> float:
        scores = np.full(indicator.shape, np.nan)
        for batch in batches:
            scores[batch["index"].cpu().numpy()] = predict(batch["image"])
        if not np.isfinite(scores).all():  # the loop says so
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
    """Return which labels images have by their label, else by what their mask shows.

    Of exclusive classes column 0 is "nothing", unless a mask shows several: then, as of multi-label
    masks, there is a column for each foreground class. With labels, ids above theirs are context.
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
    """From the maps of a segmenter to probabilities of labels: summarizer "threshold", "top_mean".

    Parameters
    ----------
    truth : Truth
        What is to be told.
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
