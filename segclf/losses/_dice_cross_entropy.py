"""Dice and cross entropy together: one measures areas, the other pixels."""

from torch import Tensor

from segclf.losses._cross_entropy import cross_entropy
from segclf.losses._dice import dice


def dice_cross_entropy(
    logits: Tensor,
    target: Tensor,
    *,
    sample_weight: Tensor | None = None,
    class_weight: Tensor | None = None,
    dice_factor: float = 1.0,
    cross_entropy_factor: float = 1.0,
    include_background: bool = False,
    batch: bool = True,
    squared: bool = False,
    smooth: float = 1.0,
) -> Tensor:
    """Sum soft Dice and cross entropy, each times its factor.

    With both factors 1 it is the sum of Isensee et al., "nnU-Net", Nature Methods 2021; with both
    0.5, the supervised term of cross teaching (Luo et al., MIDL 2022).

    Parameters
    ----------
    logits : Tensor of shape (n, k, h, w) or (n, k)
        Scores before the softmax, or the sigmoid of multi-label targets.
    target : Tensor of shape (n, h, w) or (n,) with ids, or of the shape of `logits` with 0 and 1
        -1 is ignored.
    sample_weight : Tensor of shape (n,), optional
        Weight of each image in both terms.
    class_weight : Tensor of shape (k,), optional
        Weights of classes in both terms.
    dice_factor, cross_entropy_factor : float, default=1.0
        Factors of the two terms.
    include_background : bool, default=False
        As in :func:`dice`.
    batch : bool, default=True
        As in :func:`dice`.
    squared : bool, default=False
        As in :func:`dice`.
    smooth : float, default=1.0
        As in :func:`dice`.

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
    >>> from segclf.losses import dice_cross_entropy
    >>> logits, target = torch.zeros(1, 2, 2, 2), torch.tensor([[[1, 1], [0, -1]]])
    >>> round(dice_cross_entropy(logits, target, smooth=0).item(), 4)  # 0.4286 + 0.6931
    1.1217
    """
    overlap = dice(
        logits,
        target,
        sample_weight=sample_weight,
        class_weight=class_weight,
        include_background=include_background,
        batch=batch,
        squared=squared,
        smooth=smooth,
    )
    surprise = cross_entropy(logits, target, sample_weight=sample_weight, class_weight=class_weight)
    return dice_factor * overlap + cross_entropy_factor * surprise
