"""Pseudo-labels: a labeler predicts the missing masks, and a segmenter learns from all masks."""

from segclf.methods.pseudo_label.semi_supervised import PseudoLabelSemiSupervised

__all__ = ["PseudoLabelSemiSupervised"]
