"""Focal Tversky loss: Tversky loss with more weight on hard classes."""

from torch import Tensor

from segclf.losses._tversky import tversky_index
from segclf.losses.overlap import soft_overlap


def focal_tversky(
    logits: Tensor,
    target: Tensor,
    *,
    sample_weight: Tensor | None = None,
    class_weight: Tensor | None = None,
    alpha: float = 0.3,
    beta: float = 0.7,
    gamma: float = 0.75,
    include_background: bool = False,
    batch: bool = True,
    smooth: float = 1.0,
) -> Tensor:
    """Average, over classes, ``(1 - TI) ** gamma`` with ``TI`` the index of :func:`tversky`.

    Abraham and Khan, "A novel focal Tversky loss function with improved attention U-Net for lesion
    segmentation", ISBI 2019, Section 2, with the values of their code. Their alpha = 0.7 weighs
    false negatives and is `beta` here; their exponent 1 / gamma with gamma = 4 / 3 is `gamma` here.

    ``1 - TI`` is kept at 1e-7 or above, so that gradients stay finite where it is 0 (a perfect
    mask, or an empty one). The lowest loss of a labeled class is then 6e-6, not 0.

    Parameters
    ----------
    logits : Tensor of shape (n, k, h, w) or (n, k)
        Scores before the softmax, or the sigmoid of multi-label targets.
    target : Tensor of shape (n, h, w) or (n,) with ids, or of the shape of `logits` with 0 and 1
        -1 is ignored.
    sample_weight : Tensor of shape (n,), optional
        As in :func:`dice`.
    class_weight : Tensor of shape (k,), optional
        As in :func:`dice`.
    alpha : float, default=0.3
        Weight of false positives.
    beta : float, default=0.7
        Weight of false negatives.
    gamma : float, default=0.75
        Exponent; 1 is :func:`tversky`.
    include_background : bool, default=False
        As in :func:`dice`.
    batch : bool, default=True
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
    >>> from segclf.losses import focal_tversky
    >>> prediction, truth = [1, 1, 1, 1, 0, 0], [1, 1, 1, 0, 1, 1]  # TP 3, FP 1, FN 2
    >>> logits = torch.tensor(prediction).view(1, 1, 1, 6) * 200.0 - 100
    >>> round(focal_tversky(logits, torch.tensor(truth).view(1, 1, 1, 6)).item(), 6)
    0.403581
    """
    overlap = soft_overlap(
        logits,
        target,
        sample_weight=sample_weight,
        class_weight=class_weight,
        include_background=include_background,
        batch=batch,
    )
    index = tversky_index(overlap, alpha=alpha, beta=beta, smooth=smooth)
    return overlap.mean((1 - index).clamp_min(1e-7) ** gamma)
