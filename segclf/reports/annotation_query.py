"""Choose the images to annotate next, by the model's uncertainty and by diversity.

Uncertainty alone selects near duplicates, and diversity alone selects easy images, so both are
usually combined (Settles, "Active learning literature survey", 2009, sections 3.1 and 3.5).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr
from sklearn.base import is_classifier
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from segclf.base.embedding import embed
from segclf.data import Images, ImagesLike
from segclf.data.dataset_rows import DatasetRows
from segclf.data.kinds import is_dataset
from segclf.progress import counted

IMAGES_AT_ONCE = 32
CANDIDATES = 10


def query(
    classifier: Any, X: ImagesLike, n: int, *, diversity: float = 0.5, encoder: Any = None
) -> NDArray[np.intp]:
    """Choose the images to annotate next, the most informative first.

    The uncertainty u of an image is its relative entropy, between 0 and 1. It is that of the label
    probabilities if the model predicts labels, that of the pixels if it predicts masks, and the
    mean of both if it predicts both. Pixels are averaged over the *uncertain region*, where a
    finding is at least half as probable as its maximum in the image, so that small findings count
    as much as large ones and faint background does not count. Of several labels or channels the
    most uncertain counts.

    Images are chosen from the 10 n most uncertain ones. The first is the most uncertain. Each
    further one maximizes ``u ** (1 - diversity) * d ** diversity``, where d is the distance to the
    nearest chosen image, between embeddings that are centered and scaled to length 1 (greedy
    k-center: Sener and Savarese, "Active learning for convolutional neural networks: a core-set
    approach", ICLR 2018). The choice is deterministic and uses no labels.

    Parameters
    ----------
    classifier : fitted classifier or segmenter
        A `SegmentationClassifier`, `MultitaskClassifier`, `ImageClassifier`, segmenter, or any
        classifier of images with ``predict_proba``.
    X : array, list, paths or tensor
        The images that are not labeled yet.
    n : int
        Number of images to choose.
    diversity : float, default=0.5
        From 0 (uncertainty only) to 1 (distance only).
    encoder : fitted transformer, optional
        Computes the embeddings, for example a `PretrainedEncoder`. By default the classifier's own
        network does.

    Returns
    -------
    array of shape (n,)
        Positions in `X`.

    Raises
    ------
    ValueError
        If there are fewer than `n` images, or `diversity` is out of range.
    TypeError
        If the classifier predicts no probabilities, or has no embeddings and `encoder` is None.

    Examples
    --------
    >>> from segclf import SegmentationClassifier, SupervisedSegmenter, query
    >>> from segclf.datasets import make_shapes
    >>> shapes = make_shapes(24, image_size=32, n_objects=3, random_state=0)
    >>> segmenter = SupervisedSegmenter(encoder="tiny", max_epochs=1)
    >>> classifier = SegmentationClassifier(segmenter=segmenter, random_state=0)
    >>> classifier = classifier.fit(shapes.images[:8], shapes.target[:8], masks=shapes.masks[:8])
    >>> query(classifier, shapes.images[8:], 3).shape
    (3,)
    """
    classifier = getattr(classifier, "best_estimator_", classifier)
    X = DatasetRows(X) if is_dataset(X) and not isinstance(X, Images) else X
    if not 1 <= n <= _num_samples(X):
        raise ValueError(f"n must be from 1 to the number of images, {_num_samples(X)}; got {n}.")
    if not 0 <= diversity <= 1:
        raise ValueError(f"diversity must be from 0 to 1, got {diversity}.")
    uncertainty = _uncertainty(classifier, X)
    pool = np.argsort(-uncertainty, kind="stable")[: CANDIDATES * n]
    if diversity == 0 or n == 1:
        return pool[:n]
    vectors = embed(classifier if encoder is None else encoder, _safe_indexing(X, pool))
    return pool[_spread(uncertainty[pool], vectors, n, diversity)]


def _uncertainty(classifier: Any, X: Any) -> NDArray[np.float64]:
    """Predict labels and masks in batches, and return the uncertainty of each image."""
    blocks = np.array_split(np.arange(_num_samples(X)), -(-_num_samples(X) // IMAGES_AT_ONCE))
    counts: Any = {"total": _num_samples(X), "unit": "images", "size": len}
    of_blocks = counted(blocks, "uncertainty", **counts)
    return np.concatenate([_of_block(classifier, _safe_indexing(X, rows)) for rows in of_blocks])


def _of_block(classifier: Any, X: Any) -> NDArray[np.float64]:
    parts = []
    if is_classifier(classifier) and hasattr(classifier, "predict_proba"):
        parts.append(_of_labels(classifier.predict_proba(X), _is_multilabel(classifier)))
    masks = "predict_mask_proba" if is_classifier(classifier) else "predict_proba"
    if hasattr(classifier, masks):
        maps, multilabel = getattr(classifier, masks)(X), _is_multilabel(classifier)
        parts.append(np.array([_of_map(np.asarray(each), multilabel) for each in maps]))
    if not parts:
        raise TypeError(
            f"{classifier!r:.120} predicts no probabilities; expected a classifier or segmenter "
            "with predict_proba."
        )
    return np.asarray(np.mean(parts, axis=0))


def _is_multilabel(classifier: Any) -> bool:
    return bool(getattr(classifier, "multilabel_", getattr(classifier, "_multilabel", False)))


def _of_labels(proba: NDArray[Any], multilabel: bool) -> NDArray[np.float64]:
    """Return the relative entropy (n,) of probabilities (n, k)."""
    if multilabel:
        return np.asarray(_of_two(proba).max(axis=1))
    return np.asarray(entr(proba).sum(axis=1) / np.log(proba.shape[1]))


def _of_map(proba: NDArray[Any], multilabel: bool) -> float:
    """Return the mean relative entropy of the uncertain region of maps (k, h, w)."""
    if multilabel:
        return max(_mean_of_region(channel, _of_two(channel)) for channel in proba)
    entropy = entr(proba).sum(axis=0) / np.log(max(len(proba), 2))
    return _mean_of_region(1 - proba[0], entropy)


def _mean_of_region(finding: NDArray[Any], entropy: NDArray[Any]) -> float:
    return float(entropy[finding >= finding.max() / 2].mean())


def _of_two(proba: NDArray[Any]) -> NDArray[Any]:
    return np.asarray((entr(proba) + entr(1 - proba)) / np.log(2))


def _spread(
    uncertainty: NDArray[np.float64], vectors: NDArray[Any], n: int, diversity: float
) -> NDArray[np.intp]:
    """Choose n uncertain candidates that are far from each other."""
    around = vectors.reshape(len(vectors), -1) - vectors.reshape(len(vectors), -1).mean(axis=0)
    length = np.linalg.norm(around, axis=1, keepdims=True)
    units = np.divide(around, length, out=np.zeros_like(around), where=length > 0)
    chosen, nearest = [0], np.full(len(units), np.inf)
    while len(chosen) < n:
        nearest = np.minimum(nearest, np.linalg.norm(units - units[chosen[-1]], axis=1))
        worth = uncertainty ** (1 - diversity) * nearest**diversity
        worth[chosen] = -1
        chosen.append(int(worth.argmax()))
    return np.array(chosen)
