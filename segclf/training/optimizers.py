"""Optimizers by name, fused where torch can."""

from collections.abc import Callable
from typing import Any

import torch
from torch.optim import Optimizer

from segclf.training.schedules import rise

Groups = list[dict[str, Any]]
OptimizerFactory = Callable[..., Optimizer]


def _sgd(groups: Groups, *, lr: float, weight_decay: float) -> Optimizer:
    return torch.optim.SGD(groups, lr=lr, weight_decay=weight_decay, momentum=0.9, fused=True)


def _adam(groups: Groups, *, lr: float, weight_decay: float) -> Optimizer:
    return torch.optim.Adam(groups, lr=lr, weight_decay=weight_decay, fused=True)


def _adamw(groups: Groups, *, lr: float, weight_decay: float) -> Optimizer:
    return torch.optim.AdamW(groups, lr=lr, weight_decay=weight_decay, fused=True)


OPTIMIZERS: dict[str, OptimizerFactory] = {"adam": _adam, "adamw": _adamw, "sgd": _sgd}


def make_optimizer(
    optimizer: str | OptimizerFactory, groups: Groups, *, learning_rate: float, weight_decay: float
) -> Optimizer:
    """Return an optimizer over the groups, whose rates `follow_schedules` sets.

    Parameters
    ----------
    optimizer : {"adam", "adamw", "sgd"} or callable
        A callable is called as ``optimizer(groups, lr=..., weight_decay=...)``. SGD has momentum
        .9.
    groups : list of dict
        Parameter groups, as ``Objective.parameter_groups`` returns them: ``rate`` multiplies the
        learning rate, ``schedule`` and ``weight_decay_schedule`` replace the plan's; with a
        ``start``, the rate rises from that fraction of training on.
    learning_rate, weight_decay : float
        Defaults of all groups.

    Raises
    ------
    ValueError
        When no optimizer has that name.

    Examples
    --------
    >>> import torch
    >>> from segclf.training import make_optimizer
    >>> groups = [{"params": list(torch.nn.Linear(2, 1).parameters())}]
    >>> make_optimizer("adamw", groups, learning_rate=1e-3, weight_decay=0.01).defaults["lr"]
    0.001
    """
    if not callable(optimizer) and optimizer not in OPTIMIZERS:
        raise ValueError(f"No optimizer named {optimizer!r}; available: {', '.join(OPTIMIZERS)}.")
    factory = optimizer if callable(optimizer) else OPTIMIZERS[optimizer]
    made = factory(groups, lr=learning_rate, weight_decay=weight_decay)
    for group in made.param_groups:
        group["base_rate"] = group["lr"] * group.pop("rate", 1.0)
    return made


def follow_schedules(
    optimizer: Optimizer, schedule: Callable[[float], float], fraction: float
) -> None:
    """Set learning rates, and scheduled weight decays, for that fraction of training done."""
    for group in optimizer.param_groups:
        factor = group.get("schedule", schedule)(fraction) * rise(fraction, group.get("start", 0.0))
        group["lr"] = group["base_rate"] * factor
        if "weight_decay_schedule" in group:
            group["weight_decay"] = group["weight_decay_schedule"](fraction)
