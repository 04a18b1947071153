"""Compare annotations with the predictions of models trained on other images."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing, gen_batches

from segclf.axes import N_SPATIAL, is_indicator
from segclf.base import Supervision
from segclf.isolation.cached import cached_property
from segclf.reports.audit.doubts import SelfConfidence, as_questions, doubts

IMAGES_AT_ONCE = 16
MASK_FIELDS = [
    ("sample", np.intp),
    ("fold", np.intp),
    ("score", np.float64),
    ("suspicion", "U9"),
    ("missing", np.float64),
    ("extra", np.float64),
    ("confused", np.float64),
]
SLICE = ("slice", np.intp)
# An error is named by its kind if that kind makes up at least this share of the doubtful area.
NAMED = 0.75


@dataclass(frozen=True)
class Contradictions:
    """Compares annotations with the predictions of models that were not trained on them.

    Parameters
    ----------
    supervision : Supervision
        The images and their annotations.
    classes : array of shape (k,), or None
        The classes; None without labels.
    voxel : array of shape (n,)
        Area of one pixel, or volume of one voxel, of each image.
    """

    supervision: Supervision
    classes: NDArray[Any] | None
    voxel: NDArray[np.float64]

    @cached_property
    def areas(self) -> NDArray[np.int64]:
        """Number of foreground pixels in each mask; 0 for an image without a mask."""
        masks = (self.supervision.masks[index] for index in range(len(self.supervision)))
        return np.array([0 if mask is None else (mask > 0).sum() for mask in masks])

    def mask_table(self, fitted: Any, test: NDArray[np.intp], fold: int) -> NDArray[Any]:
        """Compare masks with predictions, in two passes: first thresholds, then doubts."""
        test = test[self.supervision.masks.labeled[test]]
        flat = self.supervision.masks.n_spatial == N_SPATIAL
        table = np.zeros(len(test), dtype=MASK_FIELDS if flat else [*MASK_FIELDS, SLICE])
        table["sample"], table["fold"] = test, fold
        confidence = SelfConfidence()
        for _, given, maps in self._maps(fitted, test):
            confidence.add(given, maps)
        positive = self.areas[self.areas > 0]
        typical = np.median(positive) if len(positive) else 1.0
        for row, given, maps in self._maps(fitted, test):
            doubt, rival = doubts(given, maps, confidence.thresholds())
            errors = _errors(given, doubt, rival)
            extent = (given > 0).sum() + errors["missing"]
            for name, area in errors.items():
                table[name][row] = area * self.voxel[test[row]]
            if not flat:
                table["slice"][row] = _slice_in_doubt(doubt)
            table["score"][row] = sum(errors.values()) / max(extent, typical)
            table["suspicion"][row] = _suspicion(errors)
        return table

    def label_table(self, fitted: Any, test: NDArray[np.intp], fold: int) -> NDArray[Any]:
        """Compare labels with predictions."""
        classes, target = self.classes, self.supervision.target
        if classes is None or target is None:
            return np.zeros(0, dtype=_label_fields(np.dtype(np.int64)))
        multilabel = is_indicator(target)
        answers = np.zeros((len(test), len(classes)))
        answers[:, np.searchsorted(classes, fitted.classes_)] = fitted.predict_proba(
            _safe_indexing(self.supervision.X, test)
        )
        given, chances = as_questions(target[test].T, answers.T, multilabel=multilabel)
        confidence = SelfConfidence()
        confidence.add(given, chances)
        doubt, rival = doubts(given, chances, confidence.thresholds())
        said = np.array([0, 1]) if multilabel else classes
        label, row = np.nonzero(given >= 0)
        table = np.zeros(len(row), dtype=_label_fields(said.dtype))
        table["sample"], table["fold"], table["label"] = test[row], fold, label
        table["score"] = doubt[label, row]
        table["given"] = said[given[label, row]]
        table["expected"] = said[np.where(doubt > 0, rival, given)[label, row]]
        return table

    def _maps(
        self, fitted: Any, test: NDArray[np.intp]
    ) -> Iterator[tuple[int, NDArray[np.int64], NDArray[Any]]]:
        """Yield the number, mask and probabilities of each image, as questions (q, ...)."""
        predict = fitted.predict_proba if self.classes is None else fitted.predict_mask_proba
        masks = self.supervision.masks
        at_once = IMAGES_AT_ONCE if masks.n_spatial == N_SPATIAL else 1
        for rows in gen_batches(len(test), at_once):
            maps = predict(_safe_indexing(self.supervision.X, test[rows]))
            for row, values in enumerate(maps, start=rows.start):
                mask: Any = masks[test[row]]
                yield row, *as_questions(mask, values, multilabel=masks.multilabel)


def _errors(
    given: NDArray[np.int64], doubt: NDArray[np.float64], rival: NDArray[np.intp]
) -> dict[str, float]:
    """Sum the doubt by kind of error."""
    annotated, seen = given > 0, rival > 0
    return {
        "missing": float(doubt[~annotated].sum()),
        "extra": float(doubt[annotated & ~seen].sum()),
        "confused": float(doubt[annotated & seen].sum()),
    }


def _slice_in_doubt(doubt: NDArray[np.float64]) -> int:
    """Return the most doubtful slice of a volume (q, d, h, w), or the middle one without doubt."""
    of_slices = doubt.sum(axis=(0, 2, 3))
    return int(of_slices.argmax()) if of_slices.any() else len(of_slices) // 2


def _suspicion(errors: dict[str, float]) -> str:
    total, worst = sum(errors.values()), max(errors, key=errors.__getitem__)
    if total == 0:
        return ""
    return worst if errors[worst] >= NAMED * total else "misplaced"


def _label_fields(label: np.dtype[Any]) -> list[tuple[str, Any]]:
    return [
        ("sample", np.intp),
        ("label", np.intp),
        ("fold", np.intp),
        ("score", np.float64),
        ("given", label),
        ("expected", label),
    ]
