"""Pure functions of arrays that say how good a prediction is."""

from segclf.metrics.confidence_interval import confidence_interval
from segclf.metrics.overlap import dice_score, mean_iou
from segclf.metrics.per_class import dice_per_class, iou_per_class
from segclf.metrics.thresholds import best_thresholds

__all__ = [
    "best_thresholds",
    "confidence_interval",
    "dice_per_class",
    "dice_score",
    "iou_per_class",
    "mean_iou",
]
