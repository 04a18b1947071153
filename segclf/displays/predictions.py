"""Make tiles from images and their predictions."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segclf.axes import N_SPATIAL, are_labels
from segclf.base import Classifier, MetaSegmenter, Segmenter
from segclf.base.spatial import channels_of, n_spatial
from segclf.data import as_images, as_masks
from segclf.data.labels import as_label_array
from segclf.displays.captions import caption, is_right
from segclf.displays.shown_slices import shown_slices
from segclf.displays.tiles import Tile


class Predictions(NamedTuple):
    """Predictions for n images; fields that the estimator does not predict are None.

    Parameters
    ----------
    labels : array of shape (n,) or (n, k), or None
        Labels, or multi-label indicators.
    probabilities : array of shape (n, k) or None
        Probability of each class.
    masks : array or list of n masks, or None
        Masks at the size of the images.
    """

    labels: Any = None
    probabilities: Any = None
    masks: Any = None


def predict_once(estimator: Any, X: Any) -> Predictions:
    """Make all predictions of a fitted estimator, in one pass over the images if possible.

    A classifier predicts labels and their probabilities, and masks if it has ``predict_masks``. A
    segmenter predicts masks.
    """
    classifies = hasattr(estimator, "classes_") or hasattr(estimator, "predict_masks")
    chosen = getattr(estimator, "best_estimator_", estimator)
    if isinstance(chosen, Segmenter | MetaSegmenter) or not classifies:
        return Predictions(masks=estimator.predict(X))
    if isinstance(estimator, Classifier):
        probabilities, masks = estimator._predict_with_masks(X)
        return Predictions(estimator._decide(probabilities), probabilities, masks)
    methods = ("predict", "predict_proba", "predict_masks")
    return Predictions(*(getattr(estimator, name, lambda _: None)(X) for name in methods))


def predicted_tiles(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    masks: Any,
    class_names: Any,
    n_images: int,
    predicted: Predictions | None = None,
    n_slices: int = 1,
) -> list[Tile]:
    """Predict the first images with a fitted estimator; see `MaskDisplay.from_estimator`."""
    shown = slice(0, n_images)
    predicted = predicted or predict_once(estimator, X[shown])
    segments = predicted.masks is not None
    return make_tiles(
        X[shown],
        predicted.labels,
        y_true=None if y is None else as_label_array(y)[shown],
        probabilities=_of_labels(predicted, estimator),
        masks=predicted.masks,
        true_masks=masks[shown] if masks is not None and segments else None,
        class_names=as_names(class_names, None if predicted.labels is None else estimator.classes_),
        slices=None
        if n_spatial(estimator) == N_SPATIAL
        else {"n_slices": n_slices, "channels": channels_of(estimator)},
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
    slices: dict[str, Any] | None = None,
) -> list[Tile]:
    """Combine images and predictions; `slices` has the settings of volumes. See `MaskDisplay`."""
    images, masks, true_masks, places = _shown(X, masks, true_masks, slices)
    n = len(images)
    said, truth = _entries("y_pred", y_pred, n), _entries("y_true", y_true, n)
    chances = _entries("probabilities", probabilities, n)
    predicted, true = as_masks(masks, n), as_masks(true_masks, n)
    names = as_names(class_names, None)
    return [
        Tile(
            image=images[i],
            mask=predicted[i],
            true_mask=true[i],
            caption=_placed(caption(said[i], truth[i], chances[i], names), places, i),
            right=is_right(said[i], truth[i]),
        )
        for i in range(n)
    ]


def _shown(X: Any, masks: Any, true_masks: Any, slices: dict[str, Any] | None) -> Any:
    """Return images, masks and true masks (of volumes, their slices), and the shown slices."""
    if slices is None:
        return as_images(X), masks, true_masks, None
    return shown_slices(X, masks, true_masks, **slices)


def _placed(text: str, places: Any, index: int) -> str:
    """Add the shown slices of a volume to a caption."""
    return text if places is None else f"{text}\n{places[index].caption}".strip()


def _of_labels(predicted: Predictions, estimator: Any) -> NDArray[Any] | None:
    """Return the probability of each predicted label."""
    if predicted.probabilities is None or not are_labels(predicted.labels):
        return None
    positions = np.searchsorted(estimator.classes_, predicted.labels)
    return np.asarray(predicted.probabilities)[np.arange(len(positions)), positions]


def as_names(class_names: Any, classes: Any) -> dict[Any, Any]:
    """Map classes to names; a sequence has the names in the order of the classes."""
    if class_names is None or isinstance(class_names, dict):
        return class_names or {}
    classes = range(len(class_names)) if classes is None else list(classes)
    return dict(zip(classes, class_names, strict=True))


def _entries(name: str, values: Any, n: int) -> NDArray[Any] | list[None]:
    if values is None:
        return [None] * n
    values = as_label_array(values)
    if len(values) != n:
        raise ValueError(f"{name} has {len(values)} entries for {n} images; expected one each.")
    return values
