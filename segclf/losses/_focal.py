"""Focal loss: cross entropy that gives less weight to pixels that are already right."""

import torch
from torch import Tensor

from segclf.losses.entries import entry_cross_entropy
from segclf.losses.targets import compared, entry_weights, full_precision, weighted_mean


def focal(
    logits: Tensor,
    target: Tensor,
    *,
    sample_weight: Tensor | None = None,
    class_weight: Tensor | None = None,
    alpha: float | None = 0.25,
    gamma: float = 2.0,
) -> Tensor:
    """Average focal loss of the labeled entries: ``alpha_t * (1 - p_t) ** gamma * ce``.

    ``p_t`` is the predicted probability of the true class. Lin et al., "Focal loss for dense object
    detection", ICCV 2017, Section 3 and equation 5; `alpha` and `gamma` as in their Table 1b. For
    ``k = 2``, exclusive ids give the same as one sigmoid channel of the difference of logits.

    Parameters
    ----------
    logits : Tensor of shape (n, k, h, w) or (n, k)
        Scores before the softmax, or the sigmoid of multi-label targets.
    target : Tensor of shape (n, h, w) or (n,) with ids, or of the shape of `logits` with 0 and 1
        -1 is ignored.
    sample_weight : Tensor of shape (n,), optional
        As in :func:`cross_entropy`.
    class_weight : Tensor of shape (k,), optional
        With `sample_weight`, the weights of the mean, as in :func:`cross_entropy`.
    alpha : float or None, default=0.25
        Factor of the foreground (ids above 0, or 1 in a channel); background has ``1 - alpha``. It
        scales the loss and, unlike the weights, does not divide it. None leaves it out.
    gamma : float, default=2.0
        Exponent; 0 is cross entropy.

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
    >>> from segclf.losses import focal
    >>> logits, target = torch.zeros(3, 1), torch.tensor([[0], [1], [-1]])
    >>> round(focal(logits, target, alpha=None).item(), 4)  # 0.5 ** 2 * 0.6931
    0.1733
    """
    logits = full_precision(logits)
    surprise = entry_cross_entropy(logits, target)
    # 1 - p_t, kept off 0 because there the gradient of a power below 1 is not finite.
    missed = (-torch.expm1(-surprise)).clamp_min(torch.finfo(logits.dtype).eps)
    loss = missed**gamma * surprise
    if alpha is not None:
        foreground = compared(target, logits, Tensor.gt_)
        loss = loss * (foreground * (2 * alpha - 1) + (1 - alpha))
    return weighted_mean(loss, entry_weights(logits, target, sample_weight, class_weight))
