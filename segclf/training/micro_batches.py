"""The gradients of one update: batch by batch, in smaller parts where memory asks for it."""

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

    Where a batch does not fit into memory, that and all later ones are computed in parts, which
    is told once. The gradients are the same but for rounding.

    Parameters
    ----------
    group : list of dict
        The batches of the update, in which each image weighs the same.
    state : TrainingState
        Its `largest_part` is what fits.
    means : Means
        Is told of the attempt that succeeds.

    Raises
    ------
    MemoryError
        Where parts would not do the same as the whole batch, or one image does not fit.
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
    """One attempt: a context that gives the parts to compute, and ends where memory is too small.

    It is no function around the forward pass, so that errors there are as near to `fit` as before.

    Parameters
    ----------
    group : list of dict
        The batches.
    state : TrainingState
        Of what learns.

    Attributes
    ----------
    terms : dict of Tensor
        What the objective says of the part at hand. Nobody else may hold it: with it goes the
        memory that a failed attempt took.
    failed : bool
        Whether memory was too small.
    computed : list of (terms, measures, number of images)
        What was computed, part by part.
    """

    def __init__(self, group: list[Batch], state: TrainingState) -> None:
        self._group, self._state = group, state
        self._n_images = sum(len(batch["index"]) for batch in group)
        self.terms: dict[str, Tensor] = {}
        self.failed = False
        self.computed: list[tuple[dict[str, Tensor], dict[str, Tensor], int]] = []

    def add_gradients(self, part: Batch) -> None:
        """Add the gradients of the terms, which are a mean, as many as there are images."""
        length = len(part["index"])
        loss = total(self.terms)
        if length < self._n_images:
            loss = length / self._n_images * loss
        loss.backward()
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
    """Yield the batches, in parts of so many images at most; None leaves them whole."""
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
            f"A batch of {largest} images of {size} does not fit into memory, and {reason}, so "
            "that parts of it would not teach the same. Take a smaller batch_size or image_size; "
            "with batch_size halved and accumulate_batches doubled, an update is still of as many "
            "images."
        ) from error
    if state.largest_part is None:
        warnings.warn(
            f"A batch of {largest} images of {size} does not fit into memory. It is computed in "
            "parts, whose gradients add up to the same; a smaller batch_size or image_size saves "
            "the attempt.",
            OutOfMemoryWarning,
            stacklevel=2,
        )
    return -(-largest // 2)


def _why_whole(objective: Objective, group: list[Batch]) -> str | None:
    """Say why a batch must stay whole; None where it need not."""
    if n_processes() > 1:
        return "the other processes computed theirs"
    if any(isinstance(each, _BatchNorm) and each.training for each in objective.modules()):
        return "batch normalization looks at all of it"
    if not all(objective.is_mean_over_images(batch) for batch in group):
        return "its loss is no mean over images"
    return None


def total(terms: dict[str, Tensor]) -> Tensor:
    """Return the sum of the terms."""
    values = iter(terms.values())
    return sum(values, start=next(values))
