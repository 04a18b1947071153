"""MedSASS: a segmenter learns to predict masks made by thresholding."""

from segclf.methods.otsu_pretrainer.pretrainer import OtsuPretrainer

__all__ = ["OtsuPretrainer"]
