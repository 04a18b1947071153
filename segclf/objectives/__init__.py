"""The contract that methods fulfil, and code that several of them share."""

from segclf.objectives.classification import Classification
from segclf.objectives.distillation import Distillation, distillation_loss
from segclf.objectives.gradients import shorten_each
from segclf.objectives.image_labels import image_label_loss, pooled_scores
from segclf.objectives.joint_embedding import CollapseWarning, JointEmbedding
from segclf.objectives.objective import Batch, Objective, Progress
from segclf.objectives.self_distillation import (
    score_entropy,
    self_distillation_loss,
    warn_of_ln_k,
)
from segclf.objectives.weight_decay import apart, spare_vectors

__all__ = [
    "Batch",
    "Classification",
    "CollapseWarning",
    "Distillation",
    "JointEmbedding",
    "Objective",
    "Progress",
    "apart",
    "distillation_loss",
    "image_label_loss",
    "pooled_scores",
    "score_entropy",
    "self_distillation_loss",
    "shorten_each",
    "spare_vectors",
    "warn_of_ln_k",
]
