"""Class boundaries, learned from masks in which only some pixels are labeled.

IRNet's training: Ahn, Cho and Kwak, "Weakly supervised learning of instance segmentation with
inter-pixel relations", CVPR 2019, Section 4. There should be no boundary between near pixels of
one class, and one between near pixels of two classes.
"""

from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.callback import with_callbacks
from sklearn.frozen import FrozenEstimator
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from segclf.axes import are_multilabel
from segclf.base import FineTunedEstimator
from segclf.data import ImagesLike, MasksLike, Samples, as_masks
from segclf.networks import IRNet, irnet
from segclf.objectives import Batch, Objective, Progress
from segclf_plugins.pseudo_labelers.inter_pixel import (
    affinity_loss,
    displacement_loss,
    half_disc,
    path_affinity,
    pixel_pairs,
)

__all__ = ["IRNetBoundaries", "InterPixelRelations"]

_SHARED = ("device", "encoder", "image_shape", "image_size", "n_threads", "precision")


class IRNetBoundaries(FineTunedEstimator):
    """Learn the boundaries between classes from pairs of near pixels.

    IRNet's own settings: 3 epochs of 10,582 images in batches of 32, cropped to 512 x 512, flipped
    and scaled by .5 to 1.5, with plain SGD at a rate of .1 that decreases polynomially. Its code
    passes the weight decay of 1e-4 in place of the momentum, so there is no weight decay and
    almost no momentum. The rate of .01 here, with SGD's momentum of .9, is as fast.

    Parameters
    ----------
    encoder : str or None
        "tiny", or a name of segmentation-models-pytorch or timm. None is the encoder of the
        labeler's classifier within a labeler, otherwise IRNet's "resnet50".
    stride : int
        Pixels of the image per pixel of the boundary map; IRNet's is 4.
    radius : int
        Pixels of that map nearer than this are paired: IRNet's 10 makes 152 pairs per pixel.
    displacement_weight : float
        Weight of the displacement loss; IRNet's is 1. Displacements separate the instances of a
        class and change no boundary, since the two branches share only the frozen encoder. By
        default they are left out, for the same masks in less time.

    Examples
    --------
    >>> from segclf.datasets import make_shapes
    >>> from segclf_plugins.pseudo_labelers.irnet_boundaries import IRNetBoundaries
    >>> shapes = make_shapes(4, image_size=32, n_objects=3, random_state=0)
    >>> boundaries = IRNetBoundaries(encoder="tiny", max_epochs=1, random_state=0)
    >>> boundaries = boundaries.fit(shapes.images, shapes.masks)
    >>> [edge.shape for _, edge in boundaries.predict_maps(shapes.images)]
    [(8, 8), (8, 8), (8, 8), (8, 8)]
    """

    encoder: str | None = None
    stride: int = 4
    radius: int = 10
    displacement_weight: float = 0.0

    max_epochs: int = 30
    learning_rate: float = 1e-2
    optimizer: Any = "sgd"
    schedule: Any = "polynomial"
    encoder_rate: float = 0.0

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "encoder": [str, None],
        "stride": [Interval(Integral, 1, None, closed="left")],
        "radius": [Interval(Integral, 2, None, closed="left")],
        "displacement_weight": [Interval(Real, 0, None, closed="left")],
    }

    @with_callbacks
    def fit(self, X: ImagesLike, y: MasksLike) -> Self:
        """Train on images and masks.

        Parameters
        ----------
        X : array, list, paths or tensor
            The n images.
        y : array (n, h, w) or (n, k, h, w), or list
            Mask ids, 0 the background, -1 where uncertain; or multi-label masks of 0, 1 and -1.
            None for an image without a mask. A mask may be smaller than its image.

        Returns
        -------
        self
            The fitted estimator.
        """
        images = self._open(X)
        masks = as_masks(y, len(images))
        samples = Samples(
            images=images,
            size=self.image_size_,
            n_mask_channels=masks.n_classes if masks.multilabel else None,
            masks=masks,
            dense=True,
        )
        self._learn(samples, X=X, y=y)
        return self

    def predict_maps(self, X: ImagesLike) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield (number of the image, its boundary map (h / stride, w / stride))."""
        check_is_fitted(self)
        network: Any = self.network_
        for indices, maps in self._outputs(X, forward=network.boundaries)[1]:
            yield from zip(indices.tolist(), maps.numpy(), strict=True)

    def complete(self, classifier: Any) -> Self:
        """Set parameters of None or "auto" as in a fitted classifier, to use its encoder.

        Parameters
        ----------
        classifier : ImageClassifier
            The fitted classifier. Training starts from its encoder, unless there is a pretrainer.

        Returns
        -------
        self
            The estimator with these parameters.
        """
        left_open = [name for name in _SHARED if getattr(self, name) in (None, "auto")]
        theirs = {**classifier.get_params(deep=False), **getattr(classifier, "chosen_", {})}
        self.set_params(**{name: theirs[name] for name in left_open})
        if self.pretrainer is None:
            self.pretrainer = FrozenEstimator(classifier)
        return self

    def _make_objective(self, samples: Samples) -> Objective:
        network = irnet(
            encoder=self.encoder or "resnet50",
            in_channels=samples.images.n_channels,
            stride=self.stride,
        )
        return InterPixelRelations(
            network, radius=self.radius, displacement_weight=self.displacement_weight
        )


class InterPixelRelations(Objective):
    """IRNet's affinity and displacement losses, averaged over the channels of multi-label masks.

    CheXseg's code sums over the channels cumulatively, so its first class has ten times the weight
    of the last.

    Parameters
    ----------
    network : IRNet
        Maps images to logits of boundaries and to displacements.
    radius : int
        Pixels nearer than this are paired.
    displacement_weight : float
        Weight of the displacement loss; 0 leaves it out.
    """

    def __init__(self, network: IRNet, *, radius: int, displacement_weight: float) -> None:
        super().__init__()
        self.network = network
        self.offsets = half_disc(radius)
        self.displacement_weight = displacement_weight

    def forward(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return the term "affinity", and "displacement" if its weight is not 0."""
        network: Any = self.network
        if self.displacement_weight:
            edge, displacement = network(batch["image"])
        else:
            edge, displacement = network.edge_logits(batch["image"]), None
        mask = _on_grid(batch["mask"], network.recipe["stride"])
        channels = mask.unbind(1) if are_multilabel(mask) else (mask,)
        pairs = [pixel_pairs(channel, self.offsets) for channel in channels]
        affinity = path_affinity(edge.float().sigmoid(), self.offsets)
        terms = {"affinity": _mean([affinity_loss(affinity, each) for each in pairs])}
        if displacement is not None:
            losses = [displacement_loss(displacement, each, self.offsets) for each in pairs]
            terms["displacement"] = self.displacement_weight * _mean(losses)
        return terms

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the groups; displacements have ten times the learning rate, as in IRNet."""
        network: Any = self.network
        displacement = set(network.displacement.parameters())
        groups = []
        for group in super().parameter_groups():
            for factor, chosen in ((1.0, False), (10.0, True)):
                params = [each for each in group["params"] if (each in displacement) == chosen]
                groups += [{**group, "params": params, "rate": factor * group["rate"]}]
        return [group for group in groups if group["params"]]


def _on_grid(mask: Tensor, stride: int) -> Tensor:
    """Take every stride-th pixel of masks (..., h, w), starting in the middle of a stride."""
    rows, columns = (
        torch.arange(stride // 2, side + stride // 2, stride, device=mask.device).clamp(
            max=side - 1
        )
        for side in mask.shape[-2:]
    )
    return mask[..., rows[:, None], columns]


def _mean(losses: list[Tensor]) -> Tensor:
    return torch.stack(losses).mean()
