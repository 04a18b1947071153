"""Resuming: what the loop does between epochs so that training can stop and continue later."""

from typing import Any

import torch

from segclf.distributed import require_agreement
from segclf.networks import remembers
from segclf.training.checkpoint import Checkpoint, Length
from segclf.training.devices import autocast, to_device
from segclf.training.micro_batches import in_parts
from segclf.training.plan import Batches, Run, TrainingPlan
from segclf.training.state import TrainingState


def go_on(
    run: Run,
    batches: Batches,
    plan: TrainingPlan,
    state: TrainingState,
    checkpoint: Checkpoint | None,
    length: Length,
) -> float:
    """Load the last checkpoint, if any; return the seconds of training that led to it."""
    first = state.epoch
    loaded = None if checkpoint is None else checkpoint.load(state, plan, length)
    require_agreement(
        state.epoch,
        "The processes found different checkpoints; expected a `checkpoint` folder on storage that "
        "all of them see.",
    )
    if loaded is None:
        return 0.0
    if state.termination == "callback":  # it is called again
        state.termination = None
    if remembers(state.objective) and state.termination is None:
        _meet_again(run, batches, plan, state, length)
        state.load_state_dict({**loaded, "termination": None})
    if plan.after_epoch is not None and plan.after_epoch(state.history[-1]):
        state.termination = "callback"
    seconds = sum(row["seconds"] for row in state.history[first:])
    is_left = state.epoch * length.per_epoch < length.n_steps
    if is_left and plan.max_seconds is not None and seconds >= plan.max_seconds:
        state.termination = state.termination or "max_seconds"
    return seconds


@torch.no_grad()
def _meet_again(
    run: Run, batches: Batches, plan: TrainingPlan, state: TrainingState, length: Length
) -> None:
    """Pass images through frozen encoders in the batches in which they first passed.

    The maps kept for an image may differ in the last bit with the other images of its batch.
    """
    state.reach(state.epoch * length.per_epoch, length.n_steps)
    state.objective.train()
    met: set[int] = set()
    for epoch in range(state.epoch if remembers(state.objective) else 0):
        for batch in in_parts(batches.epoch(epoch), state.largest_part):
            images = set(batch["index"].tolist())
            if not images <= met:
                with autocast(plan.device, state.precision):
                    run(to_device(batch, plan.device), state.progress(0, 0.0))
                met |= images


def end_epoch(
    plan: TrainingPlan, state: TrainingState, checkpoint: Checkpoint | None, length: Length
) -> None:
    """Write the state if it is due, and call the callback."""

    def save(**how: Any) -> None:
        if checkpoint is not None:
            checkpoint.save(state, plan, length, **how)

    save()
    try:
        stops = plan.after_epoch is not None and plan.after_epoch(state.history[-1])
    except KeyboardInterrupt:
        save(now=True)
        raise
    if stops:
        state.termination = "callback"
        save()


def heed(interrupt: KeyboardInterrupt, state: TrainingState, checkpoint: Checkpoint | None) -> None:
    """End training here, or raise with a message that says where it will resume."""
    if checkpoint is not None:
        raise KeyboardInterrupt(checkpoint.on_interrupt()) from interrupt
    if not state.history:
        raise interrupt
    state.termination = "interrupted"
