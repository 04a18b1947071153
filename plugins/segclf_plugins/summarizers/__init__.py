"""Summarizers, which turn predicted masks into image labels."""

from segclf_plugins.summarizers.decision import binary_label, probabilistic_label
from segclf_plugins.summarizers.embedding import EmbeddingSummarizer
from segclf_plugins.summarizers.image_networks import ResNet50Summarizer, SqueezeNetSummarizer
from segclf_plugins.summarizers.joint import JointSummarizer
from segclf_plugins.summarizers.least_area import LargeAreaWarning
from segclf_plugins.summarizers.linear import FullyConnectedSummarizer, PooledSummarizer
from segclf_plugins.summarizers.mask_features import MaskFeatures, MaskFeaturesSummarizer
from segclf_plugins.summarizers.threshold import ThresholdSummarizer
from segclf_plugins.summarizers.tuned_threshold import TunedThresholdSummarizer

__all__ = [
    "EmbeddingSummarizer",
    "FullyConnectedSummarizer",
    "JointSummarizer",
    "LargeAreaWarning",
    "MaskFeatures",
    "MaskFeaturesSummarizer",
    "PooledSummarizer",
    "ResNet50Summarizer",
    "SqueezeNetSummarizer",
    "ThresholdSummarizer",
    "TunedThresholdSummarizer",
    "binary_label",
    "probabilistic_label",
]
