"""Pseudo labels: a labeler predicts the masks that are missing, a segmenter learns from all."""

from segclf.methods.pseudo_label.semi_supervised import PseudoLabelSemiSupervised

__all__ = ["PseudoLabelSemiSupervised"]
