"""Predictions of a model, as rows of a table, and its masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier

from segclf.axes import N_SPATIAL
from segclf.base import Classifier
from segclf.base.front_door import check_images
from segclf.base.spatial import n_spatial
from segclf.data import Images, StoredImages
from segclf.streaming.tables import Column, Row

# Attributes that may hold the part of a model that reads images.
_INSIDE = ("_segmenter", "best_estimator_", "segmenter_", "estimator_", "segmenters_", "steps")


class Answer(NamedTuple):
    """Predictions for n images.

    Attributes
    ----------
    rows : list of n rows
    masks : sequence of n arrays, or None
    """

    rows: list[Row]
    masks: Sequence[NDArray[Any]] | None


class Answers:
    """Turns the predictions of a fitted model into rows.

    Parameters
    ----------
    model : estimator
        A classifier, a segmenter, or a search over either.
    masks : {"png", "nifti"} or None
        File type of the masks, if they are written.

    Attributes
    ----------
    columns : list of Column
        For a classifier, the label and the probability of each class; for a segmenter, the fraction
        of each image that each class covers.
    """

    def __init__(self, model: Any, *, masks: str | None) -> None:
        model = getattr(model, "best_estimator_", model)
        self._model, self._masks = model, masks is not None
        self._classifies = is_classifier(model)
        if not self._classifies and not hasattr(model, "multilabel_"):
            raise ValueError(
                f"{type(model).__name__} neither classifies nor segments; expected a fitted "
                "classifier or segmenter."
            )
        if masks and self._classifies and not hasattr(model, "predict_masks"):
            raise ValueError(f"{type(model).__name__} predicts no masks; leave out masks.")
        if masks == "png" and not self.several_at_once:
            raise ValueError("PNG cannot hold masks of volumes; use masks='nifti'.")
        self.columns = self._columns_of_labels() if self._classifies else self._columns_of_areas()

    def images(self, stored: StoredImages) -> Images:
        """Return images in the format that the model reads, checked when they are taken."""
        return check_images(_reader(self._model), stored, reset=False)

    def __call__(self, images: Images) -> Answer:
        """Predict images in memory."""
        return self._labels(images) if self._classifies else self._areas(images)

    @property
    def several_at_once(self) -> bool:
        """Whether the model reads images; volumes are predicted one by one."""
        return n_spatial(_reader(self._model)) == N_SPATIAL

    @property
    def _multilabel(self) -> bool:
        return bool(getattr(self._model, "_multilabel", False))

    def _columns_of_labels(self) -> list[Column]:
        classes = np.asarray(self._model.classes_)
        kind = {"i": int, "u": int, "f": float}.get(classes.dtype.kind, str)
        probable = hasattr(self._model, "predict_proba")
        probabilities = [Column(f"p_{each}", float) for each in classes if probable]
        if self._multilabel:
            return [Column(f"label_{each}", int) for each in classes] + probabilities
        return [Column("label", kind), *probabilities]

    def _columns_of_areas(self) -> list[Column]:
        return [Column(f"area_{each}", float) for each in self._model.classes_[self._first :]]

    @property
    def _first(self) -> int:
        return 0 if self._model.multilabel_ else 1

    def _labels(self, images: Images) -> Answer:
        probabilities: Any = None
        masks = None
        if self._masks and isinstance(self._model, Classifier):
            probabilities, masks = self._model._predict_with_masks(images)
        elif hasattr(self._model, "predict_proba"):
            probabilities = self._model.predict_proba(images)
        if isinstance(self._model, Classifier):
            labels = self._model._decide(probabilities)
        else:
            labels = self._model.predict(images)
        kinds = [column.kind for column in self.columns]
        parts = [np.asarray(labels).reshape(len(images), -1)]
        parts += [] if probabilities is None else [np.asarray(probabilities)]
        table = [[value for part in parts for value in part[row]] for row in range(len(images))]
        return Answer([[k(x) for k, x in zip(kinds, row, strict=True)] for row in table], masks)

    def _areas(self, images: Images) -> Answer:
        masks = self._model.predict(images)
        return Answer([self._areas_of(mask) for mask in masks], masks if self._masks else None)

    def _areas_of(self, mask: NDArray[Any]) -> Row:
        if self._model.multilabel_:
            return [float((channel == 1).mean()) for channel in mask]
        return [float((mask == each).mean()) for each in self._model.classes_[1:]]


def _reader(model: Any) -> Any:
    """Return the part of a model that reads images, and so knows their channels and scale."""
    while not hasattr(model, "image_scale_"):
        name = next((name for name in _INSIDE if hasattr(model, name)), None)
        if name is None:
            raise ValueError(f"{type(model).__name__} does not say which images it was fitted on.")
        model = getattr(model, name)
        model = model[0] if isinstance(model, list) else model
        model = model[1] if isinstance(model, tuple) else model
    return model
