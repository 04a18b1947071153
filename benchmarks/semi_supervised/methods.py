"""The methods of ``benchmarks.semi_supervised``: how each learns from a cell."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt
from segclf_plugins.pseudo_labelers import (
    BoostedLabeler,
    ConsistencyLabeler,
    GradCAMLabeler,
    IRNetBoundaries,
    IRNetLabeler,
    ThresholderLabeler,
)
from segclf_plugins.thresholders import OtsuThresholder
from sklearn.frozen import FrozenEstimator

from benchmarks.semi_supervised.cells import Cell
from benchmarks.semi_supervised.settings import (
    TWO_STREAMS,
    WALK,
    WALK_THRESHOLDS,
)
from benchmarks.shared.real_sets import boxed
from segclf import (
    ConsistencySegmenter,
    CrossTeachingSegmenter,
    DistilledSegmenter,
    PiCIESegmenter,
    PseudoLabelSemiSupervised,
    SegmentationClassifier,
    WeakToStrongSegmenter,
)
from segclf.metrics import mean_iou


class Method(NamedTuple):
    """A method, and its approximate number of trainings."""

    fit: Callable[[Cell, Any], Any]
    n_fits: int = 1


def pseudo(
    cell: Cell, labeler: Any, probability: float | None = None, *, guard: bool = False
) -> PseudoLabelSemiSupervised:
    """Make what learns from the masks that a labeler predicts; unguarded, if they help or not."""
    return PseudoLabelSemiSupervised(
        cell.segmenter(),
        labeler=labeler,
        expert_probability=probability,
        baseline=guard,
        random_state=cell.seed,
    )


def empty_masks(cell: Cell, **changes: Any) -> Any:
    return cell.segmenter(**changes).fit(cell.images, cell.few, labels=cell.labels)


def self_training(cell: Cell, _: None) -> Any:
    return pseudo(cell, "self_training").fit(cell.images, cell.few)


def by_labels(cell: Cell, labeler: Any, probability: float | None = None) -> Any:
    """Pass all labels to a labeler."""
    learner = pseudo(cell, labeler, probability)
    return learner.fit(cell.images, cell.few, labels=cell.labels)


def guarded(cell: Cell, _: None) -> Any:
    learner = pseudo(cell, "boosted", guard=True)
    return learner.fit(cell.images, cell.few, labels=cell.labels)


def grad_cam(cell: Cell, probability: float | None) -> Any:
    labeler = GradCAMLabeler(
        classifier=FrozenEstimator(cell.classifier), layer=cell.setting["layer"]
    )
    return by_labels(cell, labeler, probability)


class FittingIRNet(IRNetLabeler):
    """IRNet with a threshold chosen on the given masks."""

    def fit(self, X: Any, y: Any = None, *, labels: Any = None) -> Any:
        super().fit(X, y, labels=labels)
        rows = np.flatnonzero([mask is not None and mask.any() for mask in y])
        truth = [y[row] for row in rows]

        def score(threshold: float) -> float:
            self.threshold = threshold
            found = self.predict(X[rows], labels=labels[rows])
            return mean_iou(truth, np.maximum(found, 0).astype(np.uint8), n_classes=2)

        self.threshold = max(WALK_THRESHOLDS, key=score)
        return self


def irnet(cell: Cell, _: None) -> Any:
    boundaries = IRNetBoundaries(radius=5, max_steps=cell.setting["boundary_steps"])
    labeler = FittingIRNet(
        classifier=FrozenEstimator(cell.classifier),
        boundaries=boundaries,
        layer=cell.setting["layer"],
        **WALK,
    )
    return by_labels(cell, labeler)


def thresholder(cell: Cell, _: None) -> Any:
    """Take as findings what is bright, or what is dark: the one that fits the given masks."""
    rows = np.flatnonzero(cell.given & (cell.labels == 1))
    truth = [cell.masks[row] for row in rows]

    def labeler(polarity: str) -> ThresholderLabeler:
        return ThresholderLabeler(thresholder=OtsuThresholder(polarity=polarity))

    def score(polarity: str) -> float:
        images, labels = cell.images[rows], cell.labels[rows]
        found = labeler(polarity).fit(images, truth).predict(images, labels=labels)
        return mean_iou(truth, np.asarray(found).astype(np.uint8), n_classes=2)

    return by_labels(cell, labeler(max(("bright", "dark"), key=score)))


def consistent(cell: Cell) -> ConsistencySegmenter:
    parameters = cell.frozen(**TWO_STREAMS)
    return ConsistencySegmenter(architecture="hypercolumn", loss="dice_cross_entropy", **parameters)


def taught_by_consistency(cell: Cell, _: None) -> Any:
    """Learn a consistent teacher's masks (S4C's reference [32]), without labels of images."""
    return pseudo(cell, ConsistencyLabeler(teacher=consistent(cell))).fit(cell.images, cell.few)


def consistent_views(cell: Cell) -> WeakToStrongSegmenter:
    return WeakToStrongSegmenter(**cell.default | TWO_STREAMS)


def weak_to_strong(cell: Cell, labels: np.ndarray | None = None) -> Any:
    return consistent_views(cell).fit(cell.images, cell.few, labels=labels)


def cross_teaching(cell: Cell, _: None) -> Any:
    """Let two heads of one encoder teach each other, without a pretrained transformer."""
    parameters = cell.frozen(**TWO_STREAMS)
    encoder, weights = parameters.pop("encoder"), parameters.pop("encoder_weights")
    segmenter = CrossTeachingSegmenter(
        cnn=encoder,
        cnn_weights=weights,
        cnn_architecture="hypercolumn",
        transformer=encoder,
        transformer_weights=weights,
        transformer_architecture="fpn",
        **parameters,
    )
    return segmenter.fit(cell.images, cell.few)


def distilled(cell: Cell, teacher: Any, temperature: float = 1.0, on: str = "masks_too") -> Any:
    student = DistilledSegmenter(
        FrozenEstimator(teacher),
        cell.segmenter(),
        temperature=temperature,
        on=on,
        random_state=cell.seed,
    )
    return student.fit(cell.images, cell.few)


def teacher_with_more(cell: Cell) -> Any:
    assert cell.fraction is not None
    return cell.with_fraction(2 * cell.fraction).alone()


def fine_tuned(cell: Cell) -> Any:
    return cell.alone(encoder_rate=0.1, encoder_start=0.5)


def clusters(cell: Cell, _: None) -> Any:
    """Cluster pixels without a mask; all masks of training name the clusters."""
    parameters = cell.frozen(learning_rate=1e-3)
    segmenter = PiCIESegmenter(n_clusters=cell.setting["n_clusters"], **parameters)
    return segmenter.fit(cell.images[cell.there], cell.masks_of(cell.there))


def dilated_truth(cell: Cell, iou: float) -> Any:
    """Learn from masks with a known error: true ones, dilated where they are not given."""
    masks = list(cell.few)
    rows = np.flatnonzero(cell.there & ~cell.given & (cell.labels == 1))
    for row, mask in zip(rows, dilated([cell.masks[row] for row in rows], iou), strict=True):
        masks[row] = mask
    return cell.segmenter().fit(cell.images, masks, labels=cell.labels)


def dilated(masks: list[Any], iou: float) -> np.ndarray:
    """Grow all masks by the nearest pixels until they have that IoU with themselves."""
    distances = np.stack([distance_transform_edt(mask == 0) for mask in masks])
    nearest = np.argsort(distances, axis=None, kind="stable")[: round(np.sum(masks) / iou)]
    grown = np.zeros_like(distances, dtype=np.uint8)
    grown.flat[nearest] = 1
    return grown


def boxes(cell: Cell, _: None) -> Any:
    """Learn from the bounding boxes of the findings in place of the given masks."""
    boxed_masks = [boxed(mask) for mask in cell.masks_of(cell.given)]
    return cell.segmenter().fit(cell.images[cell.given], boxed_masks)


def joint(cell: Cell, labels: np.ndarray, segmenter: Any) -> Any:
    classifier = SegmentationClassifier(segmenter=segmenter, random_state=cell.seed)
    return classifier.fit(cell.images, labels, masks=cell.few)


def labels_of_given(cell: Cell) -> np.ndarray:
    return np.where(cell.given, cell.labels, -1)


MASKS, EMPTY, BALANCED = "masks alone", "empty masks", "empty masks, half positive"
SELF_TRAINING, BOOSTED, ALL_MASKS = "self-training", "boosted", "all masks"
BOXES = "boxes of all findings"
ALL_LABELS, THOSE_LABELS = "ImageClassifier, all labels", "ImageClassifier, those labels"
GUARDED = "boosted, guarded"
GRAD_CAM, IRNET, CROSS = "Grad-CAM", "IRNet", "cross teaching"
JOINT_FEW, JOINT_ALL = "joint, those labels", "joint, all labels"
TOGETHER_FEW, TOGETHER_ALL = "all together, those labels", "all together, all labels"
TOGETHER_STRONG = "all together, weak-to-strong, all labels"
SWEEP_P, SWEEP_T = "Grad-CAM, p", "distilled from an ensemble, temperature"
SWEEP_IOU = "true masks, dilated, IoU"
DISTILLED = (
    "distilled",
    "distilled from an ensemble",
    "distilled from twice the masks",
    "distilled from a fine-tuned teacher",
)

METHODS: dict[str, Method] = {
    MASKS: Method(lambda cell, _: cell.teacher),
    EMPTY: Method(lambda cell, _: empty_masks(cell)),
    BALANCED: Method(lambda cell, _: empty_masks(cell, positive_fraction=0.5)),
    SELF_TRAINING: Method(self_training, 5),  # teachers of three folds say where to cut
    BOOSTED: Method(lambda cell, _: by_labels(cell, "boosted"), 5),
    THOSE_LABELS: Method(
        lambda cell, _: cell.image_classifier().fit(
            cell.images[cell.given], cell.labels[cell.given]
        )
    ),
    ALL_MASKS: Method(lambda cell, _: cell.alone()),
    BOXES: Method(boxes),
    "boxes alone": Method(boxes),
    ALL_LABELS: Method(lambda cell, _: cell.classifier),
    GRAD_CAM: Method(grad_cam, 2),
    IRNET: Method(irnet, 3),
    "thresholder": Method(thresholder),
    "copy-paste": Method(lambda cell, _: cell.alone(copy_paste=0.5), 4),
    "consistency": Method(lambda cell, _: consistent(cell).fit(cell.images, cell.few), 2),
    "consistency, self-training": Method(taught_by_consistency, 13),
    "weak-to-strong": Method(lambda cell, _: weak_to_strong(cell), 2),
    "weak-to-strong, empty masks": Method(lambda cell, _: weak_to_strong(cell, cell.labels), 2),
    "boosted, teachers of folds": Method(
        lambda cell, _: by_labels(cell, BoostedLabeler(ensemble=True)), 5
    ),
    GUARDED: Method(guarded, 16),  # two halves of the masks tell who answers
    DISTILLED[0]: Method(lambda cell, _: distilled(cell, cell.teacher), 2),
    DISTILLED[1]: Method(lambda cell, _: distilled(cell, cell.ensemble), 8),
    DISTILLED[2]: Method(lambda cell, _: distilled(cell, teacher_with_more(cell)), 3),
    DISTILLED[3]: Method(lambda cell, _: distilled(cell, fine_tuned(cell)), 5),
    JOINT_FEW: Method(lambda cell, _: joint(cell, labels_of_given(cell), cell.segmenter())),
    JOINT_ALL: Method(lambda cell, _: joint(cell, cell.labels, cell.segmenter())),
    TOGETHER_FEW: Method(
        lambda cell, _: joint(cell, labels_of_given(cell), pseudo(cell, "self_training")), 5
    ),
    TOGETHER_ALL: Method(lambda cell, _: joint(cell, cell.labels, pseudo(cell, "boosted")), 5),
    TOGETHER_STRONG: Method(lambda cell, _: joint(cell, cell.labels, consistent_views(cell)), 2),
    CROSS: Method(cross_teaching, 4),
    "PiCIE, no masks": Method(clusters, 4),
    SWEEP_P: Method(grad_cam, 1),
    SWEEP_IOU: Method(dilated_truth),
    SWEEP_T: Method(lambda cell, t: distilled(cell, cell.ensemble, t, on="unlabeled"), 4),
}
