"""The input of a summarizer: maps, or rows for a classifier that reads only rows.

A summarizer that asks for them also gets the areas of findings in the training masks.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from segclf.base import Supervision
from segclf.methods.segmentation.reading import Reading
from segclf.methods.segmentation.united import united_shares


def as_read(summarizer: Any, maps: Any) -> Any:
    """Return maps unchanged, or flattened if the summarizer's tags ask for rows.

    So any scikit-learn classifier or pipeline can be a summarizer. The first estimator that sees
    the input decides, inside pipelines, searches and calibrators: it reads maps if its tag
    ``input_tags.two_d_array`` is False, as in every installed summarizer, or if it does not
    validate its input (``FunctionTransformer``).

    Parameters
    ----------
    summarizer : classifier
        Fitted or not.
    maps : array (n, k, h, w) or list of n arrays (k, h, w)
        Probabilities of masks, or embeddings.

    Returns
    -------
    array (n, k * h * w), or the maps

    Raises
    ------
    ValueError
        If the summarizer needs rows and the maps have several sizes.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from segclf.registry import make_plugin
    >>> maps = np.zeros((2, 1, 4, 4))
    >>> as_read(LogisticRegression(), maps).shape
    (2, 16)
    >>> as_read(make_plugin("summarizer", "threshold"), maps).shape
    (2, 1, 4, 4)
    """
    if not reads_rows(summarizer):
        return maps
    sizes = {np.shape(each) for each in maps}
    if len(sizes) > 1:
        raise ValueError(
            f"{type(_first(summarizer)).__name__} reads rows of one length, but the maps have "
            f"{len(sizes)} sizes, such as {' and '.join(map(str, sorted(sizes)[:2]))}. Put it into "
            'the summarizer "fully_connected", which resizes them to one, or set image_size.'
        )
    return np.reshape(maps, (len(maps), -1))


def reads_rows(summarizer: Any) -> bool:
    """Tell whether a summarizer's tags ask for rows."""
    tags = get_tags(_first(summarizer))
    return bool(tags.input_tags.two_d_array) and not tags.no_validation


def fit_summarizer(
    summarizer: Any,
    reading: Reading,
    target: NDArray[np.int64],
    chosen: NDArray[np.intp],
    supervision: Supervision,
    findings: slice,
) -> None:
    """Fit a summarizer; one whose `fit` has a parameter ``areas`` gets those of the findings.

    One that takes a ``sample_weight`` gets that of the images, if any.

    Parameters
    ----------
    summarizer : classifier
        If it learns from maps, areas are those of the same images, else of all images.
    reading : Reading
        Reading of the chosen images.
    target : array of shape (n,) or (n, k)
        Labels of all images.
    chosen : array of int, shape (m,)
        Rows of the images that it is fitted on.
    supervision : Supervision
        Supervision of all images.
    findings : slice
        Which mask ids or channels decide the label.
    """
    named = reading.named
    if has_fit_parameter(summarizer, "areas"):
        masks = supervision.masks
        as_one = len(reading.maps[0]) < findings.stop - findings.start
        shares = united_shares(masks) if as_one else masks.shares(findings.stop)[:, findings]
        named["areas"] = shares[chosen] if get_tags(summarizer).requires_fit else shares
    if supervision.sample_weight is not None and has_fit_parameter(summarizer, "sample_weight"):
        named["sample_weight"] = supervision.sample_weight[chosen]
    summarizer.fit(as_read(summarizer, reading.maps), target[chosen], **named)


def _first(estimator: Any) -> Any:
    """Find the estimator that sees the input first."""
    while True:
        if isinstance(estimator, Pipeline):
            estimator = next(step for _, step in estimator.steps if step not in _NOTHING)
        elif isinstance(estimator, FeatureUnion):
            estimator = next(part for _, part in estimator.transformer_list if part not in _NOTHING)
        elif hasattr(getattr(estimator, "estimator", None), "fit"):
            estimator = estimator.estimator
        else:
            return estimator


_NOTHING = (None, "passthrough", "drop")
