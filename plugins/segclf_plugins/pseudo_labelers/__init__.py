"""Pseudo-labelers, which predict missing masks."""

from segclf_plugins.pseudo_labelers.boosted import BoostedLabeler
from segclf_plugins.pseudo_labelers.consistency import ConsistencyLabeler
from segclf_plugins.pseudo_labelers.grad_cam import GradCAMLabeler
from segclf_plugins.pseudo_labelers.irnet import IRNetLabeler
from segclf_plugins.pseudo_labelers.irnet_boundaries import IRNetBoundaries
from segclf_plugins.pseudo_labelers.pretrained import PretrainedLabeler
from segclf_plugins.pseudo_labelers.self_training import SelfTrainingLabeler
from segclf_plugins.pseudo_labelers.thresholder import ThresholderLabeler

__all__ = [
    "BoostedLabeler",
    "ConsistencyLabeler",
    "GradCAMLabeler",
    "IRNetBoundaries",
    "IRNetLabeler",
    "PretrainedLabeler",
    "SelfTrainingLabeler",
    "ThresholderLabeler",
]
