"""Cross teaching's objective: two networks, each trained on masks and on the other's decisions."""

from functools import partial

import torch
from torch import Tensor

from segclf.losses import dice, dice_cross_entropy
from segclf.losses.targets import is_exclusive
from segclf.networks import SegmentationPair
from segclf.objectives import Batch, Objective, Progress, image_label_loss
from segclf.training import get_schedule

# Dice as in the public code of Luo et al.; the factors of one half as in S4MI, section 4.2.1.
class_dice = partial(dice, include_background=True, squared=True, smooth=1e-5)
half_dice_half_cross_entropy = partial(
    dice_cross_entropy,
    dice_factor=0.5,
    cross_entropy_factor=0.5,
    include_background=True,
    squared=True,
    smooth=1e-5,
)


class CrossTeaching(Objective):
    """Both networks learn from masks, and from each other where there is no mask.

    Parameters
    ----------
    pair : SegmentationPair
        The two networks.
    consistency_weight : float
        Weight of the terms by which the networks learn from each other.
    ramp_up : int or None
        Number of steps over which that weight rises.
    label_weight : float
        Weight of the image-level terms.
    """

    def __init__(
        self,
        pair: SegmentationPair,
        *,
        consistency_weight: float,
        ramp_up: int | None,
        label_weight: float,
    ) -> None:
        super().__init__()
        self.network: SegmentationPair = pair
        self.consistency_weight = consistency_weight
        self.ramp_up = ramp_up
        self.label_weight = label_weight

    def forward(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return each network's terms "segmentation", "consistency" and, with labels, "label"."""
        mask, weight = batch["mask"], batch.get("weight")
        scores = {name: network(batch["image"]) for name, network in self.network.named_children()}
        consistency_weight = self.consistency_weight * risen(progress.step, self.ramp_up)
        terms = {}
        for learner, teacher in (("cnn", "transformer"), ("transformer", "cnn")):
            logits, pseudo = scores[learner], pseudo_masks(scores[teacher], mask)
            segmentation = half_dice_half_cross_entropy(logits, mask, sample_weight=weight)
            consistency = class_dice(logits, pseudo, sample_weight=weight)
            terms[f"{learner}_segmentation"] = segmentation
            terms[f"{learner}_consistency"] = consistency_weight * consistency
            if "label" in batch:
                label = image_label_loss(logits, batch["label"], sample_weight=weight)
                terms[f"{learner}_label"] = self.label_weight * label
        return terms


def pseudo_masks(logits: Tensor, mask: Tensor) -> Tensor:
    """Return a network's decisions where a mask (h, w), or its channel, is all -1; -1 elsewhere.

    No gradient passes through a decision.
    """
    decided = logits.argmax(dim=1) if is_exclusive(logits, mask) else (logits >= 0).long()
    unlabeled = (mask < 0).all(dim=-1).all(dim=-1)
    return torch.where(unlabeled[..., None, None], decided, -1)


def risen(step: int, ramp_up: int | None) -> float:
    """Return the factor of the consistency weight at a step.

    In the public code of Luo et al., the weight rises in 200 stairs of 150 steps.
    """
    return 1.0 if ramp_up is None else get_schedule("ramp_up")(200 * step // ramp_up / 200)
