"""Cross entropy of each labeled pixel."""

import torch
from torch import Tensor
from torch.nn import functional

from segclf.losses.entries import entry_cross_entropy
from segclf.losses.targets import entry_weights, full_precision, is_exclusive, weighted_mean


def cross_entropy(
    logits: Tensor,
    target: Tensor,
    *,
    sample_weight: Tensor | None = None,
    class_weight: Tensor | None = None,
) -> Tensor:
    """Average cross entropy of the labeled entries, softmax or (multi-label) sigmoid.

    With weights it is ``sum(w * ce) / sum(w)`` over the labeled entries, as torch's weighted mean,
    where ``w`` is the image's weight times the weight of the entry's class (its channel if
    multi-label).

    Parameters
    ----------
    logits : Tensor of shape (n, k, h, w) or (n, k)
        Scores before the softmax, or the sigmoid of multi-label targets.
    target : Tensor of shape (n, h, w) or (n,) with ids, or of the shape of `logits` with 0 and 1
        -1 is ignored. Multi-label targets may also be probabilities.
    sample_weight : Tensor of shape (n,), optional
        Weight of each image in the mean.
    class_weight : Tensor of shape (k,), optional
        Weight of each class in the mean.

    Returns
    -------
    Tensor
        A scalar; 0 if everything is ignored.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> import torch
    >>> from segclf.losses import cross_entropy
    >>> round(cross_entropy(torch.zeros(3, 2), torch.tensor([0, 1, -1])).item(), 4)
    0.6931
    """
    logits = full_precision(logits)
    if sample_weight is None and class_weight is None and is_exclusive(logits, target):
        return _plain(logits, target)
    weights = entry_weights(logits, target, sample_weight, class_weight)
    return weighted_mean(entry_cross_entropy(logits, target), weights)


def _plain(logits: Tensor, target: Tensor) -> Tensor:
    if target.numel() == 0:
        return logits.sum()
    loss = functional.cross_entropy(logits, target.long(), ignore_index=-1)
    # torch's mean of no pixels is NaN, though its gradients are 0. The maximum is the cheapest
    # test for it, and a select (unlike an if) does not make a GPU wait.
    return torch.where(target.max() < 0, 0.0, loss)
