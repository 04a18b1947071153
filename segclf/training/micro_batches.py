"""The gradients of one update: batch by batch, in smaller parts where memory asks for it."""

import warnings
from collections.abc import Iterable, Iterator

from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from segclf.isolation import get_random_state, set_random_state
from segclf.objectives import Batch, Objective, Progress
from segclf.training.devices import autocast, to_device
from segclf.training.history import Means
from segclf.training.memory import is_out_of_memory, release
from segclf.training.plan import Run, TrainingPlan
from segclf.training.state import TrainingState

Computed = tuple[dict[str, Tensor], dict[str, Tensor], int]


def add_gradients(
    run: Run,
    group: list[Batch],
    plan: TrainingPlan,
    state: TrainingState,
    progress: Progress,
    means: Means,
) -> None:
    """Add up the gradients of a group of batches, each image weighing the same.

    Where a batch does not fit into memory, that and all later ones are computed in parts, which
    is told once. The gradients are the same but for rounding; what layers sample is other numbers.

    Raises
    ------
    MemoryError
        Where parts would not do the same as the whole batch, or one image does not fit.
    """
    generators = get_random_state(plan.device)
    computed: list[Computed] | None = None
    while computed is None:
        try:
            computed = _backward(run, group, plan, state, progress)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            state.largest_part = _smaller(group, state, error)
        if computed is None:  # not before the error let go of what was computed
            state.optimizer.zero_grad()
            set_random_state(generators, plan.device)
            release(plan.device)
    for terms, measures, n_images in computed:
        means.add(terms, measures, n_images)


def in_parts(batches: Iterable[Batch], largest: int | None) -> Iterator[Batch]:
    """Yield the batches, in parts of so many images at most; None leaves them whole."""
    for batch in batches:
        if largest is None or len(batch["index"]) <= largest:
            yield batch
        else:
            parts = zip(*(values.split(largest) for values in batch.values()), strict=True)
            yield from (dict(zip(batch, part, strict=True)) for part in parts)


def _backward(
    run: Run, group: list[Batch], plan: TrainingPlan, state: TrainingState, progress: Progress
) -> list[Computed]:
    computed: list[Computed] = []
    n_images = sum(len(batch["index"]) for batch in group)
    for part in in_parts(group, state.largest_part):
        with autocast(plan.device, state.precision):
            terms = run(to_device(part, plan.device), progress)
        length = len(part["index"])
        (length / n_images * total(terms)).backward()
        detached = {name: value.detach() for name, value in terms.items()}
        computed.append((detached, state.objective.measures(), length))
    return computed


def _smaller(group: list[Batch], state: TrainingState, error: Exception) -> int:
    """Return how many images to try next."""
    largest = state.largest_part or max(len(batch["index"]) for batch in group)
    size = "x".join(map(str, group[0]["image"].shape[-2:])) if "image" in group[0] else "its"
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
            stacklevel=2,
        )
    return -(-largest // 2)


def _why_whole(objective: Objective, group: list[Batch]) -> str | None:
    """Say why a batch must stay whole; None where it need not."""
    if any(isinstance(each, _BatchNorm) and each.training for each in objective.modules()):
        return "batch normalization looks at all of it"
    if not all(objective.is_mean_over_images(batch) for batch in group):
        return "its loss is no mean over images"
    return None


def total(terms: dict[str, Tensor]) -> Tensor:
    """Return the sum of the terms."""
    values = iter(terms.values())
    return sum(values, start=next(values))
