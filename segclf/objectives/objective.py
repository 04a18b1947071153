"""The contract between a method and the loop: a module that computes its own named losses."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from segclf.networks import ImageNetwork

Batch = dict[str, Tensor]


class Progress(NamedTuple):
    """Progress of training: epoch and step count from 0; fraction runs over [0, 1)."""

    epoch: int
    step: int
    fraction: float


class Objective(nn.Module, ABC):
    """What a method trains, as one module.

    ``forward`` returns named loss terms, already weighted; the loop sums them, and each name
    becomes a column of the history. All state is parameters and buffers, so that ``state_dict()``
    is the checkpoint. Its ``network`` is what the estimator keeps, read before and after training.
    The hooks below do nothing unless a method overrides them.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> class Reconstruction(Objective):
    ...     def __init__(self, network):
    ...         super().__init__()
    ...         self.network = network
    ...
    ...     def forward(self, batch, progress):
    ...         image = batch["image"]
    ...         return {"reconstruction": (self.network(image) - image).square().mean()}
    >>> terms = Reconstruction(nn.Identity())({"image": torch.ones(1)}, Progress(0, 0, 0.0))
    >>> terms["reconstruction"].item()
    0.0
    """

    network: nn.Module

    @abstractmethod
    def forward(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return the named loss terms of one batch, each a scalar."""

    def is_mean_over_images(self, batch: Batch) -> bool:
        """Tell whether each loss term is a mean over images of equal weight.

        If so, a batch that does not fit into memory is computed in parts, whose gradients add up to
        those of the whole; the loop itself checks for layers that depend on the batch. A term is
        not such a mean if it compares images, sums over the batch before it divides, or leaves out
        parts of it.
        """
        return False

    def measures(self) -> dict[str, Tensor]:
        """Return scalars that the last ``forward`` measured: columns of the history, not losses."""
        return {}

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return parameter groups; an encoder with its own rate is one, or one for each level.

        Besides the optimizer's options, a group's ``rate`` multiplies the learning rate. Its
        ``schedule``, a function of the fraction of training done, replaces the common one, and its
        ``weight_decay_schedule`` gives the weight decay. ``start`` is the fraction of training at
        which the group begins to learn.
        """
        own = {
            parameter: (rate, network.encoder_start)
            for network in self.modules()
            if isinstance(network, ImageNetwork)
            for parameter, rate in network.encoder_rates().items()
        }
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for parameter in self.parameters():
            rate, start = own.get(parameter, (1.0, 0.0))
            if parameter.requires_grad or start > 0:
                groups.setdefault((rate, start), []).append(parameter)
        return [
            {"params": parameters, "rate": rate, **({"start": start} if start else {})}
            for (rate, start), parameters in groups.items()
        ]

    def before_epoch(self, batches: Iterable[Batch], progress: Progress) -> None:
        """Prepare for an epoch; ``batches`` iterates over the training data once."""

    def before_update(self, progress: Progress) -> None:
        """Read or change the gradients, between ``backward`` and the optimizer's step."""

    def after_update(self, progress: Progress) -> None:
        """React to the new parameters, after the optimizer's step."""

    def after_epoch(self, row: Mapping[str, float]) -> None:
        """Read the epoch's row of the history."""
