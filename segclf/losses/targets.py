"""Logits and targets in every loss: kinds, precision, weighted means."""

from collections.abc import Callable

import torch
from torch import Tensor

from segclf.axes import across


def is_exclusive(logits: Tensor, target: Tensor) -> bool:
    """Tell exclusive class ids from multi-label channels, by shape.

    Parameters
    ----------
    logits : Tensor of shape (n, k, ...)
    target : Tensor of shape (n, ...) with exclusive ids, or (n, k, ...) with channels

    Returns
    -------
    bool
        True for exclusive ids.

    Raises
    ------
    ValueError
        If the shapes fit neither kind, or exclusive ids meet a single channel.
    """
    shape = logits.shape
    if target.shape == shape:
        return False
    if target.shape != shape[:1] + shape[2:]:
        raise ValueError(
            f"logits of shape {tuple(shape)} need a target of shape {tuple(shape[:1] + shape[2:])} "
            f"(exclusive ids) or {tuple(shape)} (multi-label), got {tuple(target.shape)}."
        )
    if shape[1] == 1:
        raise ValueError(
            f"Exclusive ids need two channels or more: logits of shape {tuple(shape)} need a "
            f"multi-label target of the same shape, got {tuple(target.shape)}."
        )
    return True


def full_precision(logits: Tensor) -> Tensor:
    """Return half precision logits in float32; float32 and float64 unchanged.

    Parameters
    ----------
    logits : Tensor

    Returns
    -------
    Tensor
    """
    return logits if logits.dtype in (torch.float32, torch.float64) else logits.float()


def entry_weights(
    logits: Tensor,
    target: Tensor,
    sample_weight: Tensor | None,
    class_weight: Tensor | None,
) -> Tensor:
    """Weigh every entry: 0 if unlabeled, else its image's weight times its class's weight.

    Parameters
    ----------
    logits : Tensor of shape (n, k, ...)
        Decides the kind of the target, and dtype and device of the weights.
    target : Tensor of shape (n, ...) or (n, k, ...)
    sample_weight : Tensor of shape (n,) or None
    class_weight : Tensor of shape (k,) or None
        Weight of an entry's id if ids are exclusive, else of its channel.

    Returns
    -------
    Tensor of the target's shape
    """
    if class_weight is not None and is_exclusive(logits, target):
        weights = _of_ids(class_weight.to(logits), target)
    else:
        weights = compared(target, logits, Tensor.ge_)
        if class_weight is not None:
            weights = weights * across(class_weight.to(logits), target, axis=1)
    if sample_weight is not None:
        weights = weights * across(sample_weight.to(logits), target)
    return weights


def compared(target: Tensor, logits: Tensor, compare: Callable[[Tensor, float], Tensor]) -> Tensor:
    """Compare a target with 0, giving 1 and 0 in the dtype of the logits.

    Comparing floats in place takes a third of the time of comparing integers and converting.

    Parameters
    ----------
    target, logits : Tensor
    compare : callable
        ``Tensor.ge_`` (labeled) or ``Tensor.gt_`` (foreground).

    Returns
    -------
    Tensor of the target's shape
    """
    return compare(target.to(logits, copy=True), 0)


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Average values by weights; all weights 0 give 0, with zero gradients.

    Parameters
    ----------
    values : Tensor
    weights : Tensor
        Not negative, of a shape that broadcasts to that of `values`.

    Returns
    -------
    Tensor
        A scalar.
    """
    weights = weights.expand_as(values)
    total = weights.sum()
    return (values * weights).sum() / torch.where(total > 0, total, 1.0)


def _of_ids(class_weight: Tensor, target: Tensor) -> Tensor:
    """Look up the weight of each id; that of -1 is 0."""
    weights = torch.cat([class_weight.new_zeros(1), class_weight])
    return weights.index_select(0, target.long().flatten() + 1).view_as(target)
