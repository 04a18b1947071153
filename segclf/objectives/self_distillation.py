"""DINO's loss: a student learns a teacher's soft assignment of other views."""

import math
import warnings
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from segclf.objectives.joint_embedding import CollapseWarning

# As a share of ln K; above it, the teacher finds all prototypes about equally likely.
EQUALLY_LIKELY = 0.99


def self_distillation_loss(
    student: Sequence[Tensor],
    teacher: Sequence[Tensor],
    *,
    center: Tensor,
    student_temperature: float,
    teacher_temperature: float,
    same_views: bool = True,
) -> Tensor:
    """Cross-entropy of the student's views with the teacher's other views, over all such pairs.

    Caron et al., "Emerging properties in self-supervised vision transformers", ICCV 2021, equations
    1 to 3 and section 3.2.

    Parameters
    ----------
    student, teacher : sequence of Tensor of shape (n, k)
        Scores of each view, before temperature and softmax. No gradient reaches the teacher's.
    center : Tensor of shape (k,)
        Subtracted from the teacher's scores.
    student_temperature, teacher_temperature : float
        Temperatures by which the scores are divided.
    same_views : bool
        Whether the student's first views are the teacher's: no view is compared with itself.

    Returns
    -------
    Tensor
        In nats, float32; ln k if all scores of the student are equal.

    Examples
    --------
    >>> views = torch.zeros(2, 3, 64)
    >>> options = {"student_temperature": 0.1, "teacher_temperature": 0.04}
    >>> round(self_distillation_loss(views, views, center=torch.zeros(64), **options).item(), 4)
    4.1589
    """
    targets = [
        ((scores.detach().float() - center) / teacher_temperature).softmax(dim=1)
        for scores in teacher
    ]
    losses = []
    n_pairs = 0
    for i, scores in enumerate(student):
        others = [target for j, target in enumerate(targets) if not (same_views and i == j)]
        # The loss is linear in the target, so one softmax of the student serves all targets.
        losses.append(
            cross_entropy(scores.float() / student_temperature, torch.stack(others).sum(dim=0))
        )
        n_pairs += len(others)
    return torch.stack(losses).sum() / n_pairs


@torch.no_grad()
def score_entropy(scores: Tensor, *, center: Tensor, temperature: float) -> Tensor:
    """Average the entropy, in nats, of the teacher's centered and sharpened scores (n, k).

    Returns
    -------
    Tensor
        A scalar, in nats.

    Examples
    --------
    >>> round(score_entropy(torch.ones(2, 64), center=torch.zeros(64), temperature=0.04).item(), 4)
    4.1589
    """
    likely = ((scores.float() - center) / temperature).softmax(dim=1)
    return torch.special.entr(likely).sum(dim=1).mean()


def warn_of_ln_k(row: Mapping[str, float], *, n_prototypes: int) -> None:
    """Warn if an epoch's ``teacher_entropy`` is that of equally likely prototypes, ln k.

    The loss cannot fall below the teacher's entropy.

    Parameters
    ----------
    row : mapping of str to float
        The row of the epoch in the history.
    n_prototypes : int
        Number k of prototypes.

    Examples
    --------
    >>> from segclf.objectives import warn_of_ln_k
    >>> warn_of_ln_k({"teacher_entropy": 2.0}, n_prototypes=1024)
    """
    largest = math.log(n_prototypes)
    if row["teacher_entropy"] <= EQUALLY_LIKELY * largest:
        return
    warnings.warn(
        f"Collapse in epoch {int(row['epoch'])} of DINO: the teacher finds all {n_prototypes} "
        f"prototypes equally likely, so the loss cannot fall below ln({n_prototypes}) = "
        f"{largest:.4g}; it is {row['distillation']:.4g}. Try a lower teacher_temperature or "
        "learning_rate, or larger frozen_prototypes.",
        CollapseWarning,
        stacklevel=3,
    )
