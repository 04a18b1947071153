"""Batch normalization over the images of all processes.

Torch's own, ``SyncBatchNorm``, refuses to compute on a CPU.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from segclf.distributed.group import explained, n_processes
from segclf.distributed.shares import own_share


@contextmanager
def synchronized(module: nn.Module) -> Iterator[None]:
    """Let batch normalization use the whole batch that is computed in shares.

    Inside this context their classes are replaced; weights and names do not change.

    Parameters
    ----------
    module : nn.Module
        A network that may have batch normalizations.

    Examples
    --------
    >>> import torch
    >>> from segclf.distributed import in_shares, synchronized
    >>> network = torch.nn.BatchNorm1d(2)
    >>> with synchronized(network):
    ...     in_shares(network, torch.zeros(4, 2)).shape
    torch.Size([4, 2])
    """
    alone = n_processes() == 1
    norms = [] if alone else [each for each in module.modules() if isinstance(each, _BatchNorm)]
    kinds = [type(each) for each in norms]
    for norm, kind in zip(norms, kinds, strict=True):
        norm.__class__ = _over_processes(kind)
    try:
        yield
    finally:
        for norm, kind in zip(norms, kinds, strict=True):
            norm.__class__ = kind


def _over_processes(kind: type[_BatchNorm]) -> type[_BatchNorm]:
    if kind.forward is not _BatchNorm.forward and not _is_timms(kind):
        raise ValueError(
            f"{kind.__name__} defines its own `forward`, which sees the images of one process "
            "only; expected torch's batch normalization, or timm's."
        )
    return type(kind.__name__, (_OverProcesses, kind), {})


def _is_timms(kind: type[nn.Module]) -> bool:
    """Tell whether a class is timm's batch normalization, which ends in an activation."""
    return any(each.__name__ == "BatchNormAct2d" for each in kind.__mro__)


class _OverProcesses(_BatchNorm):
    """Normalizes with the statistics of the whole batch, of which this process has a share."""

    def forward(self, values: Tensor) -> Tensor:
        share = own_share()
        if share is None or not (self.training or self.running_mean is None):
            return super().forward(values)
        each = (1, -1, *[1] * (values.ndim - 2))
        exact = values.to(torch.promote_types(values.dtype, torch.float32))
        variance, mean = batch_moments(exact)
        centered = exact - mean.view(each)
        count = values.numel() // values.shape[1] // len(values) * share.n_images
        self._follow(mean.detach(), variance.detach() * count / max(1, count - 1))
        result = centered * (variance + self.eps).rsqrt().view(each)
        if self.affine:
            result = result * self.weight.view(each) + self.bias.view(each)
        result = result.to(values.dtype)
        return self._activated(result) if _is_timms(type(self)) else result

    def _activated(self, values: Tensor) -> Tensor:
        for name in ("drop", "act"):
            values = self.get_submodule(name)(values)
        return values

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Update the running statistics as torch does."""
        if not (self.training and self.track_running_stats):
            return
        counter: Any = self.num_batches_tracked
        counter.add_(1)
        share = 1 / float(counter) if self.momentum is None else self.momentum
        for running, seen in ((self.running_mean, mean), (self.running_var, variance)):
            assert running is not None
            running.lerp_(seen.to(running), share)


def batch_moments(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return variance and mean (c,) of values (n, c, ...), over the images of all processes.

    The variance is that of these values, divided by their number.

    Examples
    --------
    >>> import torch
    >>> from segclf.distributed import batch_moments
    >>> variance, mean = batch_moments(torch.tensor([[1.0], [3.0]]))
    >>> variance, mean
    (tensor([1.]), tensor([2.]))
    """
    axes, share = [0, *range(2, values.ndim)], own_share()
    if share is None:
        return torch.var_mean(values, axes, correction=0)
    count = values.numel() // values.shape[1] // len(values) * share.n_images
    mean = _total(values.sum(axes)) / count
    centered = values - mean.view(1, -1, *[1] * (values.ndim - 2))
    return _total(centered.square().sum(axes)) / count, mean


class _Total(torch.autograd.Function):
    """The sum over processes, with gradients from all of them."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return _summed(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _summed(gradients[0])


def _total(values: Tensor) -> Tensor:
    total: Tensor = _Total.apply(values)
    return total


def _summed(values: Tensor) -> Tensor:
    values = values.detach().clone(memory_format=torch.contiguous_format)
    with explained():
        dist.all_reduce(values)
    return values
