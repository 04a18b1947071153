"""Base classes of the estimators: scikit-learn's interface, tensors inside."""

from segclf.base.automatic import Automatic, PretrainedWeightsWarning
from segclf.base.calibrated_summarizer import CalibratedSummarizer
from segclf.base.checkpoint_parameters import CheckpointParameters
from segclf.base.classifier import AmbiguousLabelsWarning, Classifier, check_labels
from segclf.base.conflicts import ContradictionWarning
from segclf.base.cropping import Cropping
from segclf.base.estimator import Estimator
from segclf.base.fine_tuned import FineTunedEstimator
from segclf.base.front_door import check_images, check_rows, holds_images
from segclf.base.image_transformer import ImageTransformer
from segclf.base.label_term_segmenter import LabelTermSegmenter, ShortcutWarning
from segclf.base.maps import stack_maps
from segclf.base.mask_scorer import MaskScorer
from segclf.base.meta_segmenter import MetaSegmenter
from segclf.base.network_classifier import NetworkClassifier
from segclf.base.network_estimator import InterruptedFitWarning, NetworkEstimator
from segclf.base.nothing_found import NothingFoundWarning
from segclf.base.parts import as_a_part
from segclf.base.pretrainer import EncoderPretrainer, Pretrainer, VolumeEncoderPretrainer
from segclf.base.segmenter import Segmenter
from segclf.base.segmenter_ensemble import SegmenterEnsemble
from segclf.base.spatial import n_spatial
from segclf.base.supervision import Supervision, supervise
from segclf.base.volume_parameters import VolumeParameters

__all__ = [
    "AmbiguousLabelsWarning",
    "Automatic",
    "CalibratedSummarizer",
    "CheckpointParameters",
    "Classifier",
    "ContradictionWarning",
    "Cropping",
    "EncoderPretrainer",
    "Estimator",
    "FineTunedEstimator",
    "ImageTransformer",
    "InterruptedFitWarning",
    "LabelTermSegmenter",
    "MaskScorer",
    "MetaSegmenter",
    "NetworkClassifier",
    "NetworkEstimator",
    "NothingFoundWarning",
    "PretrainedWeightsWarning",
    "Pretrainer",
    "Segmenter",
    "SegmenterEnsemble",
    "ShortcutWarning",
    "Supervision",
    "VolumeEncoderPretrainer",
    "VolumeParameters",
    "as_a_part",
    "check_images",
    "check_labels",
    "check_rows",
    "holds_images",
    "n_spatial",
    "stack_maps",
    "supervise",
]
