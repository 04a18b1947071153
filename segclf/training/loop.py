"""The one loop. It knows objectives, batches and a plan, and no method."""

import copy
import time
from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from segclf.objectives import Batch, Objective, Progress
from segclf.training.devices import autocast
from segclf.training.history import Means, check_finite
from segclf.training.optimizers import follow_schedules, make_optimizer
from segclf.training.plan import Row, TrainingPlan
from segclf.training.schedules import get_schedule


class Batches(Protocol):
    """Batches of one epoch, in an order that is a pure function of (seed, epoch)."""

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of that epoch."""


def train(
    objective: Objective,
    batches: Batches,
    plan: TrainingPlan,
    validation: Batches | None = None,
) -> list[Row]:
    """Train the objective in place.

    Parameters
    ----------
    objective : Objective
        What to learn; moved to the plan's device.
    batches : Batches
        What to learn from.
    plan : TrainingPlan
        How to learn.
    validation : Batches, optional
        Held-out batches; their loss terms become the columns ``validation_*``.

    Returns
    -------
    list of dict
        One row an epoch: ``epoch``, ``learning_rate``, the mean of each term and measure,
        ``loss``, ``seconds``.

    Raises
    ------
    FloatingPointError
        When a loss term is not finite.
    """
    objective.to(plan.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = make_optimizer(
        plan.optimizer,
        objective.parameter_groups(),
        learning_rate=plan.learning_rate,
        weight_decay=plan.weight_decay,
    )
    history: list[Row] = []
    best = _Best(plan.n_iter_no_change)
    for epoch in range(plan.max_epochs):
        started = time.perf_counter()
        row = _train_epoch(objective, batches, plan, optimizer, epoch)
        if validation is not None:
            row.update(_validate(objective, validation, plan, epoch))
        row["seconds"] = time.perf_counter() - started
        check_finite(row)
        history.append(row)
        objective.after_epoch(row)
        stop = plan.after_epoch is not None and plan.after_epoch(row)
        if best.patience_is_over(objective, row) or stop:
            break
    best.restore(objective)
    return history


def _train_epoch(
    objective: Objective,
    batches: Batches,
    plan: TrainingPlan,
    optimizer: torch.optim.Optimizer,
    epoch: int,
) -> Row:
    schedule = get_schedule(plan.schedule)
    n_steps = plan.max_epochs * len(batches)
    step = epoch * len(batches)
    means = Means()
    objective.train()
    objective.before_epoch(batches.epoch(epoch), Progress(epoch, step, step / n_steps))
    for batch in batches.epoch(epoch):
        progress = Progress(epoch, step, step / n_steps)
        follow_schedules(optimizer, schedule, progress.fraction)
        with autocast(plan.device, plan.precision):
            terms = objective(to_device(batch, plan.device), progress)
        total(terms).backward()
        objective.before_update(progress)
        optimizer.step()
        optimizer.zero_grad()
        objective.after_update(progress)
        means.add(terms, objective.measures(), len(batch["index"]))
        step += 1
    rate = plan.learning_rate * schedule((step - 1) / n_steps)
    return {"epoch": epoch, "learning_rate": rate, **dict(means.items())}


@torch.no_grad()
def _validate(objective: Objective, batches: Batches, plan: TrainingPlan, epoch: int) -> Row:
    means = Means()
    objective.eval()
    progress = Progress(epoch, 0, (epoch + 1) / plan.max_epochs)
    for batch in batches.epoch(0):
        with autocast(plan.device, plan.precision):
            terms = objective(to_device(batch, plan.device), progress)
        means.add(terms, objective.measures(), len(batch["index"]))
    return dict(means.items(prefix="validation_"))


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Return the batch on the device."""
    if device.type == "cpu":
        return batch
    return {name: value.to(device, non_blocking=True) for name, value in batch.items()}


def total(terms: dict[str, Tensor]) -> Tensor:
    """Return the sum of the terms."""
    values = iter(terms.values())
    return sum(values, start=next(values))


class _Best:
    """The weights of the epoch with the lowest loss, kept for early stopping."""

    def __init__(self, n_iter_no_change: int | None) -> None:
        self._patience = n_iter_no_change
        self._loss = float("inf")
        self._epoch = -1
        self._state: dict[str, Tensor] | None = None

    def patience_is_over(self, objective: Objective, row: Row) -> bool:
        if self._patience is None:
            return False
        loss = row.get("validation_loss", row["loss"])
        if loss < self._loss:
            self._loss, self._epoch = loss, int(row["epoch"])
            self._state = copy.deepcopy(objective.state_dict())
        return row["epoch"] - self._epoch >= self._patience

    def restore(self, objective: Objective) -> None:
        if self._state is not None:
            objective.load_state_dict(self._state)
