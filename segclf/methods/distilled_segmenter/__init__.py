"""Distillation: a student learns the soft masks of a teacher, or of several."""

from segclf.methods.distilled_segmenter.segmenter import DistilledSegmenter

__all__ = ["DistilledSegmenter"]
