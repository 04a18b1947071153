"""Data: synthetic shapes for experiments, and the file layouts of annotation tools."""

from segclf.datasets.annotated_images import AnnotatedImages
from segclf.datasets.coco import load_coco
from segclf.datasets.coco_writer import to_coco
from segclf.datasets.colors import COLORS
from segclf.datasets.cvat import load_cvat
from segclf.datasets.experiments import SHAPES_EXPERIMENT_LEVELS, make_shapes_experiment
from segclf.datasets.label_studio import load_label_studio
from segclf.datasets.mask_files import write_masks
from segclf.datasets.medmnist import load_medmnist
from segclf.datasets.nnunet import load_nnunet
from segclf.datasets.nnunet_writer import to_nnunet
from segclf.datasets.shapes import make_shapes
from segclf.datasets.stamps import SHAPES, solid, stamp
from segclf.datasets.voc import load_voc

__all__ = [
    "COLORS",
    "SHAPES",
    "SHAPES_EXPERIMENT_LEVELS",
    "AnnotatedImages",
    "load_coco",
    "load_cvat",
    "load_label_studio",
    "load_medmnist",
    "load_nnunet",
    "load_voc",
    "make_shapes",
    "make_shapes_experiment",
    "solid",
    "stamp",
    "to_coco",
    "to_nnunet",
    "write_masks",
]
