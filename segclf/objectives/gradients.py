"""Changes of gradients before the optimizer's step."""

from collections.abc import Iterable

import torch
from torch import nn


def shorten_each(parameters: Iterable[nn.Parameter], longest: float) -> None:
    """Scale down the gradient of each tensor to a largest length, each separately.

    `torch.nn.utils.clip_grad_norm_` scales all of them by one factor instead.

    Parameters
    ----------
    parameters : iterable of nn.Parameter
        Parameters without a gradient are skipped.
    longest : float
        Euclidean length; shorter gradients stay unchanged.

    Examples
    --------
    >>> weight = nn.Parameter(torch.zeros(2))
    >>> weight.grad = torch.tensor([3.0, 4.0])
    >>> shorten_each([weight], 2.5)
    >>> weight.grad
    tensor([1.5000, 2.0000])
    """
    gradients = [each.grad for each in parameters if each.grad is not None]
    norms = torch.stack(torch._foreach_norm(gradients))
    torch._foreach_mul_(gradients, (longest / norms.clamp(min=longest)).unbind())
