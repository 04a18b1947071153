"""Averaging gradients over all processes."""

from collections import defaultdict
from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor, nn

from segclf.distributed.group import explained, n_processes


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Set each gradient to its mean over all processes, which is that of the whole batch.

    Gradients of computations split by `in_shares` come from a process's own images and are too
    large by the number of processes; all other gradients are equal everywhere.

    Examples
    --------
    >>> import torch
    >>> from segclf.distributed import average_gradients
    >>> layer = torch.nn.Linear(2, 1)
    >>> layer(torch.ones(1, 2)).sum().backward()
    >>> average_gradients(layer.parameters())
    >>> layer.weight.grad
    tensor([[1., 1.]])
    """
    if n_processes() == 1:
        return
    kinds: dict[tuple[torch.device, torch.dtype], list[Tensor]] = defaultdict(list)
    for parameter in parameters:
        if parameter.grad is not None:
            kinds[parameter.grad.device, parameter.grad.dtype].append(parameter.grad)
    for gradients in kinds.values():
        _average(gradients)


def _average(gradients: list[Tensor]) -> None:
    flat = torch.cat([each.reshape(-1) for each in gradients])
    with explained():
        dist.all_reduce(flat)
    flat /= n_processes()
    parts = flat.split([each.numel() for each in gradients])
    for each, mean in zip(gradients, parts, strict=True):
        each.copy_(mean.view(each.shape))
