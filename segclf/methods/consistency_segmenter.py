"""Consistency: the features of an image should not change with its colors.

On images without a mask, the features before the classifier learn to point in the same direction
for an image and for a copy with other brightness and contrast. This is the first step of the
semi-supervised reference of S4C (its [32]): Hooper et al., "Evaluating semi-supervision methods for
medical image segmentation: applications in cardiac magnetic resonance imaging", Journal of Medical
Imaging 2023. The second step is self-training with such a segmenter as the teacher.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from segclf.base import LabelTermSegmenter
from segclf.data import Augmentation, Sampler, Samples, TwoStreamSampler, as_augmentation
from segclf.distributed import in_shares
from segclf.losses import get_loss
from segclf.losses.targets import weighted_mean
from segclf.networks import SegmentationNetwork, segmentation_network
from segclf.objectives import Batch, Objective, Progress, image_label_loss


class ConsistencySegmenter(LabelTermSegmenter):
    """Segment images with a network whose features do not depend on photometric changes.

    Parameters
    ----------
    architecture : str
        "unet", as in the paper, or another name of `segclf.networks`.
    encoder : str
        "tiny", or a name of segmentation-models-pytorch or timm.
    encoder_weights : str, path or None
        Pretrained weights: "imagenet", "timm/" and the name of a model of timm (see
        docs/pretraining.md), or a local file. None starts from scratch.
    loss : str or callable
        As in `SupervisedSegmenter`; the paper's is the cross-entropy.
    consistency_weight : float
        Weight of the consistency term on images without a mask; 1 in the paper's code.
    photometric : None, str, Augmentation or callable
        The change of colors; it must not move pixels. None changes brightness, contrast and
        saturation by half, and adds noise and slight blur.
    n_labeled : int or None
        Number of images with a mask in each batch; the others have none. None means a fifth of the
        batch, as in the paper's code (one batch with masks and four without per step).

    Notes
    -----
    The paper's code uses Adam with a learning rate of 1e-4, 500 epochs, 32 images with a mask per
    step, and the changes Equalize, AutoContrast, Sharpness and Cutout, which are not available
    here. `augmentation` is applied first, to image and mask alike, and the photometric change after
    it.

    See Also
    --------
    DistilledSegmenter : The second step, with soft pseudo-labels, as in the paper.
    PseudoLabelSemiSupervised : The same with hard pseudo-labels, by ``labeler="self_training"``.

    Examples
    --------
    >>> from segclf import ConsistencySegmenter
    >>> from segclf.datasets import make_shapes
    >>> shapes = make_shapes(8, image_size=32, n_objects=3, random_state=0)
    >>> masks = [*shapes.masks[:4], None, None, None, None]
    >>> segmenter = ConsistencySegmenter(encoder="tiny", max_epochs=1, random_state=0)
    >>> sorted(segmenter.fit(shapes.images, masks).history_)
    ['consistency', 'epoch', 'learning_rate', 'loss', 'seconds', 'segmentation']
    """

    architecture: str = "unet"
    encoder: str = "resnet18"
    encoder_weights: Any = None
    loss: Any = "cross_entropy"
    consistency_weight: float = 1.0
    photometric: Any = None
    n_labeled: int | None = None

    _learns_from_unlabeled: ClassVar[bool] = True

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "architecture": [str],
        "encoder": [str],
        "loss": [str, callable],
        "consistency_weight": [Interval(Real, 0, None, closed="left")],
        "n_labeled": [Interval(Integral, 1, None, closed="left"), None],
    }

    def _make_sampler(self, samples: Samples) -> Sampler | None:
        labeled = samples.with_mask()
        if labeled.all():
            return None
        n_labeled = self.n_labeled or -(-self.batch_size // 5)
        if n_labeled > self.batch_size:
            raise ValueError(
                f"n_labeled={n_labeled} is more than batch_size={self.batch_size}; expected "
                "batch_size or less."
            )
        return TwoStreamSampler(labeled, n_labeled, self.batch_size - n_labeled)

    def _make_objective(self, samples: Samples) -> Objective:
        network = segmentation_network(
            architecture=self.architecture,
            encoder=self.encoder,
            encoder_weights=self.encoder_weights,
            in_channels=samples.images.n_channels,
            n_classes=self.n_classes_,
        )
        return PhotometricConsistency(
            network,
            loss=self.loss,
            consistency_weight=self.consistency_weight,
            photometric=as_augmentation(self.photometric) or PHOTOMETRIC,
            label_weight=self._term_weight,
        )


PHOTOMETRIC = Augmentation(
    brightness=0.5,
    contrast=0.5,
    saturation=0.5,
    noise=0.1,
    blur=(0.1, 1.0),
    blur_probability=0.5,
)


class PhotometricConsistency(Objective):
    """A segmentation loss on images with a mask, and consistency of features on the others.

    Parameters
    ----------
    network : SegmentationNetwork
        From images to pixel scores.
    loss : str or callable
        Name of the segmentation loss, or a function with the same signature.
    consistency_weight : float
        Weight of the consistency term.
    photometric : callable
        Changes images, called as an `Augmentation` is.
    label_weight : float
        Weight of the image-level term.
    """

    def __init__(
        self,
        network: SegmentationNetwork,
        *,
        loss: Any,
        consistency_weight: float,
        photometric: Any,
        label_weight: float,
    ) -> None:
        super().__init__()
        self.network: SegmentationNetwork = network
        self.loss = get_loss(loss)
        self.consistency_weight = consistency_weight
        self.photometric = photometric
        self.label_weight = label_weight

    def forward(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return the terms "segmentation", "consistency" and, if labels are given, "label"."""
        image, mask, weight = batch["image"], batch["mask"], batch.get("weight")
        unlabeled = (mask < 0).flatten(1).all(dim=1)
        logits, features = in_shares(self._scores_and_features, image)
        consistency = logits.sum() * 0
        if unlabeled.any():
            _, others = in_shares(self._scores_and_features, self._changed(image[unlabeled]))
            consistency = mean_cosine_distance(
                features[unlabeled],
                others,
                sample_weight=None if weight is None else weight[unlabeled],
            )
        terms = {
            "segmentation": self.loss(logits, mask, sample_weight=weight),
            "consistency": self.consistency_weight * consistency,
        }
        if "label" in batch:
            label_loss = image_label_loss(logits, batch["label"], sample_weight=weight)
            terms["label"] = self.label_weight * label_loss
        return terms

    def _scores_and_features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        with inputs_of(self.network.head) as features:
            logits = self.network(image)
        return logits, features[0]

    def _changed(self, image: Tensor) -> Tensor:
        with torch.autocast(image.device.type, enabled=False):
            # The estimator has seeded torch's own generator.
            changed: Tensor = self.photometric(image, None, torch.default_generator)[0]
        return changed


@contextmanager
def inputs_of(module: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the inputs of a module, call by call."""
    collected: list[Tensor] = []
    handle = module.register_forward_pre_hook(lambda _, inputs: collected.append(inputs[0]))
    try:
        yield collected
    finally:
        handle.remove()


def mean_cosine_distance(
    features: Tensor, others: Tensor, *, sample_weight: Tensor | None = None
) -> Tensor:
    """Average 1 - cosine similarity of feature vectors (n, d, h, w) over pixels, then over images.

    Examples
    --------
    >>> one, other = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 3.0])
    >>> mean_cosine_distance(one[None, :, None, None], other[None, :, None, None]).item()
    1.0
    """
    similarity = cosine_similarity(features.float(), others.float(), dim=1)
    distance = 1 - similarity.flatten(1).mean(dim=1)
    return weighted_mean(
        distance, torch.ones_like(distance) if sample_weight is None else sample_weight
    )
