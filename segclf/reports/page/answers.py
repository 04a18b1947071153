"""What a classifier says of its images, asked in batches, and how it compares with the truth."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import _num_samples

from segclf.axes import are_labels, is_indicator
from segclf.base import Segmenter
from segclf.base.negative_class import negative_class_of
from segclf.base.spatial import refuse_volumes
from segclf.data import ImagesLike, LabelsLike, Masks, MasksLike, as_masks
from segclf.data.label_codes import as_indicator, as_positions
from segclf.data.labels import as_label_array
from segclf.displays.predictions import predict_once
from segclf.metrics import group_by_area, group_by_region
from segclf.metrics.groupings import Grouping
from segclf.reports.page.mask_facts import MaskFacts, mask_facts, without_context

IMAGES_AT_ONCE = 32


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Answers and truths of n images; nothing in it is as large as an image.

    Parameters
    ----------
    probabilities : array of shape (n, k)
        What the classifier gives to each class.
    said, truth : array of shape (n, k)
        Indicators of the classes; a truth is -1 where nobody said.
    exclusive : bool
        Whether an image is of one class alone.
    findings : array of int
        Which classes mean that something is there: in their order, those of mask ids 1, 2, ...
    masks : list of MaskFacts
        What is kept of the masks of each image.
    sizes, regions : Grouping
        How large a share of its image each true target covers, and where it is.
    """

    probabilities: NDArray[Any]
    said: NDArray[np.int64]
    truth: NDArray[np.int64]
    exclusive: bool
    findings: NDArray[np.intp]
    masks: list[MaskFacts]
    sizes: Grouping
    regions: Grouping

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Which images show anything; none of those that nobody labeled."""
        return (self.truth == 1)[:, self.findings].any(axis=1)

    @property
    def found(self) -> NDArray[np.bool_]:
        """In which images the classifier sees anything, as far as somebody knows."""
        return ((self.said == 1) & (self.truth != -1))[:, self.findings].any(axis=1)

    @property
    def kinds(self) -> NDArray[np.str_]:
        """What each answer is: right, fp, fn, confused (another class), or unknown."""
        labeled = self.truth != -1
        right = ((self.said == self.truth) | ~labeled).all(axis=1)
        return np.select(
            [~labeled.any(axis=1), right, self.found & ~self.positive, self.positive & ~self.found],
            ["unknown", "right", "fp", "fn"],
            "confused",
        )

    @property
    def sure(self) -> NDArray[np.float64]:
        """How probable the classifier calls what it says; of several labels the least."""
        chances = np.where(self.said == 1, self.probabilities, 1 - self.probabilities)
        counted = (self.said == 1) | (not self.exclusive)
        return np.asarray(np.where(counted, chances, 1).min(axis=1))

    @property
    def order(self) -> NDArray[np.intp]:
        """Errors, the surest first; then what is right, then what nobody knows, surest last."""
        kinds, sure = self.kinds, self.sure
        part = np.select([kinds == "unknown", kinds == "right"], [2, 1], 0)
        return np.lexsort((np.where(part == 0, -sure, sure), part))


def ask(estimator: Any, X: ImagesLike, y: LabelsLike, masks: MasksLike | None) -> Answers:
    """Predict in batches; of the masks of an image only facts are kept.

    Raises
    ------
    ValueError
        When the estimator is no fitted classifier, or labels or masks do not fit.
    """
    estimator = _checked(estimator)
    given = as_label_array(y)
    truth = _indicator(given, estimator.classes_, _num_samples(X))
    exclusive = are_labels(given)
    negative = negative_class_of(estimator) if exclusive else None
    findings = np.flatnonzero([label != negative for label in estimator.classes_.tolist()])
    true = as_masks(masks, len(truth))
    keep = partial(without_context, n_findings=len(findings))
    probabilities, said, facts = [], [], []
    for start in range(0, len(truth), IMAGES_AT_ONCE):
        part = X[start : start + IMAGES_AT_ONCE]
        predicted = predict_once(estimator, part)
        probabilities.append(np.asarray(predicted.probabilities))
        said.append(np.asarray(predicted.labels))
        shown = [None] * len(said[-1]) if predicted.masks is None else predicted.masks
        facts += [
            mask_facts(keep(mask), keep(true[start + i]), len(findings))
            for i, mask in enumerate(shown)
        ]
    return Answers(
        probabilities=np.concatenate(probabilities),
        said=_indicator(np.concatenate(said), estimator.classes_, len(truth)),
        truth=truth,
        exclusive=exclusive,
        findings=findings,
        masks=facts,
        sizes=group_by_area(_each(keep, true)),
        regions=group_by_region(_each(keep, true)),
    )


def _checked(estimator: Any) -> Any:
    """Take the best estimator of a search, and refuse what does not classify."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    refuse_volumes(estimator, "A report")
    answers = hasattr(estimator, "classes_") and hasattr(estimator, "predict_proba")
    if answers and not isinstance(estimator, Segmenter):
        return estimator
    raise ValueError(
        "A report is about a fitted classifier, with classes_ and predict_proba; got "
        f"{estimator!r}."
    )


def _each(keep: Callable[..., Any], true: Masks) -> Any:
    """Yield what is kept of each mask; one of them is in memory at a time."""
    return (keep(true[i]) for i in range(len(true)))


def _indicator(y: NDArray[Any], classes: NDArray[Any], n_samples: int) -> NDArray[np.int64]:
    """Labels as an indicator (n, k), rows of -1 where nobody said."""
    if len(y) != n_samples or not (are_labels(y) or is_indicator(y)):
        raise ValueError(f"y has shape {y.shape}; expected a label for each of {n_samples} images.")
    if is_indicator(y):
        if y.shape[1] != len(classes):
            raise ValueError(
                f"y has shape {y.shape}; expected an indicator of 0, 1 and -1 (nobody said) for "
                f"{len(classes)} classes."
            )
        return as_indicator(y)
    positions = as_positions(y, classes)[:, None]
    return np.where(positions < 0, -1, positions == np.arange(len(classes)))
