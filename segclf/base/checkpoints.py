"""Identify a training by a digest of all that decides it, and find its checkpoint or result."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from segclf.cache import (
    CheckpointFiles,
    Memory,
    as_memory,
    digest,
    with_tensors,
    without_tensors,
)
from segclf.data import Loader
from segclf.distributed import agreed_by_all, is_first
from segclf.training import (
    Checkpoint,
    CheckpointWarning,
    TrainingPlan,
    TrainingState,
    without_frozen,
)

# Parameters that do not affect the result, that the initial state shows, or that set the length.
_NOT_COUNTED = {
    *("checkpoint", "checkpoint_every", "memory", "n_threads", "verbose"),
    *("device", "post_processing", "test_time_flips", "tile_size"),
    *("pretrainer", "random_state"),
    *("max_epochs", "max_seconds", "max_steps"),
}
# The parts of a state that make up the result of a training.
_OF_A_FIT = ("objective", "generators", "precision", "history", "n_steps", "termination")
_PLAIN = (type(None), bool, int, float, str)
_MakeKey = Callable[..., str]


@contextmanager
def found_again(
    estimator: Any,
    state: TrainingState,
    plan: TrainingPlan,
    seed: int,
    batches: Loader,
    held_out: Loader | None,
) -> Iterator[Checkpoint | None]:
    """Find the checkpoint of a training that is about to begin, or its result in `memory`.

    Parameters
    ----------
    estimator : NetworkEstimator
        Its parameters identify the training.
    state : TrainingState
        The initial state; set to the final state if `memory` holds the result.
    plan : TrainingPlan
        How long it trains.
    seed : int
        Decides the batches.
    batches, held_out : Loader
        Batches to train on, and held-out batches.

    Returns
    -------
    context manager
        Yields the `Checkpoint`; None if the estimator has none.

    Raises
    ------
    TypeError
        If a parameter cannot be identified in a later run, such as a lambda.
    """
    make_key = partial(_key, estimator, state, seed, batches, held_out)
    opened = _opened_checkpoint(estimator, make_key)
    with opened as checkpoint, _kept_fit(estimator, state, plan, make_key):
        yield checkpoint


@contextmanager
def _opened_checkpoint(estimator: Any, make_key: _MakeKey) -> Iterator[Checkpoint | None]:
    if estimator.checkpoint is None:
        yield None
        return
    try:
        key = make_key()
    except TypeError as error:
        text = str(error).replace("memory cannot", "checkpoint cannot")
        raise TypeError(text.replace("memory=None", "checkpoint=None")) from error
    kind = type(estimator).__name__
    with CheckpointFiles(Path(estimator.checkpoint) / kind, key) as files:
        if not files.places():
            _tell_of_others(kind, files)
        yield Checkpoint(files, estimator.checkpoint_every, goes_on=estimator.warm_start)


@contextmanager
def _kept_fit(
    estimator: Any, state: TrainingState, plan: TrainingPlan, make_key: _MakeKey
) -> Iterator[None]:
    """Load the result of a training if `memory` holds it; otherwise store it there."""
    memory = _memory_of(estimator)
    if memory is None:
        yield
        return
    length = plan.max_epochs, plan.max_steps, plan.max_seconds
    key, found = None, None
    with suppress(TypeError):  # a lambda, for instance, has no identity
        key = make_key(length)
        found = memory.find(key)
        found = found if agreed_by_all(found is not None) else None
    if found is not None:
        _put(state, with_tensors(found))
    yield
    if key is not None and found is None and is_first() and state.termination != "interrupted":
        values = without_frozen(state)
        memory.keep(key, without_tensors({name: values[name] for name in _OF_A_FIT}))


def may_be_stopped(estimator: Any) -> bool:
    """Tell whether callbacks other than scikit-learn's own may stop a fit.

    The result until then is not that of a fit without them.
    """
    callbacks = getattr(estimator, "_skl_callbacks", [])
    return any(not type(each).__module__.startswith("sklearn.") for each in callbacks)


def _memory_of(estimator: Any) -> Memory | None:
    """Return the memory for whole fits; a warm start would need more than is stored."""
    again = estimator.random_state is not None and not estimator.warm_start
    if estimator.checkpoint is not None or not again or may_be_stopped(estimator):
        return None
    return as_memory(estimator.memory)


def _put(state: TrainingState, values: dict[str, Any]) -> None:
    """Set a state to the end of a training; parts that never change are not in `values`."""
    start = state.state_dict()
    objective = {**start["objective"], **values["objective"]}
    state.load_state_dict({**start, **values, "objective": objective})


def _key(
    estimator: Any,
    state: TrainingState,
    seed: int,
    batches: Loader,
    held_out: Loader | None,
    *more: Any,
) -> str:
    samples = [_said(each) for each in (batches, held_out) if each is not None]
    return digest(type(estimator), _parameters(estimator), seed, samples, _start(state), *more)


def _tell_of_others(kind: str, files: CheckpointFiles) -> None:
    for folder in files.unfinished()[:1]:
        warnings.warn(
            f"This {kind} starts anew: an unfinished one in {folder} had different parameters, "
            "data, seed or code. Remove that folder if you no longer need it.",
            CheckpointWarning,
            stacklevel=5,
        )


def _parameters(estimator: Any) -> dict[str, Any]:
    given = estimator.get_params(deep=False)
    return {name: estimator._setting(name) for name in given.keys() - _NOT_COUNTED}


def _said(loader: Loader) -> dict[str, Any]:
    """Return everything known about the samples, with images and masks as loaded, if they are."""
    said = dict(vars(loader.samples), held_out=None)
    if loader.everything is None:
        return said
    return {**said, "images": None, "masks": None, "everything": loader.everything}


def _start(state: TrainingState) -> dict[str, Any]:
    """Return the state at the start of training, the device, and what the objective is."""
    start = state.state_dict()
    start["history"] = [{k: v for k, v in row.items() if k != "seconds"} for row in state.history]
    del start["precision"]  # the chosen precision is part of the result
    kinds = {name: _plain(module) for name, module in state.objective.named_modules()}
    return {**start, "device": state.device.type, "objective_kinds": kinds}


def _plain(module: nn.Module) -> list[Any]:
    """Return the class of a module, with its numbers and strings."""
    kind = type(module)
    own = {name: value for name, value in vars(module).items() if isinstance(value, _PLAIN)}
    return [f"{kind.__module__}:{kind.__qualname__}", own]
