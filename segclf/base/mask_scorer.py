"""Score predicted masks in scikit-learn's searches and cross-validations."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import MetadataRequest
from sklearn.utils.validation import _num_samples

from segclf.axes import is_indicator
from segclf.base.negative_class import class_ids, negative_class_of
from segclf.base.spatial import n_spatial
from segclf.data import ImagesLike, LabelsLike, MasksLike, as_masks
from segclf.data.label_codes import as_indicator, as_positions
from segclf.data.labels import as_label_array
from segclf.metrics import mean_iou


@dataclass
class MaskScorer:
    """A scorer, for ``scoring=``, that compares predicted masks with true ones.

    For a segmenter the true masks are `y`. For a classifier with masks they are the metadata
    ``masks``, which this scorer requests. With
    ``sklearn.set_config(enable_metadata_routing=True)``, the scorer receives the masks of the test
    fold from ``fit(X, y, masks=masks)`` of a search and from ``params={"masks": masks}`` of
    :func:`sklearn.model_selection.cross_validate`. Without routing scikit-learn passes a scorer
    only `X` and `y`.

    Parameters
    ----------
    metric : callable
        ``metric(y_true, y_pred) -> float``: `segclf.metrics.mean_iou`,
        `segclf.metrics.dice_score`, or one of these with options set by `functools.partial`. With
        `with_labels`, ``metric(labels_true, labels_pred, y_true, y_pred) -> float``.
    masks : bool, str or None
        Metadata to request: the masks (True), the metadata of that name, or nothing (False). None
        raises an error if masks are passed.
    with_labels : bool, default=False
        For a classifier: whether the metric also takes labels, as `segclf.metrics.strict_recall`
        does. They are passed as mask ids (0 if nothing is shown) or as an indicator.
    greater_is_better : bool, default=True
        False for distances, such as `segclf.metrics.hausdorff_distance`: the score is then the
        negative metric, as in :func:`sklearn.metrics.make_scorer`.

    Examples
    --------
    >>> from segclf import MaskScorer, SupervisedSegmenter
    >>> from segclf.datasets import make_shapes
    >>> from segclf.metrics import dice_score
    >>> shapes = make_shapes(8, image_size=32, n_objects=3, random_state=0)
    >>> segmenter = SupervisedSegmenter(encoder="tiny", max_epochs=1, random_state=0)
    >>> segmenter = segmenter.fit(shapes.images, shapes.masks)
    >>> 0 <= MaskScorer(dice_score)(segmenter, shapes.images, shapes.masks) <= 1
    True
    """

    metric: Callable[..., float] = mean_iou
    masks: bool | str | None = True
    with_labels: bool = False
    greater_is_better: bool = True

    def __call__(
        self,
        estimator: Any,
        X: ImagesLike,
        y: MasksLike | LabelsLike | None = None,
        *,
        masks: MasksLike | None = None,
    ) -> float:
        """Return the metric of an estimator's predicted masks.

        Parameters
        ----------
        estimator : fitted segmenter or classifier
            It may be the end of a pipeline, or inside a search.
        X : array, list, paths or tensor
            The n images.
        y : array or list, optional
            The true masks, for a segmenter; None and -1 are not scored. The true labels, for a
            classifier; only a metric `with_labels` needs them.
        masks : array or list, optional
            The true masks, for a classifier.

        Returns
        -------
        float
            The value of `metric`, or its negative. Metrics of `segclf.metrics` give NaN if nothing
            can be scored.

        Raises
        ------
        ValueError
            If there are no true masks; or no labels, for a metric that takes them.
        """
        estimator, X = innermost(estimator, X)
        classifies = hasattr(estimator, "predict_masks")
        truth = masks if classifies else y
        if truth is None:
            name, wanted = type(estimator).__name__, "masks=" if classifies else "y"
            raise ValueError(
                f"No true masks were passed to score a {name}; expected them as {wanted}."
                + " In a search or cross-validation this needs metadata routing." * classifies
            )
        predicted = estimator.predict_masks(X) if classifies else estimator.predict(X)
        segmenter = estimator.segmenter_ if hasattr(estimator, "segmenter_") else estimator
        n_classes = getattr(segmenter, "n_classes_", None)
        kind: dict[str, Any] = {"n_classes": n_classes, "n_spatial": n_spatial(estimator)}
        true = as_masks(truth, _num_samples(predicted), **kind)
        given: list[Any] = [true, predicted]
        if self.with_labels:
            given = [*_as_mask_ids(estimator, y, estimator.predict(X)), *given]
        value = self.metric(*given)
        return value if self.greater_is_better else -value

    def set_score_request(self, *, masks: bool | str | None) -> Self:
        """Set the metadata request, as other scorers of scikit-learn do.

        Returns
        -------
        MaskScorer
            This scorer.
        """
        self.masks = masks
        return self

    def get_metadata_routing(self) -> MetadataRequest:
        """Return the metadata request."""
        requests = MetadataRequest(owner=self)
        requests.score.add_request(param="masks", alias=self.masks)
        return requests


def _as_mask_ids(classifier: Any, y_true: Any, y_pred: NDArray[Any]) -> list[NDArray[Any]]:
    """Turn labels of a classifier into mask ids, -1 where unlabeled; indicators stay."""
    if not hasattr(classifier, "predict_masks") or y_true is None:
        name = "segmenter" if y_true is not None else "classifier without y"
        raise ValueError(f"A metric with_labels needs a classifier and its y, got a {name}.")
    if is_indicator(y_pred):
        return [as_indicator(as_label_array(y_true)), y_pred]
    classes = classifier.classes_
    ids = np.append(class_ids(classes, negative_class_of(classifier)), -1)
    return [ids[as_positions(given, classes, unseen=-1)] for given in (y_true, y_pred)]


def innermost(estimator: Any, X: ImagesLike) -> tuple[Any, Any]:
    """Return the estimator that predicts inside searches and pipelines, and its input images."""
    while hasattr(estimator, "best_estimator_") or isinstance(estimator, Pipeline):
        if isinstance(estimator, Pipeline):
            X = estimator[:-1].transform(X) if len(estimator) > 1 else X
            estimator = estimator[-1]
        else:
            estimator = estimator.best_estimator_
    return estimator, X
