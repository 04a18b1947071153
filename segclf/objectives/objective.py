"""The contract between a method and the loop: a module that computes its own named losses."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from segclf.networks import ImageNetwork

Batch = dict[str, Tensor]


class Progress(NamedTuple):
    """Where training stands: epoch and step count from 0, fraction runs over [0, 1)."""

    epoch: int
    step: int
    fraction: float


class Objective(nn.Module, ABC):
    """What a method trains, as one module.

    ``forward`` returns named loss terms, weighted already; the loop sums them, and each name
    becomes a column of the history. All state is parameters and buffers, so that ``state_dict()``
    is the checkpoint; its ``network`` is what the estimator keeps, asked for before and after
    training. The hooks below do nothing unless a method needs them.

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
        """Tell whether each loss term is a mean over the images, all of which weigh the same.

        Then a batch that does not fit into memory is computed in parts, whose gradients add up to
        those of the whole; layers that look at the batch are seen to by the loop. Where a term
        compares images, sums over the batch before it divides, or leaves some of it out, it is not.
        """
        return False

    def measures(self) -> dict[str, Tensor]:
        """Return scalars that the last ``forward`` measured: columns of the history, no loss."""
        return {}

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return optimizer groups; an encoder with a rate of its own is one, or one for each level.

        Beside the optimizer's own options, a group's ``rate`` multiplies the learning rate. From
        the fraction of training done, its ``schedule`` gives the factor of the rate instead of the
        common one, and its ``weight_decay_schedule`` the weight decay. ``start`` is the fraction at
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
        """Prepare for an epoch; ``batches`` walks over the training data once."""

    def before_update(self, progress: Progress) -> None:
        """Look at or change the gradients, between ``backward`` and the optimizer's step."""

    def after_update(self, progress: Progress) -> None:
        """Follow the new parameters, after the optimizer's step."""

    def after_epoch(self, row: Mapping[str, float]) -> None:
        """Look at the epoch's row of the history."""
