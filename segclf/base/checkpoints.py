"""Which training is this? A digest of what decides it, and the checkpoint found by that."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from segclf.cache import CheckpointFiles, digest
from segclf.data import Samples
from segclf.training import Checkpoint, CheckpointWarning, TrainingState

# What does not decide what is learned, what is told by what training starts with, and the length.
_NOT_COUNTED = {
    *("checkpoint", "checkpoint_every", "memory", "n_threads", "verbose", "warm_start"),
    *("device", "post_processing", "test_time_flips", "tile_size"),
    *("pretrainer", "random_state"),
    *("max_epochs", "max_seconds", "max_steps"),
}
_PLAIN = (type(None), bool, int, float, str)


@contextmanager
def opened_checkpoint(
    estimator: Any, state: TrainingState, seed: int, training: Samples, held_out: Samples | None
) -> Iterator[Checkpoint | None]:
    """Find the checkpoint of a training that is about to begin; None where the estimator has none.

    Parameters
    ----------
    estimator : NetworkEstimator
        Whose parameters decide.
    state : TrainingState
        With what training starts.
    seed : int
        Decides the batches.
    training, held_out : Samples
        What is learned from, and what is watched.

    Raises
    ------
    TypeError
        When a parameter cannot be known again, such as a lambda.
    """
    if estimator.checkpoint is None:
        yield None
        return
    samples = [_said(each) for each in (training, held_out) if each is not None]
    try:
        key = digest(type(estimator), _parameters(estimator), seed, samples, _start(state))
    except TypeError as error:
        text = str(error).replace("memory cannot", "checkpoint cannot")
        raise TypeError(text.replace("memory=None", "checkpoint=None")) from error
    kind = type(estimator).__name__
    with CheckpointFiles(Path(estimator.checkpoint) / kind, key) as files:
        if not files.places():
            _tell_of_others(kind, files)
        yield Checkpoint(files, estimator.checkpoint_every)


def _tell_of_others(kind: str, files: CheckpointFiles) -> None:
    for folder in files.unfinished()[:1]:
        warnings.warn(
            f"This {kind} starts anew: an unfinished one in {folder} had other parameters, data, "
            "seed or code. Remove that folder if it is not needed any more.",
            CheckpointWarning,
            stacklevel=4,
        )


def _parameters(estimator: Any) -> dict[str, Any]:
    given = estimator.get_params(deep=False)
    return {name: estimator._setting(name) for name in given.keys() - _NOT_COUNTED}


def _said(samples: Samples) -> dict[str, Any]:
    """List all that there is of samples."""
    names = vars(samples).keys() - {"held_out"}
    return {name: getattr(samples, name) for name in names}


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
