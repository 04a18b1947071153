"""The history of training: the mean of each loss term, epoch by epoch."""

import math
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor


class Means:
    """Means over batches of named scalars; on the device, so that no batch waits for them."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._terms: dict[str, None] = {}
        self._n_samples = 0

    def add(
        self, terms: Mapping[str, Tensor], measures: Mapping[str, Tensor], n_samples: int
    ) -> None:
        """Add one batch of `n_samples`: its loss terms and its measures."""
        self._terms.update(dict.fromkeys(terms))
        for name, value in (*terms.items(), *measures.items()):
            if name not in self._sums:
                self._sums[name] = torch.zeros((), device=value.device)
            self._sums[name].add_(value.detach(), alpha=n_samples)
        self._n_samples += n_samples

    def items(self, prefix: str = "") -> Iterator[tuple[str, float]]:
        """Yield names and means, the total of the terms last."""
        means = {name: float(value) / self._n_samples for name, value in self._sums.items()}
        for name, mean in means.items():
            yield prefix + name, mean
        yield prefix + "loss", math.fsum(means[name] for name in self._terms)


def check_finite(row: Mapping[str, float]) -> None:
    """Raise FloatingPointError naming the first value of the row that is not finite."""
    for name, value in row.items():
        if not math.isfinite(value):
            raise FloatingPointError(
                f"Training diverged: {name!r} became {value} in epoch {int(row['epoch'])}. "
                "Try a lower learning_rate, or precision='fp32'."
            )
