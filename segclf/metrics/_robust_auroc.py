"""AUROC without a spurious correlation, such as that of chest tubes with pneumothorax."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import roc_auc_score


def robust_auroc(y_true: ArrayLike, y_score: ArrayLike, attribute: ArrayLike) -> float:
    """Compute AUROC on the samples that do not show a spurious correlation.

    These are the positives without the attribute and the negatives with it: "patients with
    pneumothorax but no chest tube or patients without pneumothorax but do have a chest tube"
    (Hooper et al., S4C, section 5). A model that relies on the attribute scores below one half.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        0 or 1; -1 where unlabeled. Unlabeled samples are not scored.
    y_score : array-like of shape (n,)
        Scores, higher where class 1 is more likely.
    attribute : array-like of shape (n,)
        0 or 1: the attribute that correlates with positives (if it correlates with negatives, give
        its opposite); -1 where unlabeled. Unlabeled samples are not scored.

    Returns
    -------
    float
        Between 0 and 1; NaN if there is no such positive or no such negative.

    Raises
    ------
    ValueError
        If lengths differ, or `y_true` or `attribute` hold other values.

    Examples
    --------
    >>> from segclf.metrics import robust_auroc
    >>> y_true, tube = [1, 1, 1, 0, 0, 0], [1, 1, 0, 1, 0, 0]
    >>> robust_auroc(y_true, [0.9, 0.8, 0.3, 0.6, 0.1, 0.2], tube)  # follows the tube
    0.0
    """
    return float(auroc_by_attribute(y_true, y_score, attribute)[0, 1])


def auroc_by_attribute(
    y_true: ArrayLike, y_score: ArrayLike, attribute: ArrayLike
) -> NDArray[np.float64]:
    """Compute AUROC for each pair of subgroups: positives and negatives, by an attribute.

    Parameters
    ----------
    y_true, y_score, attribute : array-like of shape (n,)
        As in :func:`robust_auroc`.

    Returns
    -------
    array of shape (2, 2)
        Rows: positives without and with the attribute; columns: negatives without and with it.
        ``[0, 1]`` is :func:`robust_auroc`; ``[1, 0]`` is its opposite, on the samples that show
        the correlation; `numpy.nanmin` is that of the worst pair. NaN where a subgroup is empty.

    Raises
    ------
    ValueError
        As :func:`robust_auroc`.

    Examples
    --------
    >>> from segclf.metrics import auroc_by_attribute
    >>> y_true, tube = [1, 1, 1, 0, 0, 0], [1, 1, 0, 1, 0, 0]
    >>> auroc_by_attribute(y_true, [0.9, 0.8, 0.3, 0.6, 0.1, 0.2], tube)
    array([[1., 0.],
           [1., 1.]])
    """
    y_true, attribute = _binary("y_true", y_true), _binary("attribute", attribute)
    y_score = np.asarray(y_score)
    if not y_true.shape == y_score.shape == attribute.shape:
        raise ValueError(
            "y_true, y_score and attribute need equal shapes (n,), got "
            f"{y_true.shape}, {y_score.shape} and {attribute.shape}."
        )
    cells = [
        [y_score[(y_true == label) & (attribute == value)] for value in (0, 1)] for label in (0, 1)
    ]
    return np.array(
        [[_auroc(positives, negatives) for negatives in cells[0]] for positives in cells[1]]
    )


def _binary(name: str, values: ArrayLike) -> NDArray[Any]:
    values = np.asarray(values)
    if values.ndim != 1 or not np.isin(values, (-1, 0, 1)).all():
        found = np.unique(values)[:5].tolist()
        raise ValueError(f"{name} must be (n,) of 0, 1 and -1, got {values.shape} with {found}.")
    return values


def _auroc(positives: NDArray[Any], negatives: NDArray[Any]) -> float:
    if not (len(positives) and len(negatives)):
        return float("nan")
    truth = np.repeat([1, 0], [len(positives), len(negatives)])
    return float(roc_auc_score(truth, np.concatenate([positives, negatives])))
