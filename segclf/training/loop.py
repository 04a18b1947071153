"""The one loop. It knows objectives, batches and a plan, but no method."""

import math
import time
from collections.abc import Iterable, Iterator
from itertools import islice

import torch
from torch.nn.utils import clip_grad_norm_

from segclf.distributed import (
    agreed,
    average_gradients,
    require_equal_weights,
    synchronized,
)
from segclf.objectives import Batch, Objective, Progress
from segclf.training.checkpoint import Checkpoint, Length
from segclf.training.devices import autocast, to_device
from segclf.training.history import Means, check_finite
from segclf.training.micro_batches import attempts, in_parts
from segclf.training.optimizers import follow_schedules
from segclf.training.plan import Batches, Row, Run, TrainingPlan
from segclf.training.resume import end_epoch, go_on, heed
from segclf.training.schedules import get_schedule
from segclf.training.state import TrainingState


def train(
    objective: Objective,
    batches: Batches,
    plan: TrainingPlan,
    validation: Batches | None = None,
    *,
    run: Run | None = None,
    state: TrainingState | None = None,
    checkpoint: Checkpoint | None = None,
) -> list[Row]:
    """Train the objective in place.

    Parameters
    ----------
    objective : Objective
        What to minimize; moved to the plan's device. Its hooks are called.
    batches : Batches
        Training batches.
    plan : TrainingPlan
        How to train.
    validation : Batches, optional
        Held-out batches; their loss terms, and what the plan measures, become the columns
        ``validation_*``.
    run : callable, optional
        What computes the terms of a batch: the objective itself by default, or a wrapper around it,
        which need not have its hooks.
    state : TrainingState, optional
        State of this objective and plan to continue from. Training changes it in place, so that the
        caller can inspect it after each epoch. By default training starts at the beginning.
    checkpoint : Checkpoint, optional
        Where the state is written, and from which training resumes. `max_seconds` includes the time
        trained before; the callback is called again for the last epoch.

    Returns
    -------
    list of dict
        One row for each epoch: ``epoch``, ``learning_rate``, the mean of each term and measure,
        ``loss``, ``seconds``.

    Raises
    ------
    FloatingPointError
        If a loss term is not finite.
    KeyboardInterrupt
        If training is interrupted and has a checkpoint, or has not finished a step. Otherwise it
        ends there, as by `max_seconds`.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from segclf.data import Loader, Samples, as_images
    >>> from segclf.networks import classification_network
    >>> from segclf.objectives import Classification
    >>> from segclf.training import TrainingPlan, train
    >>> network = classification_network(encoder="tiny", n_classes=2, in_channels=3)
    >>> objective = Classification(network, loss="cross_entropy", class_weight=None)
    >>> images = as_images(np.zeros((4, 16, 16, 3), np.uint8))
    >>> samples = Samples(images=images, size=(16, 16), targets=np.array([0, 1, 0, 1]))
    >>> plan = TrainingPlan(max_epochs=2, learning_rate=1e-3, device=torch.device("cpu"))
    >>> history = train(objective, Loader(samples, batch_size=2, seed=0), plan)
    >>> [row["epoch"] for row in history]
    [0, 1]
    """
    state, run = state or TrainingState(objective, plan), run or objective
    length = Length(plan.n_steps(len(batches)), plan.steps_per_epoch(len(batches)))
    deadline = time.perf_counter() + (plan.max_seconds or math.inf)
    try:
        deadline -= go_on(run, batches, plan, state, checkpoint, length)
        with state.counted(length.n_steps):
            while state.epoch * length.per_epoch < length.n_steps and state.termination is None:
                started = time.perf_counter()
                with synchronized(objective):
                    row = _train_epoch(run, batches, plan, state, deadline)
                if state.termination == "interrupted" and checkpoint is not None:
                    raise KeyboardInterrupt
                with state.average.shown():  # validate the weights that would be kept
                    if validation is not None:
                        row.update(_validate(run, validation, plan, state, length))
                    _end(row, started, state)
                end_epoch(plan, state, checkpoint, length)
    except KeyboardInterrupt as interrupt:
        heed(interrupt, state, checkpoint)
    return _finished(plan, state)


def _train_epoch(
    run: Run, batches: Batches, plan: TrainingPlan, state: TrainingState, deadline: float
) -> Row:
    objective, epoch = state.objective, state.epoch
    schedule, n_steps = get_schedule(plan.schedule), plan.n_steps(len(batches))
    step = first = epoch * plan.steps_per_epoch(len(batches))
    state.reach(step, n_steps)
    objective.train()
    objective.before_epoch(batches.epoch(epoch), state.progress(step, step / n_steps))
    groups, means = _groups(batches.epoch(epoch), plan.accumulate_batches), Means()
    try:
        for group in islice(groups, n_steps - step):
            progress = state.progress(step, step / n_steps)
            follow_schedules(state.optimizer, schedule, step / n_steps)
            for attempt in attempts(group, state, means):
                with attempt as parts:
                    for part in parts:
                        with autocast(plan.device, state.precision):
                            attempt.terms = run(to_device(part, plan.device), progress)
                        attempt.add_gradients(part)
            _update(plan, state, progress)
            step += 1
            if _ends(plan, state, step, n_steps, deadline):
                break
    except KeyboardInterrupt:
        if step == first:
            raise
        state.termination = "interrupted"
    rate = plan.learning_rate * schedule((step - 1) / n_steps)
    return {"epoch": epoch, "learning_rate": rate, **dict(means.items())}


def _ends(
    plan: TrainingPlan, state: TrainingState, step: int, n_steps: int, deadline: float
) -> bool:
    """End a step, and tell whether it also ends the epoch because time is up."""
    state.n_steps = step
    state.reach(step, n_steps)  # before the next batch is made
    if plan.averages(step, n_steps):
        state.average.add()
    if step < n_steps and _is_over(plan, deadline):
        state.termination = "max_seconds"
    return state.termination is not None


def _is_over(plan: TrainingPlan, deadline: float) -> bool:
    is_over = time.perf_counter() >= deadline
    return is_over if plan.max_seconds is None else bool(agreed(is_over))


def _finished(plan: TrainingPlan, state: TrainingState) -> list[Row]:
    state.termination = state.termination or ("max_steps" if plan.max_steps else "max_epochs")
    state.average.keep()
    state.best.restore(state.objective)
    return state.history


def _end(row: Row, started: float, state: TrainingState) -> None:
    require_equal_weights(state.objective)
    row["seconds"] = time.perf_counter() - started
    check_finite(row)
    state.objective.after_epoch(row)
    state.add(row)


def _groups(batches: Iterable[Batch], length: int) -> Iterator[list[Batch]]:
    """Yield lists of `length` batches; the last one may be shorter."""
    remaining = iter(batches)
    while group := list(islice(remaining, length)):
        yield group


def _update(plan: TrainingPlan, state: TrainingState, progress: Progress) -> None:
    """Make one step of the optimizer."""
    average_gradients(each for group in state.optimizer.param_groups for each in group["params"])
    state.scaler.unscale_(state.optimizer)
    state.objective.before_update(progress)
    if plan.clip_gradients is not None:
        groups = state.optimizer.param_groups
        parameters = [each for group in groups for each in group["params"]]
        clip_grad_norm_(parameters, plan.clip_gradients)
    state.scaler.step(state.optimizer)
    state.scaler.update()
    state.optimizer.zero_grad()
    state.objective.after_update(progress)


@torch.no_grad()
def _validate(
    run: Run, batches: Batches, plan: TrainingPlan, state: TrainingState, length: Length
) -> Row:
    means = Means()
    state.objective.eval()
    fraction = min(1.0, (state.epoch + 1) * length.per_epoch / length.n_steps)
    progress = state.progress(0, fraction)
    for batch in in_parts(batches.epoch(0), state.largest_part):
        with autocast(plan.device, state.precision):
            terms = run(to_device(batch, plan.device), progress)
        means.add(terms, state.objective.measures(), len(batch["index"]))
    row = dict(means.items(prefix="validation_"))
    if plan.measure is not None:
        with autocast(plan.device, state.precision):
            parts = in_parts(batches.epoch(0), state.largest_part)
            row |= plan.measure(to_device(batch, plan.device) for batch in parts)
    return row
