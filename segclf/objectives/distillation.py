"""Learn from a teacher's soft segmentation: distillation, class by class."""

from typing import Self

import torch
from torch import Tensor, nn

from segclf.losses import cross_entropy
from segclf.losses.entries import entry_cross_entropy
from segclf.losses.targets import weighted_mean
from segclf.objectives.objective import Batch, Objective, Progress


class Distillation(Objective):
    """Train a network to predict the probabilities of another one, which is not changed.

    The teacher sees each batch as the student does, augmentation included. CheXseg's code computes
    its scores once, before training, which is the same without augmentation. Masks in a batch take
    the place of the teacher's predictions.

    Parameters
    ----------
    network : nn.Module
        The student, from images to pixel scores.
    teacher : nn.Module
        From the same images to the same number of scores, or to those of several networks, such as
        `segclf.networks.StackedNetworks`; frozen, and always in evaluation mode.
    temperature : float
        See :func:`distillation_loss`.
    multilabel : bool
        See :func:`distillation_loss`.
    margin : float, optional
        See :func:`distillation_loss`.
    scale_by_temperature : bool
        Whether the loss is multiplied by the temperature's square (Hinton, Vinyals and Dean,
        "Distilling the knowledge in a neural network", 2015, section 2), so that its gradients do
        not vanish as the temperature rises.

    Examples
    --------
    >>> import torch
    >>> from segclf.networks import momentum_copy, segmentation_network
    >>> from segclf.objectives import Distillation, Progress
    >>> student = segmentation_network(encoder="tiny", n_classes=2, in_channels=3)
    >>> teacher = momentum_copy(student)
    >>> objective = Distillation(student, teacher, temperature=10.0, multilabel=False)
    >>> list(objective({"image": torch.zeros(2, 3, 16, 16)}, Progress(0, 0, 0.0)))
    ['distillation']
    """

    def __init__(
        self,
        network: nn.Module,
        teacher: nn.Module,
        *,
        temperature: float,
        multilabel: bool,
        margin: float | None = None,
        scale_by_temperature: bool = False,
    ) -> None:
        super().__init__()
        self.network = network
        self.teacher = teacher.requires_grad_(False).eval()
        self.temperature = temperature
        self.multilabel = multilabel
        self.margin = margin
        self.factor = temperature**2 if scale_by_temperature else 1.0

    def forward(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return the term "distillation"."""
        loss = distillation_loss(
            self.network(batch["image"]),
            self.teacher(batch["image"]),
            temperature=self.temperature,
            multilabel=self.multilabel,
            margin=self.margin,
            mask=batch.get("mask"),
            sample_weight=batch.get("weight"),
        )
        return {"distillation": self.factor * loss}

    def is_mean_over_images(self, batch: Batch) -> bool:
        """Tell whether no image has a weight."""
        return "weight" not in batch

    def train(self, mode: bool = True) -> Self:
        """Set the mode of the student; the teacher stays in evaluation mode."""
        super().train(mode)
        self.teacher.eval()
        return self


def distillation_loss(
    student: Tensor,
    teacher: Tensor,
    *,
    temperature: float,
    multilabel: bool,
    margin: float | None = None,
    mask: Tensor | None = None,
    sample_weight: Tensor | None = None,
) -> Tensor:
    """Binary cross-entropy of softened probabilities, averaged over pixels and classes.

    ``BCE(sigmoid(s / temperature), sigmoid(t / temperature))`` of the scores s of the student and t
    of the teacher: Gadgil et al., "CheXseg: Combining Expert Annotations with DNN-generated
    Saliency Maps for X-ray Segmentation", arXiv version 1, Appendix B.4. Its minimum, at s = t, is
    the entropy of ``sigmoid(t / temperature)``. For two exclusive classes at a temperature of 1 it
    is the cross-entropy of softmax probabilities; with more classes, each is compared with all
    others.

    Parameters
    ----------
    student : Tensor of shape (n, k, h, w)
        Pixel scores.
    teacher : Tensor of shape (n, k, h, w) or (n, m, k, h, w)
        Pixel scores of the teacher, or of m teachers, whose probabilities are averaged. No gradient
        reaches them.
    temperature : float
        Temperature by which the scores are divided.
    multilabel : bool
        False for exclusive classes, where s and t are the :func:`class_scores`.
    margin : float, optional
        A pixel counts only if the teacher's largest probability (with `multilabel` that of the
        class or its absence; without the temperature) is above .5 + `margin`. The loss is then the
        mean over the pixels that count in each image (0 if none does), and over images: the
        selective loss of Hooper et al., Journal of Medical Imaging 2023.
    mask : Tensor of shape (n, h, w) or, with `multilabel`, (n, k, h, w), optional
        Ids, or 0 and 1. Labeled pixels always count, with a target of 0 or 1 at any temperature. At
        -1, which is unlabeled, the target is the teacher's.
    sample_weight : Tensor of shape (n,), optional
        Weight of each image.

    Returns
    -------
    Tensor
        In nats, float32; ln 2 if all scores of the student are 0.

    Examples
    --------
    >>> scores = torch.zeros(1, 3, 2, 2)
    >>> round(distillation_loss(scores, scores, temperature=10.0, multilabel=True).item(), 4)
    0.6931
    """
    student = student.float()
    teachers = teacher.detach().float().reshape(len(student), -1, *student.shape[1:])
    if not multilabel:
        student = class_scores(student)
        teachers = class_scores(teachers.flatten(0, 1)).reshape(teachers.shape)
    target = torch.sigmoid(teachers / temperature).mean(dim=1)
    if margin is not None:
        p = torch.sigmoid(teachers).mean(dim=1)
        sure = torch.maximum(p, 1 - p) if multilabel else p.amax(dim=1, keepdim=True)
        target = torch.where(sure > 0.5 + margin, target, -1.0)
    if mask is not None:
        said = mask if multilabel else indicator(mask, target.shape[1])
        target = torch.where(said < 0, target, said.to(target))
    logits = student / temperature
    if margin is None:
        return cross_entropy(logits, target, sample_weight=sample_weight)
    return mean_of_counted(entry_cross_entropy(logits, target), target >= 0, sample_weight)


def indicator(mask: Tensor, n_classes: int) -> Tensor:
    """Encode ids (n, h, w) as 1 for a pixel's class and 0 for others, (n, k, h, w); -1 stays."""
    ids = torch.arange(n_classes, device=mask.device)[:, None, None]
    mask = mask[:, None]
    return torch.where(mask < 0, mask, (mask == ids).long())


def mean_of_counted(losses: Tensor, counted: Tensor, sample_weight: Tensor | None) -> Tensor:
    """Average the losses (n, k, h, w) that count, over each image and then over images."""
    n_counted = counted.flatten(1).sum(dim=1).clamp_min(1)
    each = (losses * counted).flatten(1).sum(dim=1) / n_counted
    return weighted_mean(each, torch.ones_like(each) if sample_weight is None else sample_weight)


def class_scores(logits: Tensor) -> Tensor:
    """Return class scores whose sigmoid is the softmax probability of the class.

    That is the logit minus the log-sum-exp of all others. It is exact even if the probability
    rounds to 1, where ``log p - log(1 - p)`` is infinite.

    Parameters
    ----------
    logits : Tensor of shape (n, k, h, w)
        Logits of two or more exclusive classes.

    Returns
    -------
    Tensor of shape (n, k, h, w)

    Examples
    --------
    >>> logits = torch.tensor([[1.0, 3.0, 40.0]])[..., None, None]
    >>> [round(score, 3) for score in class_scores(logits).flatten().tolist()]
    [-39.0, -37.0, 36.873]
    """
    below = logits[:, :-1].logcumsumexp(dim=1)
    above = logits[:, 1:].flip(1).logcumsumexp(dim=1).flip(1)
    middle = torch.logaddexp(below[:, :-1], above[:, 1:])
    return logits - torch.cat([above[:, :1], middle, below[:, -1:]], dim=1)
