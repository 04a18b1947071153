"""How well scores separate the images of each class from the others."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata


def mean_auroc(truth: NDArray[Any], scores: NDArray[Any]) -> float:
    """Average the area under the ROC curve of each class, one against the rest (Mann-Whitney).

    Parameters
    ----------
    truth : array of shape (n, k)
        1 where an image is of a class, else 0; -1 where unlabeled.
    scores : array of shape (n, k)
        Scores, higher where the class is more likely.

    Returns
    -------
    float
        Mean over the classes that some images show and others do not; NaN if there are none.
    """
    areas = []
    for said, column in zip(truth.T, scores.T, strict=True):
        positive, ranks = said[said != -1] == 1, rankdata(column[said != -1])
        n, n_positive = len(positive), int(positive.sum())
        if 0 < n_positive < n:
            n_wins = ranks[positive].sum() - n_positive * (n_positive + 1) / 2
            areas.append(n_wins / (n_positive * (n - n_positive)))
    return float(np.mean(areas)) if areas else float("nan")
