"""The contract that methods fulfil, and what two or more of them share."""

from segclf.objectives.image_labels import image_label_loss, pooled_scores
from segclf.objectives.joint_embedding import CollapseWarning, JointEmbedding
from segclf.objectives.objective import Batch, Objective, Progress

__all__ = [
    "Batch",
    "CollapseWarning",
    "JointEmbedding",
    "Objective",
    "Progress",
    "image_label_loss",
    "pooled_scores",
]
