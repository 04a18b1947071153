"""Change gradients before the optimizer sees them."""

from collections.abc import Iterable

import torch
from torch import nn


def shorten_each(parameters: Iterable[nn.Parameter], longest: float) -> None:
    """Scale the gradient of each tensor down to a length, each for itself.

    `torch.nn.utils.clip_grad_norm_` scales all of them by one factor instead.

    Parameters
    ----------
    parameters : iterable of nn.Parameter
        Those without a gradient stay without.
    longest : float
        Euclidean length; shorter gradients stay as they are.

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
