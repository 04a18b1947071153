# Each public name is one line of this file and of no other: `__init__.py` reads it.
# fmt: off
from segclf import data as data
from segclf import datasets as datasets
from segclf import displays as displays
from segclf import losses as losses
from segclf import metrics as metrics
from segclf import networks as networks
from segclf import reports as reports
from segclf import testing as testing
from segclf.base.mask_scorer import MaskScorer as MaskScorer
from segclf.data.multilabel_split import MultilabelStratifiedGroupKFold as MultilabelStratifiedGroupKFold
from segclf.data.semi_supervised_split import SemiSupervisedSplit as SemiSupervisedSplit
from segclf.export import export_onnx as export_onnx
from segclf.export import export_torch as export_torch
from segclf.hookspecs import hookimpl as hookimpl
from segclf.methods.byol_pretrainer import BYOLPretrainer as BYOLPretrainer
from segclf.methods.cass_pretrainer import CASSPretrainer as CASSPretrainer
from segclf.methods.consistency_segmenter import ConsistencySegmenter as ConsistencySegmenter
from segclf.methods.cross_teaching_segmenter import CrossTeachingSegmenter as CrossTeachingSegmenter
from segclf.methods.dino_pretrainer import DINOPretrainer as DINOPretrainer
from segclf.methods.distilled_segmenter import DistilledSegmenter as DistilledSegmenter
from segclf.methods.image_classifier import ImageClassifier as ImageClassifier
from segclf.methods.mae_pretrainer import MAEPretrainer as MAEPretrainer
from segclf.methods.moco_pretrainer import MoCoPretrainer as MoCoPretrainer
from segclf.methods.multitask_classifier import MultitaskClassifier as MultitaskClassifier
from segclf.methods.otsu_pretrainer import OtsuPretrainer as OtsuPretrainer
from segclf.methods.picie_segmenter import PiCIESegmenter as PiCIESegmenter
from segclf.methods.pretrained_encoder import PretrainedEncoder as PretrainedEncoder
from segclf.methods.pseudo_label import PseudoLabelSemiSupervised as PseudoLabelSemiSupervised
from segclf.methods.segmentation import SegmentationClassifier as SegmentationClassifier
from segclf.methods.simmim_pretrainer import SimMIMPretrainer as SimMIMPretrainer
from segclf.methods.simsiam_pretrainer import SimSiamPretrainer as SimSiamPretrainer
from segclf.methods.slice_wise import SliceWise as SliceWise
from segclf.methods.supervised_segmenter import SupervisedSegmenter as SupervisedSegmenter
from segclf.methods.weak_to_strong import WeakToStrongSegmenter as WeakToStrongSegmenter
from segclf.persistence import load as load
from segclf.persistence import save as save
from segclf.progress import show_progress as show_progress
from segclf.registry import list_plugins as list_plugins
from segclf.registry import load_plugin as load_plugin
from segclf.reports.annotation_query import query as query
from segclf.reports.audit import audit_masks as audit_masks
from segclf.reports.framing import framing_report as framing_report
from segclf.reports.page import report as report
from segclf.reports.proposal import propose as propose

__all__: list[str]
__version__: str
