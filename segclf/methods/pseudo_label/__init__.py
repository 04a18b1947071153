"""Pseudo labels: a labeler draws the masks that nobody drew, a segmenter learns from all."""

from segclf.methods.pseudo_label.semi_supervised import PseudoLabelSemiSupervised

__all__ = ["PseudoLabelSemiSupervised"]
