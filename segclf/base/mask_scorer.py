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

    For a segmenter the true masks are `y`. For a classifier that has masks they are the metadata
    ``masks``, which this asks for: with ``sklearn.set_config(enable_metadata_routing=True)``,
    ``fit(X, y, masks=masks)`` of a search and ``params={"masks": masks}`` of
    :func:`sklearn.model_selection.cross_validate` reach the scorer, cut to the test fold. Without
    routing scikit-learn hands a scorer nothing but `X` and `y`.

    Parameters
    ----------
    metric : callable
        ``metric(y_true, y_pred) -> float``: `segclf.metrics.mean_iou`,
        `segclf.metrics.dice_score`, or one of these with options by `functools.partial`. With
        `with_labels`, ``metric(labels_true, labels_pred, y_true, y_pred) -> float``.
    masks : bool, str or None
        What is asked of metadata routing: the masks (True), the metadata of that name, nothing
        (False), or an error where masks are passed (None).
    with_labels : bool, default=False
        For a classifier: whether the metric takes labels too, which arrive as mask ids (0 where
        nothing is) or as an indicator, such as `segclf.metrics.strict_recall` does.
    greater_is_better : bool, default=True
        False for distances, such as `segclf.metrics.hausdorff_distance`: the score is then minus
        the metric, as of :func:`sklearn.metrics.make_scorer`.

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
        """Return the metric of an estimator's masks.

        Parameters
        ----------
        estimator : fitted segmenter or classifier
            Also one at the end of a pipeline, or inside of a search.
        X : array, list, paths or tensor
            The n images.
        y : array or list, optional
            The true masks, for a segmenter: None and -1 are not scored. The true labels, for a
            classifier, which only a metric `with_labels` needs.
        masks : array or list, optional
            The true masks, for a classifier.

        Returns
        -------
        float
            What `metric` says, or minus that; NaN of those of `segclf.metrics` where nothing can
            be scored.

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
                f"No true masks arrived to score a {name} by; expected them as {wanted}."
                + " In a search or cross-validation that takes metadata routing." * classifies
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
        """Set what is asked of metadata routing, as other scorers of scikit-learn do.

        Returns
        -------
        MaskScorer
            This scorer.
        """
        self.masks = masks
        return self

    def get_metadata_routing(self) -> MetadataRequest:
        """Return what is asked of metadata routing."""
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
    """Return what predicts inside of searches and pipelines, and the images as it gets them."""
    while hasattr(estimator, "best_estimator_") or isinstance(estimator, Pipeline):
        if isinstance(estimator, Pipeline):
            X = estimator[:-1].transform(X) if len(estimator) > 1 else X
            estimator = estimator[-1]
        else:
            estimator = estimator.best_estimator_
    return estimator, X
