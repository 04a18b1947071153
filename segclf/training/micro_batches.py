"""The gradients of one update: batch by batch, in smaller parts if memory is short."""

import warnings
from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from segclf.distributed import n_processes
from segclf.isolation import get_random_state, set_random_state
from segclf.objectives import Batch, Objective
from segclf.training.history import Means
from segclf.training.memory import OutOfMemoryWarning, is_out_of_memory, release
from segclf.training.state import TrainingState


def attempts(group: list[Batch], state: TrainingState, means: Means) -> Iterator["Attempt"]:
    """Yield attempts to compute the gradients of an update, until one succeeds.

    If a batch does not fit into memory, it and all later ones are computed in parts, with one
    warning. The gradients are the same except for rounding.

    Parameters
    ----------
    group : list of dict
        The batches of the update, in which each image weighs the same.
    state : TrainingState
        Its `largest_part` is the number of images that fits.
    means : Means
        Receives the terms of the attempt that succeeds.

    Raises
    ------
    MemoryError
        If parts would not give the same gradients as the whole batch, or one image does not fit.
    """
    generators = get_random_state(state.device)
    while True:
        attempt = Attempt(group, state)
        yield attempt
        if not attempt.failed:
            break
        state.optimizer.zero_grad()
        set_random_state(generators, state.device)
        release(state.device)
    for terms, measures, n_images in attempt.computed:
        means.add(terms, measures, n_images)


class Attempt:
    """One attempt: a context that yields the parts to compute, and ends when memory runs out.

    It is not a function around the forward pass, so that it adds no frame to the traceback of an
    error there.

    Parameters
    ----------
    group : list of dict
        The batches.
    state : TrainingState
        State of the training.

    Attributes
    ----------
    terms : dict of Tensor
        Loss terms of the current part. Nothing else may hold a reference to them: dropping them
        releases the memory of a failed attempt.
    failed : bool
        Whether memory was too small.
    computed : list of (terms, measures, number of images)
        The results, part by part.
    """

    def __init__(self, group: list[Batch], state: TrainingState) -> None:
        self._group, self._state = group, state
        self._n_images = sum(len(batch["index"]) for batch in group)
        self.terms: dict[str, Tensor] = {}
        self.failed = False
        self.computed: list[tuple[dict[str, Tensor], dict[str, Tensor], int]] = []

    def add_gradients(self, part: Batch) -> None:
        """Add the gradients of the terms, weighted by the part's share of the images."""
        length = len(part["index"])
        loss = total(self.terms)
        if length < self._n_images:
            loss = length / self._n_images * loss
        self._state.scaler.scale(loss).backward()
        terms = {name: value.detach() for name, value in self.terms.items()}
        self.computed.append((terms, self._state.objective.measures(), length))
        self.terms = {}

    def __enter__(self) -> Iterator[Batch]:
        return in_parts(self._group, self._state.largest_part)

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> bool:
        self.terms = {}
        if error is None or not is_out_of_memory(error):
            return False
        self.failed = True
        self._state.largest_part = _smaller(self._group, self._state, error)
        return True


def in_parts(batches: Iterable[Batch], largest: int | None) -> Iterator[Batch]:
    """Yield the batches, in parts of at most `largest` images; None leaves them whole."""
    for batch in batches:
        if largest is None or len(batch["index"]) <= largest:
            yield batch
        else:
            parts = zip(*(values.split(largest) for values in batch.values()), strict=True)
            yield from (dict(zip(batch, part, strict=True)) for part in parts)


def _smaller(group: list[Batch], state: TrainingState, error: BaseException) -> int:
    """Return how many images to try next."""
    largest = state.largest_part or max(len(batch["index"]) for batch in group)
    size = "x".join(map(str, group[0]["image"].shape[2:])) if "image" in group[0] else "its"
    if largest == 1:
        raise MemoryError(
            f"One image of {size} does not fit into memory while training. Take a smaller "
            "image_size, or a smaller encoder."
        ) from error
    if reason := _why_whole(state.objective, group):
        raise MemoryError(
            f"A batch of {largest} images of {size} does not fit into memory, and computing it in "
            f"parts would change the result, since {reason}. Take a smaller batch_size or "
            "image_size. Half the batch_size with twice the accumulate_batches keeps the number of "
            "images per update."
        ) from error
    if state.largest_part is None:
        warnings.warn(
            f"A batch of {largest} images of {size} does not fit into memory. It is computed in "
            "parts, whose gradients add up to the same. A smaller batch_size or image_size avoids "
            "the failed attempt.",
            OutOfMemoryWarning,
            stacklevel=2,
        )
    return -(-largest // 2)


def _why_whole(objective: Objective, group: list[Batch]) -> str | None:
    """Return why a batch must stay whole; None if it need not."""
    if n_processes() > 1:
        return "the other processes have already computed theirs"
    if any(isinstance(each, _BatchNorm) and each.training for each in objective.modules()):
        return "batch normalization depends on the whole batch"
    if not all(objective.is_mean_over_images(batch) for batch in group):
        return "its loss is not a mean over images"
    return None


def total(terms: dict[str, Tensor]) -> Tensor:
    """Return the sum of the terms."""
    values = iter(terms.values())
    return sum(values, start=next(values))
