"""Supervision for classification through masks, and its two unfitted parts."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.validation import _num_samples

from segclf.axes import N_SPATIAL
from segclf.base import CalibratedSummarizer, Supervision, supervise
from segclf.base.classifier import check_labels
from segclf.base.conflicts import learn_negative_class
from segclf.base.front_door import check_weights, holds_images
from segclf.base.seeding import seed_part
from segclf.base.spatial import n_spatial
from segclf.base.validation_set import rows_of_validation, with_labeled_validation
from segclf.data import as_masks
from segclf.methods.segmentation.reading import hears_inside
from segclf.methods.supervised_segmenter import SupervisedSegmenter
from segclf.registry import make_plugin

_ENOUGH = 1000


def supervise_classes(
    classifier: Any, X: Any, y: Any, sample_weight: Any, masks: Any, groups: Any, *validation: Any
) -> tuple[Supervision, NDArray[np.int64]]:
    """Determine a classifier's classes, and which of them is the negative one.

    Returns
    -------
    Supervision
        For its segmenter, with the validation set (images, labels, masks), if any.
    array of shape (n,) or (n, k)
        For its summarizer: the labels as positions, the negative class first; or the indicator.
    """
    labels = check_labels(y, _num_samples(X), signs=not holds_images(X))
    masks = as_masks(masks, len(labels.encoded), n_spatial=n_spatial(classifier))
    classifier.classes_, classifier._multilabel = labels.classes, labels.multilabel
    negative_class = learn_negative_class(labels, masks, classifier.negative_class)
    classifier.negative_class_ = negative_class
    weights = check_weights(sample_weight, len(masks))
    of_images = labels.image_weights(classifier.class_weight)
    if of_images is not None:
        weights = of_images if weights is None else of_images * weights
    said: dict[str, Any] = {"masks": masks, "labels": labels.mask_ids(negative_class, masks)}
    classifier._n_united = masks.n_classes if labels.finds_in_any_channel(masks) else 0
    if classifier._n_united:  # labels of channels carry less
        said["target"] = labels.encoded
    supervision = supervise(X, **said, sample_weight=weights, groups=groups)
    X_val, y_val, masks_val = validation
    given = (rows_of_validation(classifier, X_val), y_val, masks_val)
    supervision = with_labeled_validation(supervision, labels, negative_class, *given)
    return supervision, labels.negative_first(negative_class)


def new_parts(classifier: Any) -> tuple[Any, Any]:
    """Return clones of a classifier's segmenter and summarizer, both seeded; calibrated, if asked.

    Raises
    ------
    ValueError
        If the summarizer reads a layer that the segmenter, or the ensemble, does not provide.
    """
    given = classifier.segmenter
    segmenter = SupervisedSegmenter() if given is None else clone(given)
    classifier._lend(segmenter)
    summarizer = clone(make_plugin("summarizer", classifier.summarizer))
    _require_volumes(summarizer, classifier)
    layer = getattr(summarizer, "layer", None)
    if layer is not None and classifier.ensemble:
        raise ValueError(
            f"The summarizer reads the layer {layer!r} of one segmenter, but ensemble=True keeps "
            "several, whose layers are not comparable; expected ensemble=False, or a summarizer of "
            "masks."
        )
    if layer is not None and not hasattr(segmenter, "embed_batches"):
        raise ValueError(
            f"The summarizer reads the layer {layer!r} of the segmenter, which "
            f"{type(segmenter).__name__} does not provide; expected a segmenter of segclf by "
            "itself, or a summarizer of masks."
        )
    if classifier.random_state is not None:
        random = check_random_state(classifier.random_state)
        for part in (segmenter, summarizer):
            seed_part(part, random.randint(np.iinfo(np.int32).max))
    if classifier.calibrate is not None:
        summarizer = CalibratedSummarizer(summarizer, method=classifier.calibrate)
    return segmenter, summarizer


def _require_volumes(summarizer: Any, classifier: Any) -> None:
    if n_spatial(classifier) != N_SPATIAL and not getattr(summarizer, "reads_volumes", True):
        raise ValueError(
            f"The summarizer {type(summarizer).__name__} reads maps of images, but the segmenter's "
            'are of volumes; expected one that reads both, such as "threshold", "joint", '
            '"mask_features", "pooled" or "fully_connected".'
        )


def rows_to_learn(summarizer: Any, target: NDArray[np.int64]) -> NDArray[np.intp]:
    """Choose all labeled images, or one of each class if the summarizer does not learn from masks.

    A summarizer that reads features inside findings gets a thousand at random: all their maps are
    in memory, and a linear model gains little from more.
    """
    chosen = np.flatnonzero((target.reshape(len(target), -1) >= 0).all(1))
    firsts = chosen[np.unique(target[chosen], axis=0, return_index=True)[1]]
    if not get_tags(summarizer).requires_fit:
        return np.sort(firsts)
    if not hears_inside(summarizer) or len(chosen) <= _ENOUGH:
        return chosen
    others = np.setdiff1d(chosen, firsts)
    some = np.random.default_rng(0).permutation(others)[: max(0, _ENOUGH - len(firsts))]
    return np.sort(np.concatenate([firsts, some]))
