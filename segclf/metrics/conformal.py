"""Split conformal prediction: sets of labels that contain the true label at a given rate.

Vovk, Gammerman and Shafer, "Algorithmic learning in a random world", 2005; Angelopoulos and Bates,
"Conformal prediction: a gentle introduction", Foundations and Trends in Machine Learning 2023.
"""

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segclf.axes import is_indicator

Method = Literal["lac", "aps"]


def conformal_threshold(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    level: float = 0.9,
    method: Method = "lac",
    per_class: bool = False,
    groups: ArrayLike | None = None,
) -> float | NDArray[np.float64]:
    """Find the threshold that a label's score must not exceed to be in a prediction set.

    Use calibration images that the classifier was not trained on. The set of a new image then
    contains its true label with a probability of at least `level`, and of at most
    ``level + 1 / (n + 1)`` if no two scores are equal, for any classifier. This holds if the n
    calibration images and the new one are *exchangeable*, such as independent samples of one
    distribution. Images of another hospital are not. Several images of one patient are not
    exchangeable with those of a new patient either; give their `groups`.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, k)
        Class numbers, which are columns of `y_proba`; or a multi-label indicator, for which each
        label gets its own threshold from the images that show it. -1 where unlabeled.
    y_proba : array-like of shape (n, k)
        Probabilities of all classes or labels.
    level : float, default=0.9
        Probability that the set contains the true label, in (0, 1).
    method : {"lac", "aps"}, default="lac"
        Score of a label, higher if it is less probable. "lac" is one minus its probability and
        gives the smallest sets (Sadinle, Lei and Wasserman, JASA 2019). "aps" is the sum of all
        probabilities that are at least as high as its own. Its sets are larger, but their coverage
        is more even between easy and hard images (Romano, Sesia and Candès, NeurIPS 2020; without
        their randomization, so coverage tends to exceed the level).
    per_class : bool, default=False
        Whether the level holds within each class (Mondrian), not only on average. Each class then
        needs as many images as the whole would otherwise.
    groups : array-like of shape (n,), optional
        Group of each image, such as its patient. A group counts once, by its worst image. The sets
        of all images of a new group are then jointly right with a probability of `level`.

    Returns
    -------
    float or array of shape (k,)
        The ``ceil((n + 1) * level)``-th smallest score. If there are too few images (9 are needed
        for .9, 19 for .95), it is infinite and sets contain every label. With `per_class` or an
        indicator, an array of one threshold for each class or label.

    Raises
    ------
    ValueError
        If shapes, labels or probabilities do not fit, or `level` is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.metrics import conformal_sets, conformal_threshold
    >>> of_true = np.arange(10, 20) / 20  # of 10 images of class 0
    >>> y_proba = np.stack([of_true, 1 - of_true], axis=1)
    >>> threshold = conformal_threshold(np.zeros(10, int), y_proba, level=0.8)
    >>> round(threshold, 2)
    0.45
    >>> conformal_sets([[0.9, 0.1], [0.5, 0.5], [0.6, 0.4]], threshold).tolist()
    [[True, False], [False, False], [True, False]]
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, got {level}.")
    scores = _scores(y_proba, method)
    truth = _indicator(np.asarray(y_true), scores.shape)
    units = np.arange(len(scores)) if groups is None else np.asarray(groups)
    if units.shape != (len(scores),):
        raise ValueError(f"groups must be of shape ({len(scores)},), got {units.shape}.")
    if per_class or is_indicator(y_true):
        columns = zip(scores.T, truth.T, strict=True)
        return np.array([_quantile(s[t], units[t], level) for s, t in columns])
    labeled = truth.any(axis=1)
    return _quantile(scores[truth], units[labeled], level)


def conformal_sets(
    y_proba: ArrayLike, threshold: float | ArrayLike, *, method: Method = "lac"
) -> NDArray[np.bool_]:
    """Return which labels are in the prediction set of each image.

    Parameters
    ----------
    y_proba : array-like of shape (n, k)
        Probabilities of all classes or labels.
    threshold : float or array-like of shape (k,)
        From :func:`conformal_threshold`.
    method : {"lac", "aps"}, default="lac"
        The method that was given to :func:`conformal_threshold`.

    Returns
    -------
    bool array of shape (n, k)
        Whether each label is in the set. A set with several labels means that the classifier is
        uncertain; an empty one, that the image resembles no class.

    Raises
    ------
    ValueError
        If shapes or probabilities do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.metrics import conformal_sets
    >>> conformal_sets(np.array([[0.9, 0.1], [0.6, 0.4]]), 0.7)
    array([[ True, False],
           [ True,  True]])
    """
    scores, limit = _scores(y_proba, method), np.asarray(threshold, dtype=np.float64)
    if limit.shape not in ((), scores.shape[1:]):
        raise ValueError(
            f"threshold must be a number or of shape {scores.shape[1:]}, got {limit.shape}."
        )
    return np.asarray(scores <= limit)


def _scores(y_proba: ArrayLike, method: str) -> NDArray[np.float64]:
    """Return the score of each label (n, k), higher if it is less probable."""
    proba = np.asarray(y_proba, dtype=np.float64)
    if not is_indicator(proba) or not ((proba >= 0) & (proba <= 1)).all():
        raise ValueError(f"Expected probabilities (n, k) in [0, 1], got shape {proba.shape}.")
    if method not in METHODS:
        raise ValueError(f"No method named {method!r}; known: {', '.join(METHODS)}.")
    return METHODS[method](proba)


def _as_high(proba: NDArray[np.float64]) -> NDArray[np.float64]:
    as_high = proba[:, None, :] >= proba[:, :, None]
    return np.asarray((as_high * proba[:, None, :]).sum(axis=2))


METHODS: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "lac": lambda proba: 1 - proba,
    "aps": _as_high,
}


def _indicator(y: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which labels (n, k) are true; none for an unlabeled image."""
    n, k = shape
    if y.shape == shape and np.isin(y, (-1, 0, 1)).all():
        return np.asarray(y == 1)
    if y.shape != (n,) or not np.isin(y, np.arange(-1, k)).all():
        raise ValueError(
            f"y_true must hold numbers of {k} classes (or -1) for {n} images, or be an indicator "
            f"{shape} of 0, 1 and -1; got shape {y.shape} with values {np.unique(y)[:9].tolist()}."
        )
    return np.asarray(y[:, None] == np.arange(k))


def _quantile(scores: NDArray[np.float64], units: NDArray[Any], level: float) -> float:
    """Return the conformal quantile of the scores; the highest score of each unit counts."""
    _, codes = np.unique(units, return_inverse=True)
    worst = np.full(codes.max(initial=-1) + 1, -np.inf)
    np.maximum.at(worst, codes, scores)
    rank = math.ceil(round((len(worst) + 1) * level, 9))  # .55 * 100 > 55
    return float(np.sort(worst)[rank - 1]) if rank <= len(worst) else math.inf
