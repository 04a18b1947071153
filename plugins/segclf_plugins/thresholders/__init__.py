"""Thresholders, which turn images into masks without learning."""

from segclf_plugins.thresholders.adaptive import (
    AdaptiveGaussianThresholder,
    AdaptiveMeanThresholder,
)
from segclf_plugins.thresholders.ght import GHTThresholder
from segclf_plugins.thresholders.otsu import OtsuThresholder

__all__ = [
    "AdaptiveGaussianThresholder",
    "AdaptiveMeanThresholder",
    "GHTThresholder",
    "OtsuThresholder",
]
