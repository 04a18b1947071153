"""A student's objective: masks, and its momentum teacher where there are none."""

from collections.abc import Iterable
from typing import Any, Self

import torch
from torch import Tensor

from segclf.axes import across, are_labels
from segclf.data import cutmix
from segclf.losses import get_loss
from segclf.methods.weak_to_strong.views import Seen, StrongViews, seen_by
from segclf.networks import SegmentationNetwork, follow, follow_buffers, momentum_copy
from segclf.objectives import Batch, Objective, Progress, image_label_loss


class WeakToStrong(Objective):
    """The student learns from masks, and from its momentum teacher where there are none.

    Parameters
    ----------
    student : SegmentationNetwork
        The network to train. Its teacher is the objective's `network`, which is kept.
    shares_encoder : bool
        Whether the teacher shares the student's encoder, which is then frozen.
    views : StrongViews
        Makes the student's views of unlabeled images.
    loss, consistency_weight, confidence, momentum
        As in `WeakToStrongSegmenter`.
    label_weight : float
        Weight of the image-level term.
    """

    def __init__(
        self,
        student: SegmentationNetwork,
        *,
        shares_encoder: bool,
        views: StrongViews,
        loss: Any,
        consistency_weight: float,
        confidence: float,
        momentum: float,
        label_weight: float,
    ) -> None:
        super().__init__()
        self.student = student
        self.network: SegmentationNetwork = momentum_copy(student)
        if shares_encoder:
            self.network.encoder = student.encoder
        self.views = views
        self.loss = get_loss(loss)
        self.consistency_weight = consistency_weight
        self.confidence = confidence
        self.momentum = momentum
        self.label_weight = label_weight

    def train(self, mode: bool = True) -> Self:
        """Set the mode of the student; the teacher stays in evaluation mode."""
        super().train(mode)
        self.network.eval()
        return self

    def before_epoch(self, batches: Iterable[Batch], progress: Progress) -> None:
        """Start the teacher from the student's weights, which a pretrainer may have set."""
        if progress.step == 0:
            self.network.load_state_dict(self.student.state_dict())

    def after_update(self, progress: Progress) -> None:
        """Move the teacher towards the student."""
        momentum = min(1 - 1 / (progress.step + 1), self.momentum)
        follow(self.network, self.student, momentum)
        follow_buffers(self.network, self.student, momentum)

    def forward(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return the terms "segmentation", in training "consistency", and with labels "label"."""
        if not self.training:  # validate the network that is kept
            return self._supervised(self.network(batch["image"]), batch)
        weak = seen_by(self.student, batch["image"])
        unlabeled = (batch["mask"] < 0).flatten(-2).all(dim=-1)
        taught = self._taught(batch, unlabeled)
        logits = weak.rows(taught).scores_of(self.student)
        terms = self._supervised(logits, {name: each[taught] for name, each in batch.items()})
        open_ = unlabeled.reshape(len(unlabeled), -1).any(dim=1)
        weight = batch.get("weight")
        if weight is not None:
            open_ &= weight > 0
        consistency = logits.sum() * 0
        if open_.any():
            weight = None if weight is None else weight[open_]
            consistency = self._consistency(weak.rows(open_), unlabeled[open_], weight)
        return {**terms, "consistency": self.consistency_weight * consistency}

    def _supervised(self, logits: Tensor, batch: Batch) -> dict[str, Tensor]:
        weight = batch.get("weight")
        terms = {"segmentation": self.loss(logits, batch["mask"], sample_weight=weight)}
        if "label" in batch:
            label_loss = image_label_loss(logits, batch["label"], sample_weight=weight)
            terms["label"] = self.label_weight * label_loss
        return terms

    def _taught(self, batch: Batch, unlabeled: Tensor) -> Tensor:
        """Select the images with a mask or a label; all images if there are none."""
        taught = ~unlabeled.reshape(len(unlabeled), -1).all(dim=1)
        if "label" in batch:
            taught |= (batch["label"] >= 0).reshape(len(taught), -1).any(dim=1)
        return taught if taught.any() else torch.ones_like(taught)

    def _consistency(self, weak: Seen, unlabeled: Tensor, weight: Tensor | None) -> Tensor:
        """Compare both strong views with the teacher's prediction for the weak view."""
        with torch.no_grad():
            pseudo = sure_masks(weak.scores_of(self.network), unlabeled, self.confidence)
        asked = unlabeled[..., None, None].expand_as(pseudo).float()
        strong, boxes = self.views(self.student, weak)
        pseudo, asked = (cutmix(torch.cat([each, each]), boxes) for each in (pseudo, asked))
        logits = strong.scores_of(self.student)
        weight = None if weight is None else torch.cat([weight, weight])
        sure = (pseudo >= 0).float()
        if weight is not None:
            sure, asked = sure * across(weight, sure), asked * across(weight, asked)
        share = sure.sum() / asked.sum().clamp(min=torch.finfo(sure.dtype).tiny)
        loss: Tensor = self.loss(logits, pseudo, sample_weight=weight)
        return share * loss


def sure_masks(logits: Tensor, unlabeled: Tensor, confidence: float) -> Tensor:
    """Return a teacher's decisions at confident, unlabeled pixels; -1 elsewhere.

    Parameters
    ----------
    logits : Tensor of shape (n, k, h, w)
    unlabeled : Tensor of shape (n,), or (n, k) for multi-label masks, bool
    confidence : float
        Lowest probability of the class, or of a channel's yes or no, that counts.

    Returns
    -------
    Tensor of shape (n, h, w) of ids, or (n, k, h, w) of 0 and 1, int64
    """
    if are_labels(unlabeled):
        sure, decided = logits.float().softmax(dim=1).max(dim=1)
    else:
        yes = logits.float().sigmoid()
        decided = (yes >= 0.5).long()
        sure = torch.where(yes >= 0.5, yes, 1 - yes)
    return torch.where((sure >= confidence) & unlabeled[..., None, None], decided, -1)
