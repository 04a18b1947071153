"""The one loop, its plan, and prediction."""

from segclf.training.checkpoint import Checkpoint, CheckpointWarning, Place, without_frozen
from segclf.training.devices import choose_device, choose_threads
from segclf.training.flips import FLIPS
from segclf.training.loop import train
from segclf.training.memory import OutOfMemoryWarning, available_memory
from segclf.training.optimizers import OPTIMIZERS, make_optimizer
from segclf.training.plan import Batches, Measure, TrainingPlan
from segclf.training.precision import PRECISIONS, choose_precision, has_native_bf16
from segclf.training.predict import predict_batches
from segclf.training.prediction_plan import PredictionPlan
from segclf.training.schedules import SCHEDULES, get_schedule
from segclf.training.state import TrainingState

__all__ = [
    "FLIPS",
    "OPTIMIZERS",
    "PRECISIONS",
    "SCHEDULES",
    "Batches",
    "Checkpoint",
    "CheckpointWarning",
    "Measure",
    "OutOfMemoryWarning",
    "Place",
    "PredictionPlan",
    "TrainingPlan",
    "TrainingState",
    "available_memory",
    "choose_device",
    "choose_precision",
    "choose_threads",
    "get_schedule",
    "has_native_bf16",
    "make_optimizer",
    "predict_batches",
    "train",
    "without_frozen",
]
