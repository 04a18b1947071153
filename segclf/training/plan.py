"""The plan: everything that the loop needs besides an objective and batches."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from segclf.objectives import Batch, Progress
from segclf.training.optimizers import OptimizerFactory
from segclf.training.schedules import Schedule

Row = dict[str, float]
Measure = Callable[[Iterator[Batch]], Row]
Run = Callable[[Batch, Progress], dict[str, Tensor]]


class Batches(Protocol):
    """Batches of one epoch, in an order that is a pure function of (seed, epoch)."""

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of that epoch."""


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """How to train.

    Parameters
    ----------
    max_epochs : int
        Number of passes over the data, at most.
    max_steps : int or None
        Number of steps, at most, in place of `max_epochs`; the last epoch may end early. A step is
        one update of the weights.
    max_seconds : float or None
        Training time in seconds; training stops at the end of the step in which it is over.
    learning_rate, weight_decay : float
        Learning rate and weight decay of the optimizer.
    optimizer : str or callable
        See `segclf.training.make_optimizer`.
    schedule : str or callable
        Factor of the learning rate, see `segclf.training.get_schedule`.
    clip_gradients : float or None
        Largest Euclidean norm of the gradient of all parameters together; a longer one is scaled
        down, after the objective's ``before_update``.
    accumulate_batches : int
        Number of batches in a step; the last step of an epoch may have fewer.
    average_weights : float
        Share of the steps, at the end of training, over which the weights are averaged.
    device : torch.device
        Where to compute.
    precision : {"fp32", "bf16", "fp16"}
        In which precision to compute.
    monitor : str or None
        Criterion for the best epoch, whose weights are restored: "loss" (validation loss; training
        loss without validation), where lower is better, or the name of a measure, where higher is
        better, with the column ``validation_`` and the name. None keeps the last epoch's weights,
        or means "loss" with `n_iter_no_change`.
    measure : callable or None
        Function from the held-out batches, on the device, to further columns of the history.
    n_iter_no_change : int or None
        Number of epochs without a better one after which training stops.
    after_epoch : callable or None
        Called with each row of the history; training stops when it returns True.
    """

    max_epochs: int
    max_steps: int | None = None
    max_seconds: float | None = None
    learning_rate: float
    weight_decay: float = 0.0
    optimizer: str | OptimizerFactory = "adam"
    schedule: str | Schedule = "constant"
    clip_gradients: float | None = None
    accumulate_batches: int = 1
    average_weights: float = 0.0
    device: torch.device = torch.device("cpu")
    precision: str = "fp32"
    monitor: str | None = None
    measure: Measure | None = None
    n_iter_no_change: int | None = None
    after_epoch: Callable[[Row], bool] | None = None

    def steps_per_epoch(self, n_batches: int) -> int:
        """Return the number of steps in an epoch of `n_batches`."""
        return -(-n_batches // self.accumulate_batches)

    def n_steps(self, n_batches: int) -> int:
        """Return the number of steps that the schedule covers, with `n_batches` in an epoch."""
        return self.max_steps or self.max_epochs * self.steps_per_epoch(n_batches)

    def averages(self, n_done: int, n_steps: int) -> bool:
        """Tell whether the weights after `n_done` of `n_steps` steps are averaged."""
        return n_done > n_steps - round(self.average_weights * n_steps)
