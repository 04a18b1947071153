"""The predictions of a `SegmentationClassifier`: masks, and labels by a summarizer of masks."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from segclf.data.resize import Size
from segclf.export.answers import Answer, Maps, answered_masks
from segclf.export.expressing import as_module
from segclf.export.resizing import averaged
from segclf.methods.segmentation import SegmentationClassifier
from segclf.methods.segmentation.inside import FLOOR
from segclf.methods.segmentation.reading import LAYER, hears_inside
from segclf.methods.segmentation.summarizer_input import reads_rows
from segclf.networks import layer_reader


class ThroughMasks(nn.Module):
    """Labels through masks.

    Parameters
    ----------
    classifier : SegmentationClassifier
        Fitted.
    maps : nn.Module
        Computes its segmenter's maps.
    multilabel : bool
        Whether masks have channels.
    size : (int, int) or None
        Height and width of all images.
    """

    columns: Tensor

    def __init__(
        self, classifier: SegmentationClassifier, maps: nn.Module, *, multilabel: bool, size: Any
    ) -> None:
        super().__init__()
        summarizer = classifier.summarizer_
        self.maps, self.multilabel = maps, multilabel
        self.findings, self.united = classifier._findings, classifier._n_united > 0
        self.rows = reads_rows(summarizer)
        _require_one_size(summarizer, self.rows, size)
        self.summarizer = as_module(summarizer)
        self.layer = self._reader(getattr(summarizer, "layer", None))
        hears = not classifier.ensemble and hears_inside(summarizer)
        self.inside = self._reader(LAYER if hears and isinstance(maps, Maps) else None)
        self.register_buffer("columns", torch.as_tensor(classifier._columns))

    def forward(self, images: Tensor) -> Answer:
        """Return "probabilities", "mask_probabilities" and "masks"."""
        maps = self.maps(images)
        findings = maps[:, self.findings]
        inside = None if self.inside is None else pooled_inside(findings, self.inside(images))
        read = findings.amax(dim=1, keepdim=True) if self.united else findings
        read = read if self.layer is None else self.layer(images)
        proba = self.summarizer(read.flatten(1) if self.rows else read, inside)
        masks = answered_masks(maps, multilabel=self.multilabel)
        return {"probabilities": proba[:, self.columns], **masks}

    def _reader(self, layer: str | None) -> Callable[[Tensor], Tensor] | None:
        if layer is None:
            return None
        asked: Any = self.maps.asked
        read = layer_reader(asked.network, layer)
        return lambda images: read(asked.seen(images))


def pooled_inside(findings: Tensor, features: Tensor) -> Tensor:
    """Average features as `segclf.methods.segmentation.inside` does.

    Parameters
    ----------
    findings : Tensor of shape (n, k, h, w)
        Probabilities.
    features : Tensor of shape (n, d, h', w')
        Features at another stride.

    Returns
    -------
    Tensor of shape (n, d)
    """
    highest = averaged(findings.amax(dim=1, keepdim=True), features)
    floor = FLOOR * highest.amax(dim=(2, 3), keepdim=True) + torch.finfo(torch.float32).tiny
    weights = highest + floor
    total = (features * weights).sum(dim=(2, 3))
    return total / weights.sum(dim=(2, 3))


def _require_one_size(summarizer: Any, reads_rows: bool, size: Size | None) -> None:
    if reads_rows and size is None:
        raise ValueError(
            f"{type(summarizer).__name__} reads rows of one length. Pass the images' "
            "image_size=(h, w) to the export."
        )
