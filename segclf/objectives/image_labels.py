"""Training a segmenter with image labels: its pixel scores are pooled into one score per class."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from segclf.axes import are_labels

SHARPNESS = 5.0


def image_label_loss(
    logits: Tensor, labels: Tensor, *, sample_weight: Tensor | None = None
) -> Tensor:
    """Cross-entropy between image labels and pooled pixel scores.

    Parameters
    ----------
    logits : Tensor of shape (n, k, h, w)
        Pixel scores of a segmenter. With exclusive classes, channel 0 is the background.
    labels : Tensor of shape (n,) or (n, k)
        Mask ids present in each image, 0 for none, -1 for unlabeled; or a multi-label indicator
        with -1 for unlabeled.
    sample_weight : Tensor of shape (n,), optional
        Weight of each image.

    Returns
    -------
    Tensor
        Weighted mean over the labeled images; 0 if there are none.

    Examples
    --------
    >>> import torch
    >>> logits = torch.zeros(1, 2, 4, 4)
    >>> image_label_loss(logits, torch.tensor([1])).item()  # ln 2
    0.6931471824645996
    """
    scores = pooled_scores(logits, exclusive=are_labels(labels))
    labeled = labels >= 0
    if are_labels(labels):
        losses = functional.cross_entropy(scores, labels, ignore_index=-1, reduction="none")
    else:
        target = labels.clamp(min=0).to(scores.dtype)
        losses = functional.binary_cross_entropy_with_logits(scores, target, reduction="none")
        losses = (losses * labeled).sum(1)
        labeled = labeled.any(1)
    weight = labeled.to(losses.dtype) if sample_weight is None else labeled * sample_weight
    return (losses * weight).sum() / weight.sum().clamp(min=torch.finfo(losses.dtype).tiny)


def pooled_scores(logits: Tensor, *, exclusive: bool) -> Tensor:
    """Pool pixel scores (n, k, h, w) into image scores (n, k) by a smooth maximum.

    Log-sum-exp with sharpness 5 lies between mean and maximum, so that every pixel has a gradient
    and a small region still counts (Pinheiro and Collobert, CVPR 2015, section 3.2). Exclusive
    classes pool their margin over the background, whose own score is 0.

    Returns
    -------
    Tensor of shape (n, k)
        Scores of images, before a softmax or sigmoid.

    Examples
    --------
    >>> import torch
    >>> from segclf.objectives import pooled_scores
    >>> logits = torch.zeros(1, 2, 4, 4)
    >>> logits[0, 1, 0, 0] = 8.0
    >>> scores = pooled_scores(logits, exclusive=True)
    >>> scores.shape, bool(0 < scores[0, 1] < 8)
    (torch.Size([1, 2]), True)
    """
    pixels = logits.float().flatten(2)
    if exclusive:
        pixels = pixels - pixels[:, :1]
    pooled = torch.logsumexp(SHARPNESS * pixels, dim=2) - math.log(pixels.shape[2])
    return pooled / SHARPNESS
