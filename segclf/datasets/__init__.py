"""Data to try things on: the synthetic shapes of the S4C paper and its seven experiments."""

from segclf.datasets.colors import COLORS
from segclf.datasets.experiments import SHAPES_EXPERIMENT_LEVELS, make_shapes_experiment
from segclf.datasets.shapes import make_shapes
from segclf.datasets.stamps import SHAPES, solid, stamp

__all__ = [
    "COLORS",
    "SHAPES",
    "SHAPES_EXPERIMENT_LEVELS",
    "make_shapes",
    "make_shapes_experiment",
    "solid",
    "stamp",
]
