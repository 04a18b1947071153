"""From images and what was said of them to tiles."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.data import as_images, as_masks
from segclf.displays.captions import caption, is_right
from segclf.displays.tiles import Tile


def predicted_tiles(
    estimator: Any, X: Any, y: Any, *, masks: Any, class_names: Any, n_images: int
) -> list[Tile]:
    """Predict the first images with a fitted estimator, see `MaskDisplay.from_estimator`."""
    shown = slice(0, n_images)
    predicted = _predictions(estimator, X[shown])
    segments = predicted.get("masks") is not None
    return make_tiles(
        X[shown],
        predicted.get("labels"),
        y_true=None if y is None else np.asarray(y)[shown],
        probabilities=predicted.get("probabilities"),
        masks=predicted.get("masks"),
        true_masks=masks[shown] if masks is not None and segments else None,
        class_names=as_names(class_names, getattr(estimator, "classes_", None)),
    )


def make_tiles(
    X: Any,
    y_pred: Any,
    *,
    y_true: Any,
    probabilities: Any,
    masks: Any,
    true_masks: Any,
    class_names: Any,
) -> list[Tile]:
    """Combine images and predictions, see `MaskDisplay.from_predictions`."""
    images = as_images(X)
    n = len(images)
    said, truth = _entries("y_pred", y_pred, n), _entries("y_true", y_true, n)
    chances = _entries("probabilities", probabilities, n)
    drawn, true = as_masks(masks, n), as_masks(true_masks, n)
    names = as_names(class_names, None)
    return [
        Tile(
            image=images[i],
            mask=drawn[i],
            true_mask=true[i],
            caption=caption(said[i], truth[i], chances[i], names),
            right=is_right(said[i], truth[i]),
        )
        for i in range(n)
    ]


def _predictions(estimator: Any, X: Any) -> dict[str, Any]:
    """Ask for labels and their probabilities where it classifies, for masks where it segments."""
    if not hasattr(estimator, "classes_"):
        return {"masks": estimator.predict(X)}
    predicted = {"labels": estimator.predict(X)}
    if hasattr(estimator, "predict_masks"):
        predicted["masks"] = estimator.predict_masks(X)
    if np.ndim(predicted["labels"]) == 1 and hasattr(estimator, "predict_proba"):
        probabilities = estimator.predict_proba(X)
        positions = np.searchsorted(estimator.classes_, predicted["labels"])
        predicted["probabilities"] = probabilities[np.arange(len(positions)), positions]
    return predicted


def as_names(class_names: Any, classes: Any) -> dict[Any, Any]:
    """Map classes to names; a sequence names them in their order."""
    if class_names is None or isinstance(class_names, dict):
        return class_names or {}
    classes = range(len(class_names)) if classes is None else list(classes)
    return dict(zip(classes, class_names, strict=True))


def _entries(name: str, values: Any, n: int) -> NDArray[Any] | list[None]:
    if values is None:
        return [None] * n
    values = np.asarray(values)
    if len(values) != n:
        raise ValueError(f"{name} has {len(values)} entries for {n} images; expected one each.")
    return values
