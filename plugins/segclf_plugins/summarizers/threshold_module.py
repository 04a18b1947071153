"""S4C's Algorithms 1 and 2 as torch modules for export, equal to `ThresholdSummarizer`.

Image sizes may be dynamic, so areas and numbers of pixels are tensors.
"""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = ["Decision", "ThresholdModule"]

# Rounds the number of pixels of a fraction, like `decision`.
_DIGITS = 1e6


class Decision(nn.Module):
    """Label and score maps, like `decision.decide` for each channel.

    Parameters
    ----------
    threshold : float
        The probability at or above which a pixel counts.
    areas : ndarray of shape (k,)
        Area of each channel: fractions of the image, or pixels if integers.
    pooling : {"mean", "rank", "top_mean", "max"}
        As for `ThresholdSummarizer`.
    """

    areas: Tensor

    def __init__(self, threshold: float, areas: NDArray[Any], pooling: str) -> None:
        super().__init__()
        self.threshold, self.pooling = float(threshold), pooling
        self.register_buffer("areas", torch.as_tensor(areas))

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Return labels and scores, (n, k) each, of maps (n, k, h, w)."""
        pixels = maps.flatten(2)
        size = torch.full((), pixels.shape[2], dtype=torch.float64)
        areas = self._pixels(size)
        counts = pixels >= self.threshold
        labels = counts.sum(dim=2) >= areas
        scores = self._scores(pixels, counts, labels, areas.minimum(size.long()))
        if self.pooling == "top_mean":
            labels = (scores >= float(np.float32(self.threshold))) & (areas <= size)
        above = scores.clamp(min=self.threshold)
        return labels, torch.where(
            labels, above, scores.clamp(max=math.nextafter(self.threshold, 0))
        )

    def _pixels(self, size: Tensor) -> Tensor:
        if not self.areas.is_floating_point():
            return self.areas
        exact = torch.round(self.areas * size * _DIGITS) / _DIGITS
        return exact.ceil().clamp(min=1).long()

    def _scores(self, pixels: Tensor, counts: Tensor, labels: Tensor, areas: Tensor) -> Tensor:
        if self.pooling == "max":
            return pixels.amax(dim=2).double()
        if self.pooling == "mean":
            chosen = counts == labels[..., None]
            total = torch.where(chosen, pixels, 0.0).double().sum(dim=2)
            n_chosen = chosen.sum(dim=2)
            return torch.where(n_chosen > 0, total / n_chosen.clamp(min=1), 1.0)
        highest = pixels.sort(dim=2, descending=True).values.double()
        place = torch.arange(pixels.shape[2])
        if self.pooling == "rank":
            chosen = place == areas[:, None] - 1
            return torch.where(chosen, highest, 0.0).sum(dim=2)
        chosen = place < areas[:, None]
        return torch.where(chosen, highest, 0.0).sum(dim=2) / areas


class ThresholdModule(nn.Module):
    """Computes the same as `ThresholdSummarizer.predict_proba`.

    Parameters
    ----------
    fitted : ThresholdSummarizer
        The rule and its classes.
    margin : float
        Keeps scores on the side of one half that agrees with their label.
    """

    def __init__(self, fitted: Any, *, margin: float) -> None:
        super().__init__()
        self.decision = Decision(fitted.threshold, fitted.min_area_, fitted.pooling)
        self.n_classes, self.multilabel = len(fitted.classes_), fitted.multilabel_
        self.margin = margin

    def forward(self, maps: Tensor, inside: Tensor | None = None) -> Tensor:
        """Return scores (n, n_classes) float64 of maps (n, k, h, w)."""
        labels, scores = self.decision(maps)
        proba = self._centered(scores)
        above, below = proba.clamp(min=0.5 + self.margin), proba.clamp(max=0.5 - self.margin)
        proba = torch.where(labels, above, below)
        if self.multilabel:
            return proba
        n_channels = maps.shape[1]
        if n_channels > 1:
            proba = _shared(proba, labels, self._expected_areas(maps))
        if self.n_classes > n_channels:
            proba = torch.cat([1 - proba.amax(dim=1, keepdim=True), proba], dim=1)
        total = proba.sum(dim=1, keepdim=True)
        nothing = torch.full_like(proba, 1 / self.n_classes)
        return torch.where(total > 0, proba / torch.where(total > 0, total, 1.0), nothing)

    def _centered(self, scores: Tensor) -> Tensor:
        threshold = self.decision.threshold
        below = scores / (2 * threshold)
        above = 0.5 + (scores - threshold) / (2 * (1 - threshold))
        return torch.where(scores < threshold, below, above).clamp(0, 1)

    def _expected_areas(self, maps: Tensor) -> Tensor:
        counts = maps >= self.decision.threshold
        return torch.where(counts, maps, 0.0).double().sum(dim=(2, 3))


def _shared(scores: Tensor, positive: Tensor, areas: Tensor) -> Tensor:
    """Scale the scores of positive findings by area, like `expected_area.shared_by_area`."""
    areas = torch.where(positive, areas.clamp(min=torch.finfo(torch.float64).tiny), 0.0)
    largest = areas.amax(dim=1, keepdim=True)
    parts = areas / torch.where(largest > 0, largest, 1.0)
    shared = scores.amax(dim=1, keepdim=True) * parts
    least = torch.where(positive, shared, torch.inf).amin(dim=1, keepdim=True)
    shared = torch.where(positive, shared, scores * (2 * least).clamp(max=1))
    return torch.where(positive.sum(dim=1, keepdim=True) > 1, shared, scores)
