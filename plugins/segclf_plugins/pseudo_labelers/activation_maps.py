"""Class activation maps as IRNet makes them: over several sizes of an image, and mirrored."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from segclf.data import Images
from segclf.networks import grad_cam
from segclf_plugins.pseudo_labelers.class_maps import log_odds

__all__ = ["activation_maps"]

_EPSILON = 1e-5  # of IRNet's code; CheXseg's has none, and makes NaN of a map that is 0 all over


def activation_maps(
    classifier: Any,
    images: Images,
    *,
    n_classes: int,
    scales: Sequence[float],
    stride: int,
    layer: str | None = None,
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield (number of the image, its maps (k, ceil(h / stride), ceil(w / stride))).

    The maps of all sizes and both sides are brought to one size, summed, and divided by their
    largest value plus 1e-5. They are those of :func:`segclf.networks.grad_cam`, that is, class
    activation maps for a classifier that ends in a mean and one linear layer.

    Parameters
    ----------
    classifier : ImageClassifier
        Fitted.
    images : Images
        A batch of them is in memory at a time.
    n_classes : int
        Number of classes k without the background.
    scales : sequence of float
        Sizes that an image is looked at in, as fractions of its own.
    stride : int
        Pixels of the image to one of the map.
    layer : str, optional
        As of :func:`segclf.networks.grad_cam`; by default the last that gives maps.
    """
    score = partial(log_odds, n_classes=n_classes)
    see = partial(grad_cam, classifier.network_, layer=layer, score=score)

    def look(image: Tensor) -> Tensor:
        size = _grid(image.shape[2:], stride)
        total = torch.zeros(len(image), n_classes, *size, device=image.device)
        for scale in scales:
            scaled = F.interpolate(image, _scaled(image.shape[2:], scale), mode="bilinear")
            plain = see(scaled)
            mirrored = see(scaled.flip(-1)).flip(-1)
            # Grad-CAM divides by the number of places, of which larger images have more.
            total += scale**2 * F.interpolate(plain + mirrored, size, mode="bilinear")
        # In one axis, so that prediction leaves the maps at their size.
        return total.flatten(2)

    sizes = images.sizes()
    for indices, batch in classifier._outputs(images, forward=look)[1]:
        for index, maps in zip(indices.tolist(), batch.numpy(), strict=True):
            size = _grid(classifier.image_size_ or sizes[index], stride)
            yield index, (maps / (maps.max(1, keepdims=True) + _EPSILON)).reshape(-1, *size)


def _grid(size: Sequence[int], stride: int) -> tuple[int, int]:
    height, width = (-(-int(side) // stride) for side in size)
    return height, width


def _scaled(size: Sequence[int], scale: float) -> tuple[int, int]:
    height, width = (max(1, round(side * scale)) for side in size)
    return height, width
