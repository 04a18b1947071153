"""Networks with weights or buffers: a factory over segmentation-models-pytorch and timm."""

from segclf.networks._cluster_network import ClusterNetwork
from segclf.networks._input_gradient import input_gradient
from segclf.networks._irnet import IRNet, irnet
from segclf.networks._map_classifier import MapClassifier, map_classifier
from segclf.networks._transfer import transfer
from segclf.networks.class_head import load_class_head
from segclf.networks.classification import ClassificationNetwork
from segclf.networks.clusters import Clusters, learn_clusters
from segclf.networks.dino_head import DINOHead
from segclf.networks.embedding import EmbeddingNetwork, embedding_network
from segclf.networks.encoder_memory import (
    forget,
    remember,
    remember_outputs,
    remembers,
    share,
)
from segclf.networks.factory import (
    build,
    classification_network,
    cluster_network,
    segmentation_network,
)
from segclf.networks.going_together import (
    architecture_of_volumes,
    check_together,
    own_encoder,
    spatial_axes,
)
from segclf.networks.heads import projection_head
from segclf.networks.image_network import ImageNetwork, padded
from segclf.networks.inpainter import Inpainter
from segclf.networks.layers import layer_reader
from segclf.networks.libraries import is_vision_transformer
from segclf.networks.masked_vit import (
    MaskedDecoder,
    can_drop_patches,
    encode_visible,
    fix_positions,
    start_as_in_mae,
)
from segclf.networks.masked_volumes import MaskedVolumes
from segclf.networks.momentum import follow, follow_buffers, momentum_copy, rising_momentum
from segclf.networks.multitask import MultitaskNetwork
from segclf.networks.operations import encoder_operations
from segclf.networks.own import OwnNetwork, check_options, own_network
from segclf.networks.pair import PairNetwork, SegmentationPair
from segclf.networks.rebuilt import rebuild
from segclf.networks.row_autoencoder import RowAutoencoder
from segclf.networks.saliency import grad_cam
from segclf.networks.saved import saved_weights
from segclf.networks.segmentation import SegmentationNetwork, each_map
from segclf.networks.stacked import StackedNetworks
from segclf.networks.strides import choose_strides
from segclf.networks.tiny import TinyEncoder
from segclf.networks.volume_encoders import is_volume_encoder, make_volume_encoder
from segclf.networks.waiting_maps import encoded_once
from segclf.networks.weight_sources import weights_at_hand
from segclf.networks.weights import load_weights, read_tensors

__all__ = [
    "ClassificationNetwork",
    "ClusterNetwork",
    "Clusters",
    "DINOHead",
    "EmbeddingNetwork",
    "IRNet",
    "ImageNetwork",
    "Inpainter",
    "MapClassifier",
    "MaskedDecoder",
    "MaskedVolumes",
    "MultitaskNetwork",
    "OwnNetwork",
    "PairNetwork",
    "RowAutoencoder",
    "SegmentationNetwork",
    "SegmentationPair",
    "StackedNetworks",
    "TinyEncoder",
    "architecture_of_volumes",
    "build",
    "can_drop_patches",
    "check_options",
    "check_together",
    "choose_strides",
    "classification_network",
    "cluster_network",
    "each_map",
    "embedding_network",
    "encode_visible",
    "encoded_once",
    "encoder_operations",
    "fix_positions",
    "follow",
    "follow_buffers",
    "forget",
    "grad_cam",
    "input_gradient",
    "irnet",
    "is_vision_transformer",
    "is_volume_encoder",
    "layer_reader",
    "learn_clusters",
    "load_class_head",
    "load_weights",
    "make_volume_encoder",
    "map_classifier",
    "momentum_copy",
    "own_encoder",
    "own_network",
    "padded",
    "projection_head",
    "read_tensors",
    "rebuild",
    "remember",
    "remember_outputs",
    "remembers",
    "rising_momentum",
    "saved_weights",
    "segmentation_network",
    "share",
    "spatial_axes",
    "start_as_in_mae",
    "transfer",
    "weights_at_hand",
]
