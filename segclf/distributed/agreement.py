"""Ensure that all processes agree on values and weights."""

from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from segclf.distributed.group import explained, n_processes


def agreed(value: Any) -> Any:
    """Return the value of the first process; it must be plain data.

    Examples
    --------
    >>> from segclf.distributed import agreed
    >>> agreed({"seed": 3})
    {'seed': 3}
    """
    if n_processes() == 1:
        return value
    values = [value]
    with explained():
        dist.broadcast_object_list(values, src=0)
    return values[0]


def agreed_by_all(flag: bool) -> bool:
    """Tell whether a flag is True in every process.

    Examples
    --------
    >>> from segclf.distributed import agreed_by_all
    >>> agreed_by_all(True)
    True
    """
    if n_processes() == 1:
        return flag
    count = torch.tensor(int(flag))
    with explained():
        dist.all_reduce(count, dist.ReduceOp.MIN)
    return bool(count)


def require_agreement(value: Any, message: str) -> None:
    """Refuse values that are not the same in every process.

    Parameters
    ----------
    value : object
        Plain; this process's own.
    message : str
        Of the error.

    Raises
    ------
    ValueError
        With the message, in all processes.

    Examples
    --------
    >>> from segclf.distributed import require_agreement
    >>> require_agreement(3, "Each process has another seed.")
    """
    if n_processes() > 1 and not agreed_by_all(bool(agreed(value) == value)):
        raise ValueError(message)


def require_equal_weights(module: nn.Module) -> None:
    """Refuse a network whose weights differ between processes.

    Parameters
    ----------
    module : nn.Module
        The network of this process.

    Raises
    ------
    RuntimeError
        In all processes, even if the weights differ only by rounding.

    Examples
    --------
    >>> import torch
    >>> from segclf.distributed import require_equal_weights
    >>> require_equal_weights(torch.nn.Linear(2, 1))
    """
    if n_processes() == 1:
        return
    sums = [float(each.detach().double().sum()) for each in module.state_dict().values()]
    if not agreed_by_all(bool(agreed(sums) == sums)):
        raise RuntimeError(
            "The processes learned different weights, so their gradients cannot be averaged. "
            "Expected processors of one kind, the same versions of segclf and torch, and "
            "callbacks that do the same in each process."
        )
