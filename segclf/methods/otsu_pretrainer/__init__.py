"""MedSASS: a segmenter learns to predict the masks that a threshold gives."""

from segclf.methods.otsu_pretrainer.pretrainer import OtsuPretrainer

__all__ = ["OtsuPretrainer"]
