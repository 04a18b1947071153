"""Pure functions of arrays that say how good a prediction is."""

from segclf.metrics.confidence_interval import confidence_interval
from segclf.metrics.overlap import dice_score, mean_iou

__all__ = ["confidence_interval", "dice_score", "mean_iou"]
