"""Find probably wrong masks and labels: those contradicted by models trained without them."""

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
from segclf.progress import counted
from segclf.reports.audit.contradictions import Contradictions
from segclf.reports.known_spacings import known_spacings


@dataclass(frozen=True, kw_only=True)
class MaskAudit:
    """The result of `audit_masks`, the most suspicious first; ``print`` it to read it.

    Parameters
    ----------
    masks : structured array of shape (n_masks,)
        One row for each mask: ``sample``; ``fold``, in which it was held out; ``score`` from 0 to
        1; the ``suspicion``: "missing" (a region is not annotated), "extra" (background is
        annotated), "confused" (annotated as another class), "misplaced" (several of these), or ""
        for none; and the areas in pixels (or in mm² or mm³), weighted by doubt, that are
        ``missing``, ``extra`` and ``confused``. For volumes also the most doubtful ``slice``,
        counted from 0.
    labels : structured array of shape (n_labels,)
        One row for each label: ``sample``; ``label``, its column in a multi-label indicator, else
        0; ``fold``; ``score`` from 0 to 1; ``given``, the label; and ``expected``, the likeliest
        label (the given one if the score is 0).
    """

    masks: NDArray[Any]
    labels: NDArray[Any]

    def to_dict(self) -> dict[str, list[dict[str, Any]]]:
        """Return both tables as lists of plain rows, for JSON."""
        return {"masks": _rows(self.masks), "labels": _rows(self.labels)}

    def __repr__(self) -> str:
        return f"MaskAudit({len(self.masks)} masks, {len(self.labels)} labels)"

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
    """Rank masks and labels by how confidently a model that never saw them contradicts them.

    The annotations of each fold are compared with the predictions of a model trained on the other
    folds. Following confident learning (Northcutt, Jiang and Chuang, JAIR 70, 2021), the
    probability of a class is divided by its mean where the class is given. The doubt of an
    annotation is the share by which its class falls short of the likeliest one.

    A mask's score is the doubtful area over the area that is annotated or should be. This area
    counts as at least the median annotated area, so that a stray pixel in an empty mask has little
    weight. Predicted maps of 16 images, or of one volume, are in memory at a time.

    Parameters
    ----------
    estimator : classifier with ``predict_mask_proba``, or segmenter
        It is cloned and trained once for each fold.
    X : array, list, paths or tensor
        The n images.
    y : array of shape (n,) or (n, k), or None
        Labels, -1 where unlabeled; None for a segmenter, which predicts no labels.
    masks : array or list
        Mask ids, or multi-label masks; -1 and None where unlabeled.
    cv : int or splitter
        Folds. A number gives stratified folds that keep groups together; a splitter must test
        every labeled image exactly once. Unlabeled images are in every training set.
    groups : array of shape (n,), optional
        Group of each image, such as its patient.
    spacing : array-like of shape (n_spatial,) or (n, n_spatial), optional
        Size of a pixel along each spatial axis in millimeters, for all images or for each. Areas
        are then in mm² (volumes in mm³). For volumes in files the headers give the default.
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
    folds = supervision.folds(cv, seed=seed)
    of_folds = counted(folds, "audit", total=len(folds), unit="folds")
    for fold, (train, test) in enumerate(of_folds):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ContradictionWarning)  # the audit reports them anyway
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
