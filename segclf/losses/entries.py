"""Losses of single entries, before averaging."""

from torch import Tensor
from torch.nn import functional

from segclf.losses.targets import is_exclusive


def entry_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Compute the cross entropy of every entry; finite, but meaningless, where the target is -1.

    Parameters
    ----------
    logits : Tensor of shape (n, k, ...)
    target : Tensor of shape (n, ...) or (n, k, ...)

    Returns
    -------
    Tensor of the target's shape
    """
    if is_exclusive(logits, target):
        return functional.cross_entropy(logits, target.long(), ignore_index=-1, reduction="none")
    truth = target.to(logits).clamp_min(0)
    return functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
