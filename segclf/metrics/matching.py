"""Match clusters to classes by the pixels that they share."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from segclf.axes import are_multilabel


def count_agreement(
    clusters: NDArray[np.int64], shares: NDArray[np.float64], n_clusters: int
) -> NDArray[np.float64]:
    """Count the pixels that each cluster shares with each class.

    Parameters
    ----------
    clusters : array of shape (n, h, w)
        The cluster of each pixel.
    shares : array of shape (n, n_classes, h, w)
        How much each pixel belongs to each class, from :func:`class_shares`.
    n_clusters : int
        Number of clusters.

    Returns
    -------
    array of shape (n_clusters, n_classes)

    Examples
    --------
    >>> import numpy as np
    >>> shares = class_shares(np.array([[[0, 1, 1, -1]]]), None, n_classes=2)
    >>> count_agreement(np.array([[[0, 0, 2, 1]]]), shares, n_clusters=3)
    array([[1., 1.],
           [0., 0.],
           [0., 1.]])
    """
    columns = np.moveaxis(shares, 1, 0).reshape(shares.shape[1], -1)
    found = [np.bincount(clusters.ravel(), column, minlength=n_clusters) for column in columns]
    return np.stack(found, axis=1)


def class_shares(
    masks: NDArray[np.int64], labels: NDArray[np.int64] | None, n_classes: int
) -> NDArray[np.float64]:
    """Return how much each pixel belongs to each class; 0 where unlabeled.

    Parameters
    ----------
    masks : array of shape (n, h, w) or (n, k, h, w)
        Mask ids, or multi-label masks of 0 and 1; -1 where unlabeled.
    labels : array of shape (n,) or (n, k), or None
        Mask ids of images without a mask; -1 for the others. A pixel of an image with label j > 0
        is half background and half j, since it may be either. Multi-label labels are ignored.
    n_classes : int
        Number of mask ids or channels.

    Returns
    -------
    array of shape (n, n_classes, h, w)
        For multi-label masks, -1 where the class is absent.
    """
    if are_multilabel(masks):
        return np.select([masks == 1, masks == 0], [1.0, -1.0], 0.0)
    ids = np.arange(n_classes)[:, None, None]
    shares = (masks[:, None] == ids).astype(np.float64)
    if labels is not None:
        label = labels[:, None, None, None]
        shares += ((ids == 0) | (ids == label)) * (label > 0) / 2
    return shares


def match_clusters(agreement: NDArray[np.float64], *, matching: str) -> NDArray[np.bool_]:
    """Assign each cluster to a class.

    Parameters
    ----------
    agreement : array of shape (n_clusters, n_classes)
        Number of pixels that each cluster shares with each class.
    matching : {"hungarian", "majority"}
        "majority" assigns each cluster to the class that it shares most pixels with, so a class
        may get no cluster. "hungarian" first gives one cluster to each class, with as many shared
        pixels in total as possible (the Hungarian method); the other clusters follow "majority".

    Returns
    -------
    array of shape (n_classes, n_clusters), bool
        One True for each cluster. A cluster that shares no pixels goes to the first class, the
        background, unless the Hungarian method assigns it to another.

    Examples
    --------
    >>> import numpy as np
    >>> agreement = np.array([[9.0, 5.0], [8.0, 1.0], [3.0, 0.0]])
    >>> match_clusters(agreement, matching="hungarian").astype(int)
    array([[0, 1, 1],
           [1, 0, 0]])
    >>> match_clusters(agreement, matching="majority").astype(int)
    array([[1, 1, 1],
           [0, 0, 0]])
    """
    n_classes = agreement.shape[1]
    classes = agreement.argmax(axis=1)
    if matching == "hungarian":
        clusters, chosen = linear_sum_assignment(agreement, maximize=True)
        classes[clusters] = chosen
    return np.asarray(np.arange(n_classes)[:, None] == classes)
