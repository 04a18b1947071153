"""Predictions of a classifier, made in batches, and their comparison with the truth."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches

from segclf.axes import N_SPATIAL, are_labels, is_indicator
from segclf.base import Segmenter
from segclf.base.negative_class import negative_class_of
from segclf.data import Images, ImagesLike, LabelsLike, MasksLike, as_masks
from segclf.data.label_codes import as_indicator, as_positions
from segclf.data.labels import as_label_array
from segclf.displays.predictions import predict_once
from segclf.metrics.groupings import Grouping
from segclf.progress import counted
from segclf.reports.page.budget import Budget
from segclf.reports.page.mask_facts import MaskFacts
from segclf.reports.page.true_masks import TrueMasks

IMAGES_AT_ONCE = 32


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Predictions and truth for n images, without any array as large as an image.

    Parameters
    ----------
    probabilities : array of shape (n, k)
        Predicted probability of each class.
    said, truth : array of shape (n, k)
        Predicted and true classes as indicators; -1 in `truth` where unlabeled.
    exclusive : bool
        Whether an image is of exactly one class.
    findings : array of int
        The classes that are findings, in the order of mask ids 1, 2, ...
    masks : list of MaskFacts
        Facts about the masks of each image.
    sizes, regions : Grouping
        Size of each true target, as a share of its image or in mm² or mm³, and its place.
    in_mm : bool
        Whether a spacing is known.
    n_spatial : int
        3 where the images are volumes.
    """

    probabilities: NDArray[Any]
    said: NDArray[np.int64]
    truth: NDArray[np.int64]
    exclusive: bool
    findings: NDArray[np.intp]
    masks: list[MaskFacts]
    sizes: Grouping
    regions: Grouping
    in_mm: bool
    n_spatial: int

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Whether each image shows a finding; False where unlabeled."""
        return (self.truth == 1)[:, self.findings].any(axis=1)

    @property
    def found(self) -> NDArray[np.bool_]:
        """Whether the classifier predicts a finding in each image, among labeled classes."""
        return ((self.said == 1) & (self.truth != -1))[:, self.findings].any(axis=1)

    @property
    def kinds(self) -> NDArray[np.str_]:
        """The kind of each prediction: right, fp, fn, confused (another class), or unknown."""
        labeled = self.truth != -1
        right = ((self.said == self.truth) | ~labeled).all(axis=1)
        return np.select(
            [~labeled.any(axis=1), right, self.found & ~self.positive, self.positive & ~self.found],
            ["unknown", "right", "fp", "fn"],
            "confused",
        )

    @property
    def sure(self) -> NDArray[np.float64]:
        """Probability of each prediction; for several labels, the lowest."""
        chances = np.where(self.said == 1, self.probabilities, 1 - self.probabilities)
        counted = (self.said == 1) | (not self.exclusive)
        return np.asarray(np.where(counted, chances, 1).min(axis=1))

    @property
    def order(self) -> NDArray[np.intp]:
        """Errors, the most confident first; then right predictions, then unlabeled ones, last."""
        kinds, sure = self.kinds, self.sure
        part = np.select([kinds == "unknown", kinds == "right"], [2, 1], 0)
        return np.lexsort((np.where(part == 0, -sure, sure), part))


def ask(
    estimator: Any,
    images: Images,
    X: ImagesLike,
    y: LabelsLike,
    masks: MasksLike | None,
    *,
    budget: Budget,
    spacing: NDArray[np.float64] | None,
) -> Answers:
    """Predict in batches (volumes one by one), and keep only facts about masks.

    Raises
    ------
    ValueError
        If labels or masks do not fit.
    """
    given = as_label_array(y)
    truth = _indicator(given, estimator.classes_, len(images))
    exclusive = are_labels(given)
    findings = _findings(estimator, exclusive)
    checked = as_masks(masks, len(truth), n_spatial=images.n_spatial)
    true = TrueMasks(checked, images, len(findings), budget, spacing)
    probabilities, said, facts = _gather(estimator, X, true)
    sizes, regions = true.groupings()
    return Answers(
        probabilities=probabilities,
        said=_indicator(said, estimator.classes_, len(truth)),
        truth=truth,
        exclusive=exclusive,
        findings=findings,
        masks=facts,
        sizes=sizes,
        regions=regions,
        in_mm=spacing is not None,
        n_spatial=images.n_spatial,
    )


def _findings(estimator: Any, exclusive: bool) -> NDArray[np.intp]:
    """Return the classes that are findings."""
    negative = negative_class_of(estimator) if exclusive else None
    return np.flatnonzero([label != negative for label in estimator.classes_.tolist()])


def _gather(
    estimator: Any, X: Any, true: TrueMasks
) -> tuple[NDArray[Any], NDArray[Any], list[MaskFacts]]:
    """Return probabilities, labels and facts, with the masks of one batch in memory."""
    at_once = IMAGES_AT_ONCE if true.images.n_spatial == N_SPATIAL else 1
    probabilities, said, facts = [], [], []
    parts = list(gen_batches(len(true.images), at_once))
    for rows in counted(parts, "answers", total=len(parts), unit="batches"):
        predicted = predict_once(estimator, X[rows])
        probabilities.append(np.asarray(predicted.probabilities))
        said.append(np.asarray(predicted.labels))
        shown = [None] * len(said[-1]) if predicted.masks is None else predicted.masks
        facts += [true.facts(row, mask) for row, mask in enumerate(shown, start=rows.start)]
    return np.concatenate(probabilities), np.concatenate(said), facts


def fitted_classifier(estimator: Any) -> Any:
    """Return the estimator, or the best one of a search; raise if it is not a classifier."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    answers = hasattr(estimator, "classes_") and hasattr(estimator, "predict_proba")
    if answers and not isinstance(estimator, Segmenter):
        return estimator
    raise ValueError(
        f"A report needs a fitted classifier with classes_ and predict_proba, got {estimator!r}."
    )


def _indicator(y: NDArray[Any], classes: NDArray[Any], n_samples: int) -> NDArray[np.int64]:
    """Return labels as an indicator (n, k), with rows of -1 where unlabeled."""
    if len(y) != n_samples or not (are_labels(y) or is_indicator(y)):
        raise ValueError(f"y has shape {y.shape}; expected a label for each of {n_samples} images.")
    if is_indicator(y):
        if y.shape[1] != len(classes):
            raise ValueError(
                f"y has shape {y.shape}; expected an indicator of 0, 1 and -1 (unlabeled) for "
                f"{len(classes)} classes."
            )
        return as_indicator(y)
    positions = as_positions(y, classes)[:, None]
    return np.where(positions < 0, -1, positions == np.arange(len(classes)))
