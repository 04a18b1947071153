"""Soft counts of pixels, from which Dice and Tversky losses are computed."""

from typing import NamedTuple

import torch
from torch import Tensor

from segclf.axes import across, axes_from
from segclf.losses.targets import compared, full_precision, is_exclusive, weighted_mean


class Overlap(NamedTuple):
    """Soft pixel counts of shape (classes,) over a batch, or (n, classes) per image.

    Attributes
    ----------
    both : Tensor
        Predicted and true (true positives).
    predicted : Tensor
        Predicted: true and false positives.
    true : Tensor
        True: true positives and false negatives.
    weights : Tensor
        Weight in the final mean; 0 without labeled pixels.
    """

    both: Tensor
    predicted: Tensor
    true: Tensor
    weights: Tensor

    def mean(self, losses: Tensor) -> Tensor:
        """Average the losses of the classes (and images) with labeled pixels."""
        return weighted_mean(losses, self.weights)


def soft_overlap(
    logits: Tensor,
    target: Tensor,
    *,
    sample_weight: Tensor | None,
    class_weight: Tensor | None,
    include_background: bool,
    batch: bool,
    squared: bool = False,
) -> Overlap:
    """Count predicted, true and common pixels of each class by probability.

    Parameters
    ----------
    logits : Tensor of shape (n, k, h, w) or (n, k)
    target : Tensor with ids or channels; -1 is ignored
    sample_weight : Tensor of shape (n,) or None
        Multiplies an image's counts (`batch`) or its weight in the mean.
    class_weight : Tensor of shape (k,) or None
        Weight of a class in the mean.
    include_background : bool
        Whether to keep class 0 of exclusive ids. Channels of a multi-label target are all
        foreground.
    batch : bool
        Whether to sum over the batch, too.
    squared : bool
        Whether to square the values summed in `predicted` and `true`.

    Returns
    -------
    Overlap
    """
    logits = full_precision(logits)
    if is_exclusive(logits, target):
        first = 0 if include_background else 1
        probability, truth, labeled = _exclusive(logits, target, first)
    else:
        first = 0
        probability, truth, labeled = _multilabel(logits, target)
    counts = [*_count(probability * labeled, truth, squared), _sum_pixels(labeled)]
    if sample_weight is not None:
        counts = [count * sample_weight.to(logits)[:, None] for count in counts]
    if batch:
        counts = [count.sum(0) for count in counts]
    weights = _mean_weights(counts[3], None if batch else sample_weight)
    if class_weight is not None:
        weights = weights * class_weight.to(logits)[first:]
    return Overlap(counts[0], counts[1], counts[2], weights)


def ratio(part: Tensor, whole: Tensor) -> Tensor:
    """Divide, with 0 / 0 = 1: predicting nothing where there is nothing is right.

    Parameters
    ----------
    part, whole : Tensor

    Returns
    -------
    Tensor
    """
    there = whole > 0
    return torch.where(there, part / torch.where(there, whole, 1.0), 1.0)


def _exclusive(logits: Tensor, target: Tensor, first: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return probabilities, one-hot truth and labeled pixels, for the classes from `first` on."""
    n_classes = logits.shape[1]
    ids = torch.arange(first, n_classes, dtype=logits.dtype, device=logits.device)
    target = target.to(logits).unsqueeze(1)
    repeated = target.expand(-1, n_classes - first, *target.shape[2:])
    truth = repeated.clone(memory_format=torch.contiguous_format).eq_(across(ids, target, axis=1))
    return logits.softmax(1)[:, first:], truth, compared(target, logits, Tensor.ge_)


def _multilabel(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    labeled = compared(target, logits, Tensor.ge_)
    return logits.sigmoid(), target.to(logits).clamp_min(0), labeled


def _count(probability: Tensor, truth: Tensor, squared: bool) -> list[Tensor]:
    counted = [probability * truth, probability, truth]
    if squared:
        counted[1:] = [probability.square(), truth.square()]
    return [_sum_pixels(pixels) for pixels in counted]


def _sum_pixels(pixels: Tensor) -> Tensor:
    places = axes_from(2, pixels)
    return pixels.sum(places) if places else pixels


def _mean_weights(labeled: Tensor, sample_weight: Tensor | None) -> Tensor:
    """Weigh the classes (and images) with labeled pixels."""
    weights = (labeled > 0).to(labeled)
    return weights if sample_weight is None else weights * sample_weight.to(labeled)[:, None]
