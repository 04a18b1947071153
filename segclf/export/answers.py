"""The predictions of estimators, as torch modules around their networks.

Such a module takes images (n, c, h, w) as float32, as they are read and of any size, and returns
predictions by name: "probabilities" (n, n_classes) of labels, "mask_probabilities" (n, n_ids, h,
w), "masks" (n, h, w) or (n, k, h, w) uint8, or "embeddings" (n, d).
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from segclf.data.resize import Size
from segclf.export.resizing import maps_at, resized
from segclf.training.flips import mean_over_flips

Answer = dict[str, Tensor]
Activation = Callable[[Tensor], Tensor]


class Asked(nn.Module):
    """A network, called as its estimator calls it.

    Parameters
    ----------
    holder : NetworkHolder
        Fitted estimator; its network is copied.
    """

    def __init__(self, holder: Any) -> None:
        super().__init__()
        network = copy.deepcopy(holder.network_).eval().requires_grad_(False)
        self.network: Any = network.to("cpu", memory_format=torch.contiguous_format)
        self.size: Size | None = holder.image_size_
        self.flips: str | None = getattr(holder, "test_time_flips", None)

    def seen(self, images: Tensor) -> Tensor:
        """Resize images to the size that the network sees."""
        return images if self.size is None else resized(images, self.size)

    def ask(
        self, seen: Tensor, activation: Activation, forward: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """Return the network's output after the activation, averaged over flips."""

        def predict(laid: Tensor) -> Tensor:
            return activation(forward(laid).float())

        return mean_over_flips(predict, seen, self.flips)


class Maps(nn.Module):
    """From images to the probabilities (n, n_ids, h, w) of a segmenter, at the images' own size."""

    def __init__(self, asked: Asked, activation: Activation, scores: nn.Module) -> None:
        super().__init__()
        self.asked, self.activation, self.scores = asked, activation, scores

    def forward(self, images: Tensor) -> Tensor:
        """Return the maps."""
        maps = self.asked.ask(self.asked.seen(images), self.activation, self.scores)
        return maps if self.asked.size is None else maps_at(maps, images)


class MeanMaps(nn.Module):
    """The mean of the maps of several segmenters."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, images: Tensor) -> Tensor:
        """Return the maps."""
        total = sum(member(images) for member in self.members)
        assert isinstance(total, Tensor)
        return total / len(self.members)


class Masks(nn.Module):
    """The masks of a segmenter."""

    def __init__(self, maps: nn.Module, *, multilabel: bool) -> None:
        super().__init__()
        self.maps, self.multilabel = maps, multilabel

    def forward(self, images: Tensor) -> Answer:
        """Return "mask_probabilities" and "masks"."""
        return answered_masks(self.maps(images), multilabel=self.multilabel)


class Labels(nn.Module):
    """The labels of a classifier, or of a summarizer of maps, with one network.

    Parameters
    ----------
    asked : Asked
        The network.
    activation : callable
        From scores to probabilities.
    """

    def __init__(self, asked: Asked, activation: Activation) -> None:
        super().__init__()
        self.asked, self.activation = asked, activation

    def forward(self, images: Tensor) -> Answer:
        """Return "probabilities"."""
        seen = self.asked.seen(images)
        return {"probabilities": self.asked.ask(seen, self.activation, self.asked.network)}


class LabelsAndMasks(nn.Module):
    """The labels and masks of a classifier whose network also has a head for masks."""

    def __init__(self, labels: Labels, masks: Masks) -> None:
        super().__init__()
        self.labels, self.masks = labels, masks

    def forward(self, images: Tensor) -> Answer:
        """Return "probabilities", "mask_probabilities" and "masks"."""
        return {**self.labels(images), **self.masks(images)}


class Embeddings(nn.Module):
    """The embeddings of a pretrained encoder or a pretrainer."""

    def __init__(self, asked: Asked) -> None:
        super().__init__()
        self.asked = asked

    def forward(self, images: Tensor) -> Answer:
        """Return "embeddings"."""
        return {"embeddings": self.asked.network.embed(self.asked.seen(images)).float()}


def answered_masks(maps: Tensor, *, multilabel: bool) -> Answer:
    """Return maps (n, n_ids, h, w) together with their masks."""
    masks = maps >= 0.5 if multilabel else maps.argmax(dim=1)
    return {"mask_probabilities": maps, "masks": masks.to(torch.uint8)}
