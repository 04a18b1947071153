"""Cross teaching: a convolutional network and a transformer teach each other where masks are few.

One sees texture nearby, the other relations across the image, so that they err differently, and
what one is sure of is news to the other. On images without a mask each learns what the other
predicts. Luo, Hu, Song, Wang and Zhang, "Semi-supervised medical image segmentation via cross
teaching between CNN and transformer", MIDL 2022; here with the settings of S4MI, sections 3.3 and
4.2.1 (Singh et al., "Shifting to machine supervision").
"""

from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor

from segclf.base import LabelTermSegmenter
from segclf.data import Sampler, Samples, TwoStreamSampler
from segclf.losses import dice, dice_cross_entropy
from segclf.losses.targets import is_exclusive
from segclf.networks import SegmentationNetwork, SegmentationPair, segmentation_network
from segclf.objectives import Batch, Objective, Progress, image_label_loss
from segclf.training import get_schedule

# Dice as in the public code of Luo et al.; the halves are S4MI's, section 4.2.1.
class_dice = partial(dice, include_background=True, squared=True, smooth=1e-5)
half_dice_half_cross_entropy = partial(
    dice_cross_entropy,
    dice_factor=0.5,
    cross_entropy_factor=0.5,
    include_background=True,
    squared=True,
    smooth=1e-5,
)


class CrossTeachingSegmenter(LabelTermSegmenter):
    """Segment images with two networks that teach each other on images without a mask.

    Parameters
    ----------
    cnn : str
        The convolutional encoder, a name as in `SupervisedSegmenter`.
    transformer : str
        The transformer, a name of timm: a Swin or another with maps of several sizes for a U-Net,
        a plain one such as "vit_small_patch8_224" for a "vit_unet".
    cnn_architecture, transformer_architecture : str
        "unet", "vit_unet" or another name of `segclf.networks`.
    cnn_decoder_channels, transformer_decoder_channels : tuple of int or None
        Channels of the decoders' stages; None is the architecture's own default.
    cnn_weights, transformer_weights : path or None
        Local files of pretrained weights; None starts from scratch. The papers start the
        transformer from ImageNet's and the other from scratch (S4MI, section 4.2.1).
    predict_with : {"cnn", "transformer", "mean"}
        Which is `network_`, what predicts and is handed on: the CNN as of Luo et al., to whom the
        transformer is company in training; the transformer as of S4MI (section 3.2.1); or both, by
        the mean of their probabilities. It may be set after `fit`, too.
    n_labeled : int or None
        How many images of a batch have a mask; the others have none. None is half of `batch_size`,
        the 8 + 8 of S4MI; its 15 + 1 is ``n_labeled=15`` (section 3.2.1).
    consistency_weight : float
        Weight of what the networks learn from each other; 1 in S4MI (section 4.2.1), .1 in the
        code of Luo et al.
    ramp_up : int or None
        Number of steps over which that weight rises from exp(-5) of itself, in 200 stairs; None
        for a constant one, as S4MI has it. 30,000 in the code of Luo et al., all of its training.

    Attributes
    ----------
    pair_ : nn.Module
        Both networks, ``pair_.cnn`` and ``pair_.transformer``.

    Notes
    -----
    An image counts as labeled if it has a mask, or the label 0 and so an empty mask. An epoch is
    one pass over the images of the kind that lasts longer, in batches of both, while those of the
    other kind come again and again. Where all images are labeled, batches are as in
    `SupervisedSegmenter`, and both networks train side by side. A network is taught by the other
    where nobody labeled any pixel of an image (of a channel, where masks are multi-label); single
    pixels of -1 teach nothing.

    A `pretrainer` starts each network that has its encoder. A pretrainer of one encoder has the
    CNN's unless set otherwise; ``CASSPretrainer(keep="both")`` has both, and starts both.
    `transferred_` tells what was taken, by names that begin with "cnn." and "transformer.".

    Of S4MI are Adam, the learning rate, the weight decay and batches of 16 (section 3.3). Its
    cosine ends at 3.4e-4, which is ``schedule=lambda t: (3.5 + 0.1 * math.cos(math.pi * t)) /
    3.6``; that of its code falls to 5e-6 within 50 steps, rises again, and so on; here it falls to
    0, once. Its code also has the weight of Luo et al., which stays below .0106 for as long as it
    trains, where the paper adds the terms as they are. Of Luo et al. are ``optimizer="sgd",
    learning_rate=0.01, weight_decay=1e-4, schedule="polynomial", consistency_weight=0.1,
    ramp_up=30_000``.

    Both papers take a plain U-Net and a Swin-Unet, whose decoder is of Swin's blocks, too. Here
    both networks have a U-Net's decoder, one on the ResNet-34 of S4MI's supervised U-Net (section
    4.2), the other on Swin-T; images may be of any size.

    See Also
    --------
    SupervisedSegmenter : What each of the two would learn alone.
    segclf.data.RedNormalizer, segclf.data.cut_tiles : S4MI's preparation of images.

    Examples
    --------
    >>> from segclf import CrossTeachingSegmenter
    >>> from segclf.datasets import make_shapes
    >>> shapes = make_shapes(8, image_size=32, n_objects=3, random_state=0)
    >>> masks = [*shapes.masks[:2], *[None] * 6]
    >>> tiny = {"cnn": "tiny", "transformer": "tiny_vit", "transformer_architecture": "vit_unet"}
    >>> segmenter = CrossTeachingSegmenter(**tiny, max_epochs=1, random_state=0)
    >>> segmenter.fit(shapes.images, masks).predict(shapes.images).shape
    (8, 32, 32)
    """

    cnn: str = "resnet34"
    transformer: str = "swin_tiny_patch4_window7_224"
    cnn_architecture: str = "unet"
    transformer_architecture: str = "unet"
    cnn_decoder_channels: tuple[int, ...] | None = None
    transformer_decoder_channels: tuple[int, ...] | None = None
    cnn_weights: Any = None
    transformer_weights: Any = None
    predict_with: str = "cnn"
    n_labeled: int | None = None
    consistency_weight: float = 1.0
    ramp_up: int | None = None
    learning_rate: float = 3.6e-4
    weight_decay: float = 1e-5
    schedule: Any = "cosine"

    _learns_from_unlabeled: ClassVar[bool] = True
    _networks: ClassVar[tuple[str, ...]] = ("pair_",)
    _at_prediction: ClassVar[tuple[str, ...]] = (*LabelTermSegmenter._at_prediction, "predict_with")
    # By these names a pretrainer of two networks asks for them.
    _shared: ClassVar[tuple[str, ...]] = (
        *LabelTermSegmenter._shared,
        *("cnn", "transformer", "cnn_weights", "transformer_weights"),
    )

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "cnn": [str],
        "transformer": [str],
        "cnn_architecture": [str],
        "transformer_architecture": [str],
        "cnn_decoder_channels": [tuple, list, None],
        "transformer_decoder_channels": [tuple, list, None],
        "predict_with": [StrOptions({"cnn", "transformer", "mean"})],
        "n_labeled": [Interval(Integral, 1, None, closed="left"), None],
        "consistency_weight": [Interval(Real, 0, None, closed="left")],
        "ramp_up": [Interval(Integral, 1, None, closed="left"), None],
    }

    def _make_sampler(self, samples: Samples) -> Sampler | None:
        n_labeled = self.n_labeled or -(-self.batch_size // 2)
        if n_labeled > self.batch_size:
            raise ValueError(
                f"n_labeled={n_labeled} images of a batch with batch_size={self.batch_size}; "
                "expected batch_size or less."
            )
        labeled = samples.with_mask()
        if labeled.all():
            return None
        return TwoStreamSampler(labeled, n_labeled, self.batch_size - n_labeled)

    def _make_objective(self, samples: Samples) -> Objective:
        if not samples.with_mask().any():
            raise ValueError(
                f"None of the {len(samples)} images has a mask, from which what the networks teach "
                "each other has to come; expected one at least, or an image labeled 0."
            )
        return CrossTeaching(
            SegmentationPair(
                self._network("cnn", samples),
                self._network("transformer", samples),
                multilabel=self.multilabel_,
            ),
            consistency_weight=self.consistency_weight,
            ramp_up=self.ramp_up,
            label_weight=self._term_weight,
        )

    def _network(self, kind: str, samples: Samples) -> SegmentationNetwork:
        return segmentation_network(
            architecture=getattr(self, f"{kind}_architecture"),
            encoder=getattr(self, kind),
            encoder_weights=getattr(self, f"{kind}_weights"),
            in_channels=samples.images.n_channels,
            n_classes=self.n_classes_,
            decoder_channels=getattr(self, f"{kind}_decoder_channels"),
        )

    @property
    def network_(self) -> Any:
        """The network that predicts: one of the pair, or the pair."""
        self._check_at_prediction()
        return self.pair_ if self.predict_with == "mean" else getattr(self.pair_, self.predict_with)

    @network_.setter
    def network_(self, network: Any) -> None:
        if isinstance(network, SegmentationPair) or self.predict_with == "mean":
            self.pair_ = network
        else:
            setattr(self.pair_, self.predict_with, network)

    def _recipe(self, pretrainer: Any, network: Any) -> dict[str, Any]:
        kind = "transformer" if getattr(pretrainer, "encoder", None) == self.transformer else "cnn"
        return {**network.recipe[kind], "encoder_weights": getattr(self, f"{kind}_weights")}


class CrossTeaching(Objective):
    """Masks teach both networks, and each network the other where there is no mask.

    Parameters
    ----------
    pair : SegmentationPair
        The two networks.
    consistency_weight : float
        Weight of what the networks learn from each other.
    ramp_up : int or None
        Number of steps over which it rises.
    label_weight : float
        Weight of the image-level terms.
    """

    def __init__(
        self,
        pair: SegmentationPair,
        *,
        consistency_weight: float,
        ramp_up: int | None,
        label_weight: float,
    ) -> None:
        super().__init__()
        self.network: SegmentationPair = pair
        self.consistency_weight = consistency_weight
        self.ramp_up = ramp_up
        self.label_weight = label_weight

    def forward(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return the terms "segmentation", "consistency" and perhaps "label" of each network."""
        mask, weight = batch["mask"], batch.get("weight")
        scores = {name: network(batch["image"]) for name, network in self.network.named_children()}
        consistency_weight = self.consistency_weight * risen(progress.step, self.ramp_up)
        terms = {}
        for learner, teacher in (("cnn", "transformer"), ("transformer", "cnn")):
            logits, pseudo = scores[learner], pseudo_masks(scores[teacher], mask)
            segmentation = half_dice_half_cross_entropy(logits, mask, sample_weight=weight)
            consistency = class_dice(logits, pseudo, sample_weight=weight)
            terms[f"{learner}_segmentation"] = segmentation
            terms[f"{learner}_consistency"] = consistency_weight * consistency
            if "label" in batch:
                label = image_label_loss(logits, batch["label"], sample_weight=weight)
                terms[f"{learner}_label"] = self.label_weight * label
        return terms


def pseudo_masks(logits: Tensor, mask: Tensor) -> Tensor:
    """Return what a network decides where a mask (h, w), or its channel, is all -1; -1 elsewhere.

    No gradient passes a decision.
    """
    decided = logits.argmax(dim=1) if is_exclusive(logits, mask) else (logits >= 0).long()
    unlabeled = (mask < 0).all(dim=-1).all(dim=-1)
    return torch.where(unlabeled[..., None, None], decided, -1)


def risen(step: int, ramp_up: int | None) -> float:
    """Return the factor of the consistency weight at a step.

    In the public code of Luo et al. one of 200 stairs is 150 steps long.
    """
    return 1.0 if ramp_up is None else get_schedule("ramp_up")(200 * step // ramp_up / 200)
