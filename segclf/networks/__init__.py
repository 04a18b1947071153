"""Networks with weights or buffers: a factory over segmentation-models-pytorch and timm."""

from segclf.networks.classification import ClassificationNetwork
from segclf.networks.factory import build, classification_network, segmentation_network
from segclf.networks.image_network import ImageNetwork
from segclf.networks.segmentation import SegmentationNetwork
from segclf.networks.tiny import TinyEncoder
from segclf.networks.weights import load_weights, read_tensors

__all__ = [
    "ClassificationNetwork",
    "ImageNetwork",
    "SegmentationNetwork",
    "TinyEncoder",
    "build",
    "classification_network",
    "load_weights",
    "read_tensors",
    "segmentation_network",
]
