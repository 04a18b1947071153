"""Checkpoints: when the state of training is written, and which state training resumes from."""

import copy
import time
import warnings
from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

from torch import Tensor

from segclf.distributed import is_first
from segclf.networks import ImageNetwork
from segclf.training.plan import TrainingPlan
from segclf.training.state import TrainingState

# With "auto": the largest share of training time that writing may take.
SHARE = 0.02
# Estimates for the first write: seconds to sync the file, and bytes written per second.
SYNC, SPEED = 0.02, 1e8
# Entries that hold weights by name. Weights that never change are left out of them.
_WEIGHTS = (("objective",), ("best", "weights"))


class CheckpointWarning(UserWarning):
    """Checkpoints are not as expected: none fits, one is damaged, or none can be written."""


class Length(NamedTuple):
    """Number of steps in the whole training, and in one epoch."""

    n_steps: int
    per_epoch: int


class Place(NamedTuple):
    """Which state a file holds: the number of steps planned, and of epochs done.

    All files belong to one training; `done` marks its last state.

    Attributes
    ----------
    n_steps : int
        Number of steps that are planned.
    epoch : int
        Number of finished epochs.
    done : bool
        Whether it is the last state of a training.
    """

    n_steps: int
    epoch: int
    done: bool


class States(Protocol):
    """Storage for the states of one training, as plain values and tensors."""

    def places(self) -> list[Place]:
        """List the states that are stored."""

    def read(self, place: Place) -> dict[str, Any]:
        """Return the state written there; raise OSError or ValueError if it is incomplete."""

    def write(self, place: Place, values: dict[str, Any]) -> None:
        """Write a state completely or not at all."""

    def remove(self, places: Iterable[Place]) -> None:
        """Remove what is no longer needed."""


class Checkpoint:
    """Writes the state of training at the end of epochs, and loads it to resume.

    The last two states are kept, so that a damaged one costs only the epochs since the one before.
    If writing fails, it warns once, and training continues without checkpoints.

    Parameters
    ----------
    states : States
        States of this training: same parameters, data, initial weights and code.
    every : int, float or "auto"
        Number of epochs (int) or seconds (float) between states, always written at the end of an
        epoch. "auto" writes as often as takes at most 2 % of the training time. The end of training
        is always written.
    goes_on : bool
        Whether training may continue after its end; the last state then holds the optimizer's, too.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from pathlib import Path
    >>> from segclf.cache import CheckpointFiles
    >>> from segclf.data import Loader, Samples, as_images
    >>> from segclf.networks import classification_network
    >>> from segclf.objectives import Classification
    >>> from segclf.training import Checkpoint, TrainingPlan, train
    >>> network = classification_network(encoder="tiny", n_classes=2, in_channels=3)
    >>> objective = Classification(network, loss="cross_entropy", class_weight=None)
    >>> images = as_images(np.zeros((4, 16, 16, 3), np.uint8))
    >>> samples = Samples(images=images, size=(16, 16), targets=np.array([0, 1, 0, 1]))
    >>> plan = TrainingPlan(max_epochs=2, learning_rate=1e-3, device=torch.device("cpu"))
    >>> checkpoint = Checkpoint(CheckpointFiles(Path("checkpoints"), key="digest"), every=1)
    >>> loader = Loader(samples, batch_size=2, seed=0)
    >>> history = train(objective, loader, plan, checkpoint=checkpoint)
    >>> CheckpointFiles(Path("checkpoints"), key="digest").places()[-1].done
    True
    """

    def __init__(
        self, states: States, every: int | float | str = "auto", *, goes_on: bool = False
    ) -> None:
        self._states, self._every, self._goes_on = states, every, goes_on
        self._writes = True
        self._begun = self._last = time.perf_counter()
        self._spent, self._cost, self._epoch = 0.0, 0.0, 0

    def load(
        self, state: TrainingState, plan: TrainingPlan, length: Length
    ) -> dict[str, Any] | None:
        """Load the latest usable state into `state`.

        A state of a shorter or longer training is usable if this training would reach the same
        state. The last state of a training that `max_seconds` ended is usable only with the same
        `max_seconds`; with another value, training resumes from the epoch before.

        Returns
        -------
        dict or None
            The state that was loaded; None if there was none.
        """
        before = None
        for place in sorted(self._states.places(), key=lambda each: _rank(each, length)):
            try:
                found = self._states.read(place)
                if not _fits(found, place, plan, length):
                    continue
                before = before or copy.deepcopy(state.state_dict())
                loaded = _completed(found["state"], before)
                state.load_state_dict(loaded)
            except (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError,
                    ValueError) as error:  # fmt: skip
                _tell(f"A checkpoint is damaged; training resumes from the one before it: {error}")
                if before is not None:
                    state.load_state_dict(before)
                continue
            self._epoch = state.epoch
            return loaded
        return None

    def save(
        self, state: TrainingState, plan: TrainingPlan, length: Length, *, now: bool = False
    ) -> None:
        """Write the state at the end of an epoch if it is due or the last one, or if `now`."""
        done = state.termination is not None or state.epoch * length.per_epoch >= length.n_steps
        if not self._writes or not is_first() or not (now or done or self._is_due(state)):
            return
        started = time.perf_counter()
        place = Place(length.n_steps, state.epoch, done)
        values = {
            "state": self._to_write(state, done=done and state.termination != "callback"),
            "follows_length": state.follows_length,
            "max_seconds": plan.max_seconds,
        }
        try:
            self._states.write(place, values)
            ours = sorted(each for each in self._states.places() if each.n_steps == place.n_steps)
            self._states.remove(ours[:-2])
            self._epoch = state.epoch
        except OSError as error:
            self._writes = False
            _tell(f"Writing a checkpoint failed; training continues without checkpoints: {error}")
        self._last = time.perf_counter()
        self._cost = self._last - started
        self._spent += self._cost

    def on_interrupt(self) -> str:
        """Return a message that says where training will resume."""
        where = f"from the end of epoch {self._epoch}" if self._epoch else "from the beginning"
        return f"Training was interrupted. The same call to fit resumes {where}: {self._states}."

    def _to_write(self, state: TrainingState, *, done: bool) -> dict[str, Any]:
        """Leave out weights that never change, and the optimizer's state when it is not needed."""
        values = without_frozen(state)
        if done and state.follows_length and not self._goes_on:
            del values["optimizer"]
        return values

    def _is_due(self, state: TrainingState) -> bool:
        now = time.perf_counter()
        if self._every == "auto":
            self._cost = self._cost or SYNC + _n_bytes(state.state_dict()) / SPEED
            return self._spent + self._cost < SHARE * (now - self._begun)
        if isinstance(self._every, float):
            return now - self._last >= self._every
        return state.epoch - self._epoch >= int(self._every)


def _rank(place: Place, length: Length) -> tuple[Any, ...]:
    """Sort states of this length first, and late ones before early ones."""
    return place.n_steps != length.n_steps, -place.epoch, not place.done


def _fits(found: dict[str, Any], place: Place, plan: TrainingPlan, length: Length) -> bool:
    """Tell whether this training would reach a state."""
    state = found["state"]
    if state["termination"] == "max_seconds":
        return place.n_steps == length.n_steps and found["max_seconds"] == plan.max_seconds
    if place.n_steps == length.n_steps:
        return True
    whole = state["n_steps"] == len(state["history"]) * length.per_epoch <= length.n_steps
    return whole and not found["follows_length"]


def _frozen(state: TrainingState) -> set[str]:
    """Return the names of weights that never change: those of encoders with a rate of 0."""
    return {
        ".".join(filter(None, (path, "encoder", name)))
        for path, module in state.objective.named_modules()
        if isinstance(module, ImageNetwork) and module.encoder_rate == 0
        for name in module.encoder.state_dict()
    }


def without_frozen(state: TrainingState) -> dict[str, Any]:
    """Return the state as values, without the weights that never change.

    Examples
    --------
    >>> import torch
    >>> from segclf.networks import classification_network
    >>> from segclf.objectives import Classification
    >>> from segclf.training import TrainingPlan, TrainingState, without_frozen
    >>> network = classification_network(encoder="tiny", n_classes=2, in_channels=3)
    >>> objective = Classification(network, loss="cross_entropy", class_weight=None)
    >>> plan = TrainingPlan(max_epochs=2, learning_rate=1e-3, device=torch.device("cpu"))
    >>> state = TrainingState(objective, plan)
    >>> "objective" in without_frozen(state)
    True
    """
    values, frozen = state.state_dict(), _frozen(state)
    for path in _WEIGHTS:
        _replace(values, path, lambda old: {k: v for k, v in old.items() if k not in frozen})
    return values


def _completed(values: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """Put back what was left out, from the state before training."""
    values, weights = {"optimizer": before["optimizer"], **values}, before["objective"]
    for path in _WEIGHTS:
        _replace(values, path, lambda old: {k: old.get(k, weights[k]) for k in weights | old})
    return values


def _replace(values: dict[str, Any], path: tuple[str, ...], change: Any) -> None:
    *parents, last = path
    for name in parents:
        values[name] = dict(values[name])
        values = values[name]
    values[last] = change(values[last]) if values[last] is not None else None


def _n_bytes(value: Any) -> int:
    if isinstance(value, Tensor):
        return value.nbytes
    parts = value.values() if isinstance(value, dict) else value
    return sum(map(_n_bytes, parts)) if isinstance(value, dict | list) else 0


def _tell(message: str) -> None:
    warnings.warn(message, CheckpointWarning, stacklevel=2)
