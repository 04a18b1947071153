"""Which training is this? A digest of what decides it, and the checkpoint or fit found by that."""

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

# What does not decide what is learned, what is told by what training starts with, and the length.
_NOT_COUNTED = {
    *("checkpoint", "checkpoint_every", "memory", "n_threads", "verbose"),
    *("device", "post_processing", "test_time_flips", "tile_size"),
    *("pretrainer", "random_state"),
    *("max_epochs", "max_seconds", "max_steps"),
}
# What of a state tells what a training came to.
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
    """Find the checkpoint of a training that is about to begin, or what `memory` knows of it.

    Parameters
    ----------
    estimator : NetworkEstimator
        Whose parameters decide.
    state : TrainingState
        With what training starts; at its end already, where `memory` knows that.
    plan : TrainingPlan
        How long it trains.
    seed : int
        Decides the batches.
    batches, held_out : Loader
        What is learned from, and what is watched.

    Returns
    -------
    context manager
        Of the `Checkpoint`; None where the estimator has none.

    Raises
    ------
    TypeError
        When a parameter cannot be known again, such as a lambda.
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
    """Let a training be over before it begins if `memory` knows its result; else keep that."""
    memory = _memory_of(estimator)
    if memory is None:
        yield
        return
    length = plan.max_epochs, plan.max_steps, plan.max_seconds
    key, found = None, None
    with suppress(TypeError):  # of a lambda, for instance, which cannot be known again
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
    """Tell whether callbacks that are not scikit-learn's own may stop a fit.

    What it learned until then is not what another one would learn.
    """
    callbacks = getattr(estimator, "_skl_callbacks", [])
    return any(not type(each).__module__.startswith("sklearn.") for each in callbacks)


def _memory_of(estimator: Any) -> Memory | None:
    """Return where whole fits are kept; a further fit of a warm start needs more than is kept."""
    again = estimator.random_state is not None and not estimator.warm_start
    if estimator.checkpoint is not None or not again or may_be_stopped(estimator):
        return None
    return as_memory(estimator.memory)


def _put(state: TrainingState, values: dict[str, Any]) -> None:
    """Let a state stand at the end of a training, of which what never changes is left out."""
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
            f"This {kind} starts anew: an unfinished one in {folder} had other parameters, data, "
            "seed or code. Remove that folder if it is not needed any more.",
            CheckpointWarning,
            stacklevel=5,
        )


def _parameters(estimator: Any) -> dict[str, Any]:
    given = estimator.get_params(deep=False)
    return {name: estimator._setting(name) for name in given.keys() - _NOT_COUNTED}


def _said(loader: Loader) -> dict[str, Any]:
    """List all that there is of samples: as they are in memory, or else one by one."""
    said = dict(vars(loader.samples), held_out=None)
    if loader.everything is None:
        return said
    return {**said, "images": None, "masks": None, "everything": loader.everything}


def _start(state: TrainingState) -> dict[str, Any]:
    """List with what training starts, where it computes, and what its objective is."""
    start = state.state_dict()
    start["history"] = [{k: v for k, v in row.items() if k != "seconds"} for row in state.history]
    del start["precision"]  # one that is chosen is part of what is kept
    kinds = {name: _plain(module) for name, module in state.objective.named_modules()}
    return {**start, "device": state.device.type, "objective_kinds": kinds}


def _plain(module: nn.Module) -> list[Any]:
    """List the class of a module and its numbers and texts."""
    kind = type(module)
    own = {name: value for name, value in vars(module).items() if isinstance(value, _PLAIN)}
    return [f"{kind.__module__}:{kind.__qualname__}", own]
