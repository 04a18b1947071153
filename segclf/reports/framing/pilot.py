"""Decide whether to label masks: S4C's argument, measured on given data.

Hooper, Chen, Saab, Bhatia, Langlotz and Ré, "A case for reframing automated medical image
classification as segmentation", NeurIPS 2023, sections 2 and 5: segmenting pays where targets are
small and images few, and it costs more per image.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from segclf.base import supervise
from segclf.base.classifier import check_labels
from segclf.base.conflicts import check_agreement, find_negative_class
from segclf.base.negative_class import class_ranks
from segclf.base.spatial import refuse_volumes
from segclf.data import ImagesLike, LabelsLike, MasksLike, as_images, as_masks
from segclf.methods.image_classifier import ImageClassifier
from segclf.methods.segmentation import SegmentationClassifier
from segclf.reports.framing.equal_steps import equal_steps
from segclf.reports.framing.findings import Findings
from segclf.reports.framing.learning_curves import Contest
from segclf.reports.framing.patches import estimate_divergence
from segclf.reports.framing.result import FramingReport


def framing_report(
    X: ImagesLike,
    y: LabelsLike,
    masks: MasksLike | None,
    *,
    cost_per_mask: float,
    cost_per_label: float,
    segmentation: Any = None,
    classification: Any = None,
    train_sizes: ArrayLike = (0.25, 0.5, 1.0),
    cv: Any = 3,
    groups: ArrayLike | None = None,
    encoder: Any = None,
    patch_size: int = 9,
    n_patches: int = 2000,
    n_resamples: int = 1000,
    level: float = 0.95,
    random_state: int | np.random.RandomState | None = None,
) -> FramingReport:
    """Decide whether masks are worth labeling, from a pilot set with both labels and masks.

    Segmentation and classification are trained on the same growing sets of images. Segmentation is
    trained once more on as many images as can get masks for the cost of all labels. The verdict
    compares both at this equal cost.

    The networks of both are trained for the same number of steps at each size; at equal cost, for
    the steps of all labels. This number is the ``max_steps`` that either sets, otherwise the larger
    of their own numbers. An estimator that sets ``max_steps`` keeps its value, and estimators
    without ``max_steps`` are not changed.

    Parameters
    ----------
    X : array, list, paths or tensor
        The images.
    y : array of shape (n,) or (n, k)
        Labels with one negative class, which the ``negative_class`` of `segmentation` names; or an
        indicator. Images without a label are left out.
    masks : array or list
        Mask ids, or multi-label masks; None for an image without a mask. A positive image without
        a mask is used for testing only. A negative image has an empty mask at no cost.
    cost_per_mask, cost_per_label : float
        Costs in any unit, such as minutes of an expert. Every image costs a label, and every
        positive image with a mask costs a mask in addition.
    segmentation, classification : classifier, optional
        The two framings; by default the library's defaults, which share one encoder.
    train_sizes : array-like
        Numbers of training images, increasing; floats are shares of all.
    cv : int or splitter
        Folds. A number gives stratified folds that keep groups together; a splitter must test
        every image exactly once.
    groups : array of shape (n,), optional
        Group of each image, such as its patient. `cv` and the bootstrap keep groups together.
    encoder : transformer, optional
        Fitted transformer from patches (m, p, p, c) to features (m, d), such as a pretrainer; by
        default statistics of the patch.
    patch_size : int
        Height and width p of the patches in pixels, odd.
    n_patches : int
        Number of patches to sample from outside the masks, and from inside.
    n_resamples : int
        Resamples of the bootstrap over test images (or groups); models are not trained again.
    level : float
        Level of the intervals.
    random_state : int, RandomState or None
        Seed of folds, orders, patches and bootstraps, and of the default estimators.

    Returns
    -------
    FramingReport

    Raises
    ------
    ValueError
        If no mask shows a finding, no image is negative, sizes do not fit, or `cv` does not test
        every image once.

    Examples
    --------
    >>> from segclf import ImageClassifier, SegmentationClassifier, SupervisedSegmenter
    >>> from segclf.datasets import make_shapes
    >>> from segclf.reports import framing_report
    >>> shapes = make_shapes(16, image_size=32, n_objects=3, random_state=0)
    >>> small = {"encoder": "tiny", "max_epochs": 1}
    >>> report = framing_report(
    ...     shapes.images,
    ...     shapes.target,
    ...     shapes.masks,
    ...     cost_per_mask=3.0,
    ...     cost_per_label=1.0,
    ...     segmentation=SegmentationClassifier(segmenter=SupervisedSegmenter(**small)),
    ...     classification=ImageClassifier(**small),
    ...     train_sizes=[1.0],
    ...     cv=2,
    ...     n_patches=100,
    ...     n_resamples=100,
    ...     random_state=0,
    ... )
    >>> report.verdict in ("masks", "labels", "unclear"), report.n_images
    (True, 16)
    """
    seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    refuse_volumes(segmentation, "framing_report")
    chosen = getattr(segmentation, "negative_class", None)
    findings = _labeled(X, y, masks, groups, "auto" if chosen is None else chosen)
    folds = findings.supervision.folds(cv, seed=seed)
    contest = Contest(findings, folds, cost_per_mask, cost_per_label, seed)
    patches = {"encoder": encoder, "patch_size": patch_size, "n_patches": n_patches}
    bootstrap: dict[str, Any] = {"n_resamples": n_resamples, "level": level, "random_state": seed}
    divergence = estimate_divergence(findings, **patches, **bootstrap)
    outcome = _hold(contest, segmentation, classification, train_sizes, **bootstrap)
    return FramingReport(**_facts(findings), divergence=divergence, **outcome, level=level)


def _labeled(
    X: Any, y: ArrayLike, masks: Any, groups: ArrayLike | None, negative_class: Any
) -> Findings:
    """Drop images without a label, and check the others."""
    images = as_images(X)
    labels, masks = check_labels(y, len(images)), as_masks(masks, len(images))
    negative = find_negative_class(labels, masks, negative_class)
    target = labels.negative_first(negative)
    supervision = supervise(X, images=images, masks=masks, y=y, target=target, groups=groups)
    kept = np.flatnonzero((labels.encoded.reshape(len(images), -1) >= 0).all(axis=1))
    order = np.argsort(class_ranks(labels.classes, negative))
    n_findings = len(labels.classes) - (not labels.multilabel)
    findings = Findings(supervision.subset(kept), n_findings, order)
    if not findings.target_sizes.any():
        raise ValueError("No mask of a positive image shows a finding; expected at least one.")
    if findings.positive.all():
        raise ValueError("Every image is positive; expected some negative images.")
    check_agreement(labels, masks, negative)
    return findings


def _facts(findings: Findings) -> dict[str, Any]:
    return {
        "n_images": len(findings.labels),
        "n_positive": int(findings.positive.sum()),
        "n_masks": int(findings.masks.labeled.sum()),
        "n_pixels": int(findings.region_sizes.sum()),
        "target_sizes": findings.target_sizes,
    }


def _hold(
    contest: Contest,
    segmentation: Any,
    classification: Any,
    train_sizes: ArrayLike,
    **bootstrap: Any,
) -> dict[str, Any]:
    """Train both framings, and compare them at equal cost and on the same images."""
    if segmentation is None:
        segmentation = SegmentationClassifier(random_state=contest.seed)
    if classification is None:
        classification = ImageClassifier(random_state=contest.seed)
    sizes = contest.sizes(train_sizes)
    cheaper = contest.affordable(sizes[-1])
    steps = equal_steps([segmentation, classification], sizes)
    labels = contest.curve(classification, sizes, steps, masks=False)
    masks = contest.curve(segmentation, sizes, steps, masks=True)
    affordable = None
    if cheaper is not None:
        affordable = contest.curve(segmentation, cheaper, steps[-1:], masks=True)
    return {
        "classification": labels,
        "segmentation": masks,
        "affordable": affordable,
        "equal_cost": None if affordable is None else contest.gain(affordable, labels, **bootstrap),
        "same_images": contest.gain(masks, labels, **bootstrap),
    }
