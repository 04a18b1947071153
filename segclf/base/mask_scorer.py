"""Score predicted masks in scikit-learn's searches and cross-validations."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import MetadataRequest
from sklearn.utils.validation import _num_samples

from segclf.data import as_masks
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
        ``metric(y_true, y_pred) -> float``, greater is better: `segclf.metrics.mean_iou`,
        `segclf.metrics.dice_score`, or one of these with options by `functools.partial`.
    masks : bool, str or None
        What is asked of metadata routing: the masks (True), the metadata of that name, nothing
        (False), or an error where masks are passed (None).

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

    metric: Callable[[Any, Any], float] = mean_iou
    masks: bool | str | None = True

    def __call__(self, estimator: Any, X: Any, y: Any = None, *, masks: Any = None) -> float:
        """Return the metric of an estimator's masks.

        Parameters
        ----------
        estimator : fitted segmenter or classifier
            Also one at the end of a pipeline, or inside of a search.
        X : array, list, paths or tensor
            The n images.
        y : array or list, optional
            The true masks, for a segmenter: None and -1 are not scored.
        masks : array or list, optional
            The true masks, for a classifier.

        Returns
        -------
        float
            What `metric` says; `mean_iou` and `dice_score` say NaN where nothing can be scored.

        Raises
        ------
        ValueError
            If there are no true masks.
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
        return self.metric(as_masks(truth, _num_samples(predicted)), predicted)

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


def innermost(estimator: Any, X: Any) -> tuple[Any, Any]:
    """Return what predicts inside of searches and pipelines, and the images as it gets them."""
    while hasattr(estimator, "best_estimator_") or isinstance(estimator, Pipeline):
        if isinstance(estimator, Pipeline):
            X = estimator[:-1].transform(X) if len(estimator) > 1 else X
            estimator = estimator[-1]
        else:
            estimator = estimator.best_estimator_
    return estimator, X
