"""Summarizers: from predicted masks to image labels."""

from segclf_plugins.summarizers.area_rule import binary_label, probabilistic_label
from segclf_plugins.summarizers.threshold import ThresholdSummarizer

__all__ = ["ThresholdSummarizer", "binary_label", "probabilistic_label"]
