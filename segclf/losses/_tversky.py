"""Tversky loss: Dice with separate weights for false positives and false negatives."""

from torch import Tensor

from segclf.losses.overlap import Overlap, ratio, soft_overlap


def tversky(
    logits: Tensor,
    target: Tensor,
    *,
    sample_weight: Tensor | None = None,
    class_weight: Tensor | None = None,
    alpha: float = 0.3,
    beta: float = 0.7,
    include_background: bool = False,
    batch: bool = True,
    smooth: float = 1.0,
) -> Tensor:
    """Average, over classes, ``1 - (TP + smooth) / (TP + alpha FP + beta FN + smooth)``.

    Salehi, Erdogmus and Gholipour, "Tversky loss function for image segmentation", MLMI 2017,
    Section 2. ``alpha = beta = 0.5`` is :func:`dice` with twice the `smooth`. Classes that are
    absent or not labeled are treated as there.

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
        Weight of false positives, as in segmentation-models-pytorch and MONAI.
    beta : float, default=0.7
        Weight of false negatives.
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
    >>> from segclf.losses import tversky
    >>> logits, target = torch.full((1, 1, 1, 4), 99.0), torch.tensor([[[[1, 1, 0, 0]]]])
    >>> round(tversky(logits, target, smooth=0).item(), 4)  # 1 - 2 / (2 + 0.3 * 2)
    0.2308
    """
    overlap = soft_overlap(
        logits,
        target,
        sample_weight=sample_weight,
        class_weight=class_weight,
        include_background=include_background,
        batch=batch,
    )
    return overlap.mean(1 - tversky_index(overlap, alpha=alpha, beta=beta, smooth=smooth))


def tversky_index(overlap: Overlap, *, alpha: float, beta: float, smooth: float) -> Tensor:
    """Compute the Tversky index of every class from its pixel counts.

    Parameters
    ----------
    overlap : Overlap
    alpha, beta : float
        Weights of false positives and of false negatives.
    smooth : float

    Returns
    -------
    Tensor of the shape of the counts
    """
    false_positives = overlap.predicted - overlap.both
    false_negatives = overlap.true - overlap.both
    whole = overlap.both + alpha * false_positives + beta * false_negatives
    return ratio(overlap.both + smooth, whole + smooth)
