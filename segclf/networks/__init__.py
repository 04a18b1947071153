"""Networks with weights or buffers: a factory over segmentation-models-pytorch and timm."""

from segclf.networks.classification import ClassificationNetwork
from segclf.networks.factory import build, classification_network, segmentation_network
from segclf.networks.heads import projection_head
from segclf.networks.image_network import ImageNetwork
from segclf.networks.momentum import follow, momentum_copy, rising_momentum
from segclf.networks.pair import PairNetwork
from segclf.networks.segmentation import SegmentationNetwork
from segclf.networks.tiny import TinyEncoder
from segclf.networks.transfer import transfer
from segclf.networks.weights import load_weights, read_tensors

__all__ = [
    "ClassificationNetwork",
    "ImageNetwork",
    "PairNetwork",
    "SegmentationNetwork",
    "TinyEncoder",
    "build",
    "classification_network",
    "follow",
    "load_weights",
    "momentum_copy",
    "projection_head",
    "read_tensors",
    "rising_momentum",
    "segmentation_network",
    "transfer",
]
