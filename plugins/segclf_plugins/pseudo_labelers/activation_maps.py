"""Class activation maps as in IRNet: over several sizes of an image, and mirrored."""

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

_EPSILON = 1e-5  # as in IRNet's code; CheXseg's has none, so maps of zeros become NaN


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

    The maps of all sizes and of the mirrored images are resized, summed, and divided by their
    largest value plus 1e-5. They are computed by :func:`segclf.networks.grad_cam`, which gives
    class activation maps for a classifier that ends in a mean and one linear layer.

    Parameters
    ----------
    classifier : ImageClassifier
        The fitted classifier.
    images : Images
        The images; one batch is in memory at a time.
    n_classes : int
        Number of classes k without the background.
    scales : sequence of float
        Sizes of the input, as fractions of the image size.
    stride : int
        Pixels of the image per pixel of the map.
    layer : str, optional
        As in :func:`segclf.networks.grad_cam`; by default the last layer with maps.
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
            # Grad-CAM divides by the number of pixels, which grows with the image.
            total += scale**2 * F.interpolate(plain + mirrored, size, mode="bilinear")
        # Flattened, so that prediction does not resize the maps.
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
