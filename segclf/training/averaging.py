"""The mean of a network's weights over the last steps of training."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from segclf.networks import ImageNetwork
from segclf.objectives import Objective


class AveragedWeights:
    """The uniform mean, over steps, of the weights of an objective's network.

    Izmailov et al., "Averaging weights leads to wider optima and better generalization", UAI 2018.
    Parameters are averaged, and so are floating buffers, such as the running statistics of batch
    normalizations: the paper computes those anew, by another pass over the training images, which
    each validation and each resumed training would have to repeat. What does not change costs
    nothing: an encoder that never learns is left out. Counters keep their last value.

    Parameters
    ----------
    objective : Objective
        The objective whose ``network`` is averaged; its other parts are not.
    """

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._n_steps = 0
        self._means: dict[str, Tensor] = {}

    @torch.no_grad()
    def add(self) -> None:
        """Add the network's weights after a step to the mean."""
        self._n_steps += 1
        weights = self._weights()
        if self._n_steps == 1:
            self._means = _copied(weights)
            return
        values = [weights[name] for name in self._means]
        torch._foreach_lerp_(list(self._means.values()), values, weight=1 / self._n_steps)

    def keep(self) -> None:
        """Copy the mean into the network, if there is one."""
        if self._means:
            _fill(self._weights(), self._means)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Put the mean, if there is one, into the network; restore the weights at the end."""
        before = _copied(self._weights()) if self._means else {}
        self.keep()
        try:
            yield
        finally:
            if before:
                _fill(self._weights(), before)

    def state_dict(self) -> dict[str, Any]:
        """Return the number of steps averaged, and the means."""
        return {"n_steps": self._n_steps, "means": dict(self._means)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""
        self._n_steps = state["n_steps"]
        weights = self._weights() if state["means"] else {}
        self._means = {
            name: mean.to(weights[name].device, copy=True) for name, mean in state["means"].items()
        }

    def _weights(self) -> dict[str, Tensor]:
        network = self._objective.network
        frozen = {
            id(value)
            for module in network.modules()
            if isinstance(module, ImageNetwork) and module.encoder_rate == 0
            for value in module.encoder.state_dict(keep_vars=True).values()
        }
        return {
            name: value
            for name, value in network.state_dict(keep_vars=True).items()
            if isinstance(value, Tensor) and value.is_floating_point() and id(value) not in frozen
        }


def _copied(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in weights.items()}


@torch.no_grad()
def _fill(weights: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    for name, value in values.items():
        weights[name].copy_(value)
