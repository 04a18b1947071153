"""Metrics: pure functions that score predictions."""

from segclf.metrics._confidence_interval import (
    ConfidenceInterval,
    SkippedResamplesWarning,
    confidence_interval,
)
from segclf.metrics._operating_point import OperatingPoint, operating_point
from segclf.metrics._paired_test import paired_test
from segclf.metrics._robust_auroc import auroc_by_attribute, robust_auroc
from segclf.metrics._strict_recall import strict_hits, strict_recall
from segclf.metrics.area_rule import best_area_rule
from segclf.metrics.calibration import expected_calibration_error, reliability
from segclf.metrics.conformal import conformal_sets, conformal_threshold
from segclf.metrics.divergence import (
    FramingDivergence,
    framing_divergence,
    kl_lower_bound,
    log_density_ratio,
)
from segclf.metrics.groupings import Grouping, group_by_area, group_by_region
from segclf.metrics.overlap import dice_score, mean_iou
from segclf.metrics.per_class import dice_per_class, iou_per_class
from segclf.metrics.subgroups import subgroup_scores
from segclf.metrics.surface_scores import (
    average_surface_distance,
    hausdorff_distance,
    surface_dice,
)
from segclf.metrics.surfaces import SurfaceDistances, surface_distances
from segclf.metrics.thresholds import best_of_counts, best_thresholds, count_scores

__all__ = [
    "ConfidenceInterval",
    "FramingDivergence",
    "Grouping",
    "OperatingPoint",
    "SkippedResamplesWarning",
    "SurfaceDistances",
    "auroc_by_attribute",
    "average_surface_distance",
    "best_area_rule",
    "best_of_counts",
    "best_thresholds",
    "confidence_interval",
    "conformal_sets",
    "conformal_threshold",
    "count_scores",
    "dice_per_class",
    "dice_score",
    "expected_calibration_error",
    "framing_divergence",
    "group_by_area",
    "group_by_region",
    "hausdorff_distance",
    "iou_per_class",
    "kl_lower_bound",
    "log_density_ratio",
    "mean_iou",
    "operating_point",
    "paired_test",
    "reliability",
    "robust_auroc",
    "strict_hits",
    "strict_recall",
    "subgroup_scores",
    "surface_dice",
    "surface_distances",
]
