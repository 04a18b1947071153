"""Segmentation for classification: segment the image, then summarize the mask into a label."""

from segclf.methods.segmentation.classifier import SegmentationClassifier

__all__ = ["SegmentationClassifier"]
