"""The estimators that benchmarks compare: only with a seed, or all with one encoder."""

import time
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.shared.real_sets import findings
from segclf import (
    ImageClassifier,
    MultitaskClassifier,
    PretrainedEncoder,
    SegmentationClassifier,
    SupervisedSegmenter,
)

DEFAULT, ALONE = "SegmentationClassifier()", 'SegmentationClassifier(summarizer="threshold")'
CLASSIFIER, MULTITASK = "ImageClassifier()", "MultitaskClassifier()"
PROBE, BOXES = "linear probe", "SegmentationClassifier(), boxes"
METHODS = (DEFAULT, ALONE, BOXES, CLASSIFIER, MULTITASK, PROBE)
C = 0.1  # of .0001 to 1, by `val` of busi, lgg_mri and magnetic_tile after 100 images


def make(method: str, seed: int, parameters: dict[str, Any]) -> Any:
    """Return a method; parameters are those of its network, none of them being the default."""
    if method == CLASSIFIER:
        return ImageClassifier(**parameters, random_state=seed)
    if method == MULTITASK:
        return MultitaskClassifier(**parameters, random_state=seed)
    if method == PROBE:
        of_encoders = PretrainedEncoder().get_params()
        known = {k: v for k, v in parameters.items() if k in of_encoders}
        encoder = PretrainedEncoder(**known, random_state=seed)
        return make_pipeline(encoder, StandardScaler(), LogisticRegression(C=C, max_iter=1000))
    segmenter = SupervisedSegmenter(**parameters) if parameters else None
    more = {"summarizer": "threshold"} if method == ALONE else {}
    return SegmentationClassifier(segmenter=segmenter, random_state=seed, **more)


def of_encoder(
    encoder: str | None, weights: str | None, scratch_steps: int | None = None
) -> dict[str, Any]:
    """Return the parameters that set one encoder for all methods; empty if none is named.

    With a number of steps, the whole network is trained from scratch for that number.
    """
    name = encoder or "tf_efficientnet_lite0"
    if scratch_steps is not None:
        return {"encoder": name, "encoder_weights": None, "max_steps": scratch_steps}
    if encoder or weights:
        return {"encoder": name, "encoder_weights": weights or "imagenet"}
    return {}


def fit(model: Any, data: dict[str, Any], rows: np.ndarray) -> float:
    """Fit on some of the images, with the masks that the method can use; return its seconds."""
    X, y = [data["images"][row] for row in rows], data["labels"][rows]
    masks = {"masks": findings(data, rows)} if hasattr(model, "predict_masks") else {}
    started = time.process_time()
    model.fit(X, y, **masks)
    return time.process_time() - started


def predictions(model: Any, data: dict[str, Any], rows: np.ndarray) -> dict[str, list[Any]]:
    """Return the score of each image; of segmenters the pixels of intersection and union as well.

    Images without a mask have none of either.
    """
    images = [data["images"][row] for row in rows]
    if not hasattr(model, "predict_masks"):
        return {"scores": model.predict_proba(images)[:, 1].tolist()}
    scores, predicted = model._predict_with_masks(images)  # in one pass
    both, either = np.zeros((2, len(rows)), dtype=int)
    for index, (a, b) in enumerate(zip(findings(data, rows), predicted, strict=True)):
        if a is not None:
            both[index], either[index] = ((a > 0) & (b > 0)).sum(), ((a > 0) | (b > 0)).sum()
    overlap = {"intersections": both.tolist(), "unions": either.tolist()}
    return {"scores": scores[:, 1].tolist(), **overlap}


def resolved(model: Any) -> dict[str, Any]:
    """Return the values of the parameters that a fitted model chose itself."""
    return dict(getattr(getattr(model, "segmenter_", model), "chosen_", {}))
