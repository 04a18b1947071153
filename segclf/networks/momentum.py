"""Momentum teachers: networks that follow others as an exponential moving average."""

import copy
import math
from typing import TypeVar

import torch
from torch import nn

M = TypeVar("M", bound=nn.Module)


def momentum_copy(module: M) -> M:
    """Copy a module as its initial teacher; no parameter of the copy is trained.

    Parameters
    ----------
    module : nn.Module
        The student.

    Returns
    -------
    nn.Module
        The teacher; its normalizations keep statistics of the teacher's own inputs.

    Examples
    --------
    >>> import torch
    >>> from segclf.networks import momentum_copy
    >>> teacher = momentum_copy(torch.nn.Linear(2, 1))
    >>> teacher.weight.requires_grad
    False
    """
    return copy.deepcopy(module).requires_grad_(False)


@torch.no_grad()
def follow(teacher: nn.Module, student: nn.Module, momentum: float) -> None:
    """Set each parameter of the teacher to ``momentum * teacher + (1 - momentum) * student``.

    Parameters
    ----------
    teacher, student : nn.Module
        Modules of one architecture; the teacher is changed in place.
    momentum : float
        In [0, 1].

    Examples
    --------
    >>> student = nn.Linear(1, 1)
    >>> teacher = momentum_copy(student)
    >>> _ = nn.init.zeros_(teacher.weight), nn.init.ones_(student.weight)
    >>> follow(teacher, student, 0.996)
    >>> round(teacher.weight.item(), 6)
    0.004
    """
    torch._foreach_lerp_(
        list(teacher.parameters()), list(student.parameters()), weight=1.0 - momentum
    )


@torch.no_grad()
def follow_buffers(teacher: nn.Module, student: nn.Module, momentum: float) -> None:
    """Do to floating buffers what `follow` does to parameters; integer buffers are copied.

    This is for a teacher in evaluation mode, which updates no statistics itself.

    Parameters
    ----------
    teacher, student : nn.Module
        Modules of one architecture; the teacher is changed in place.
    momentum : float
        In [0, 1].

    Examples
    --------
    >>> import torch
    >>> from segclf.networks import follow_buffers, momentum_copy
    >>> student = torch.nn.BatchNorm1d(1)
    >>> teacher = momentum_copy(student)
    >>> _ = student.running_mean.fill_(1.0)
    >>> follow_buffers(teacher, student, momentum=0.75)
    >>> teacher.running_mean
    tensor([0.2500])
    """
    for of_teacher, of_student in zip(teacher.buffers(), student.buffers(), strict=True):
        if of_teacher.is_floating_point():
            of_teacher.lerp_(of_student, 1.0 - momentum)
        else:
            of_teacher.copy_(of_student)


def rising_momentum(start: float, fraction: float) -> float:
    """Return the momentum that rises from `start` to 1 along half a cosine.

    Grill et al., "Bootstrap your own latent", NeurIPS 2020, section 3.3; DINO does the same.

    Parameters
    ----------
    start : float
        Momentum at the start of training.
    fraction : float
        Fraction of training that is done, from 0 to 1.

    Examples
    --------
    >>> [round(rising_momentum(0.996, t), 6) for t in (0.0, 0.5, 1.0)]
    [0.996, 0.998, 1.0]
    """
    return 1.0 - (1.0 - start) * (math.cos(math.pi * fraction) + 1.0) / 2.0
