"""Which masks and labels are wrong? Those that models trained without them contradict."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone, is_classifier
from sklearn.utils import check_random_state

from segclf.base import supervise
from segclf.base.classifier import check_labels
from segclf.base.conflicts import ContradictionWarning
from segclf.base.spatial import channels_of, n_spatial
from segclf.data import ImagesLike, LabelsLike, MasksLike, as_images
from segclf.reports.audit.contradictions import Contradictions
from segclf.reports.known_spacings import known_spacings


@dataclass(frozen=True, kw_only=True)
class MaskAudit:
    """What `audit_masks` found, the most suspicious first; ``print`` it to read it.

    Parameters
    ----------
    masks : structured array of shape (n_masks,)
        Of every mask: ``sample``; ``fold``, in which it was held out; ``score`` from 0 to 1; the
        ``suspicion``: "missing" (a region is not annotated), "extra" (one is where nothing is),
        "confused" (annotated as another class), "misplaced" (several of these), or "" for none; and
        the areas in pixels (or in mm² or mm³), weighted by doubt, that are ``missing``, ``extra``
        and ``confused``. Of volumes also the ``slice`` where most is in doubt, counted from 0.
    labels : structured array of shape (n_labels,)
        Of every label: ``sample``; ``label``, its column in a multi-label indicator, else 0;
        ``fold``; ``score`` from 0 to 1; ``given``, the label; and ``expected``, what it should be
        (as it is, where the score is 0).
    """

    masks: NDArray[Any]
    labels: NDArray[Any]

    def to_dict(self) -> dict[str, list[dict[str, Any]]]:
        """Return both tables as lists of plain rows, for JSON."""
        return {"masks": _rows(self.masks), "labels": _rows(self.labels)}

    def __str__(self) -> str:
        """Return the most suspicious masks and labels as lines of text."""
        masks = [f"{_start(row)}   {row['suspicion']}{_place(row)}" for row in self.masks[:10]]
        labels = [
            f"{_start(row)}   {row['given']} -> {row['expected']}"
            for row in self.labels[:10]
            if row["score"] > 0
        ]
        heads = [f"{name:<8} score   suspicion" for name in ("Mask", "Label")]
        return "\n".join([heads[0], *masks, heads[1], *labels])


def audit_masks(
    estimator: Any,
    X: ImagesLike,
    y: LabelsLike | None,
    masks: MasksLike | None,
    *,
    cv: Any = 5,
    groups: ArrayLike | None = None,
    spacing: ArrayLike | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> MaskAudit:
    """Rank masks and labels by how surely a model that never saw them says otherwise.

    Each fold's answers are compared with what a model trained on the other folds predicts, by
    a measure of confident learning (Northcutt, Jiang and Chuang, JAIR 70, 2021): the probability of
    a class over its mean where the class is given. An answer is in doubt by the share that it falls
    short of the likeliest class.
    A mask's score is the area in doubt over the area that is annotated or should be, yet at least
    the median area of the annotated ones, so that a stray pixel in an empty mask weighs little. Of
    predicted maps, those of 16 images, or of one volume, at a time are in memory.

    Parameters
    ----------
    estimator : classifier with ``predict_mask_proba``, or segmenter
        Cloned and trained once for each fold.
    X : array, list, paths or tensor
        The n images.
    y : array of shape (n,) or (n, k), or None
        Labels, -1 where unlabeled; None for a segmenter, whose labels nobody can doubt.
    masks : array or list
        Mask ids, or multi-label masks; -1 and None where nobody annotated.
    cv : int or splitter
        Folds, stratified and with whole groups where a number; it must test every image of which
        something is labeled once. The others are trained on throughout.
    groups : array of shape (n,), optional
        Such as the patient of each image.
    spacing : array-like of shape (n_spatial,) or (n, n_spatial), optional
        Millimeters of a pixel along each spatial axis, of all images or of each: areas are then in
        mm², of volumes in mm³. Of volumes in files the headers say it by default.
    random_state : int, RandomState or None
        Seed of the folds.

    Returns
    -------
    MaskAudit

    Raises
    ------
    ValueError
        If the estimator predicts no masks, or a segmenter is given `y`, or `cv` does not test every
        image once.

    Examples
    --------
    >>> from segclf import SegmentationClassifier, SupervisedSegmenter
    >>> from segclf.datasets import make_shapes
    >>> from segclf.reports import audit_masks
    >>> shapes = make_shapes(12, image_size=32, n_objects=3, random_state=0)
    >>> segmenter = SupervisedSegmenter(encoder="tiny", max_epochs=1)
    >>> classifier = SegmentationClassifier(segmenter=segmenter, random_state=0)
    >>> audit = audit_masks(
    ...     classifier, shapes.images, shapes.target, shapes.masks, cv=2, random_state=0
    ... )
    >>> len(audit.masks), len(audit.labels)
    (12, 12)
    """
    comparison = _check(estimator, X, y, masks, groups, spacing)
    supervision = comparison.supervision
    seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    mask_tables, label_tables = [], []
    for fold, (train, test) in enumerate(supervision.folds(cv, seed=seed)):
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", ContradictionWarning
            )  # to tell them is what this is for
            fitted = supervision.subset(train).fit(clone(estimator))
        mask_tables.append(comparison.mask_table(fitted, test, fold))
        label_tables.append(comparison.label_table(fitted, test, fold))
    return MaskAudit(masks=_ranked(mask_tables), labels=_ranked(label_tables))


def _check(
    estimator: Any,
    X: Any,
    y: ArrayLike | None,
    masks: Any,
    groups: ArrayLike | None,
    spacing: ArrayLike | None,
) -> Contradictions:
    classifies = is_classifier(estimator)
    if classifies and not hasattr(estimator, "predict_mask_proba"):
        raise ValueError(f"{estimator!r:.120} predicts no masks; expected predict_mask_proba.")
    if not classifies and y is not None:
        raise ValueError("A segmenter predicts no labels to compare y with; expected y=None.")
    images = as_images(X, n_spatial=n_spatial(estimator), channels=channels_of(estimator))
    target, classes = check_labels(y, len(images)) if classifies else (None, None)
    supervision = supervise(X, images=images, masks=masks, y=y, target=target, groups=groups)
    known = known_spacings(images, spacing)
    return Contradictions(
        supervision, classes, np.ones(len(images)) if known is None else known.prod(axis=1)
    )


def _ranked(tables: list[NDArray[Any]]) -> NDArray[Any]:
    table = np.concatenate(tables)
    return table[np.argsort(-table["score"], kind="stable")]


def _rows(table: NDArray[Any]) -> list[dict[str, Any]]:
    return [dict(zip(table.dtype.names or (), row.tolist(), strict=True)) for row in table]


def _place(row: Any) -> str:
    return f" (slice {row['slice']})" if "slice" in row.dtype.names and row["score"] > 0 else ""


def _start(row: Any) -> str:
    return f"{row['sample']:>8}  {row['score']:>4.2f}"
