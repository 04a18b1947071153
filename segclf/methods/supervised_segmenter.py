"""A segmentation network trained on masks, and on image labels where masks are missing.

The baseline of every comparison. Labeled pixels train a segmentation loss. An image with a label
but no mask trains the pooled scores of its pixels, as S4C's data would allow (Hooper et al., "A
case for reframing automated medical image classification as segmentation", NeurIPS 2023).
"""

from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor, nn

from segclf.axes import N_SPATIAL
from segclf.base import Automatic, Cropping, LabelTermSegmenter, Supervision
from segclf.base.class_weight import weights_of_ids
from segclf.base.cropping import check_spacing
from segclf.data import CopyPaste, MixingSampler, Sampler, Samples
from segclf.losses import get_loss, is_mean_over_images
from segclf.networks import (
    ImageNetwork,
    RowAutoencoder,
    check_options,
    own_network,
    segmentation_network,
)
from segclf.objectives import Batch, Objective, Progress, image_label_loss

FEWEST_TO_PASTE = 3
# Ratio of the autoencoder's learning rate to the network's, in DEDL's code.
DEDL_RATE = 1e-3 / 3.6e-4


class SupervisedSegmenter(Automatic, Cropping, LabelTermSegmenter):
    """Segment images with a network trained on masks.

    Parameters
    ----------
    architecture : str or callable
        "unet", "deeplabv3plus", "fcn", "fpn", "hypercolumn" (a light head for frozen encoders),
        "plain_unet" (with its own encoder, for ablations of width) or another name of
        `segclf.networks`; or a function or class ``f(in_channels, n_classes) -> nn.Module`` that
        makes the whole network. Then the other parameters of the network stay None, and `encoder`
        is ignored. "auto" is "hypercolumn" for a frozen encoder, and "unet" for others and if
        `decoder_attention` or several `decoder_channels` are given.
    encoder_depth : int or None
        Number of encoder stages; None is the architecture's default.
    decoder_channels : tuple of int, int or None
        Channels of the decoder's stages, or one number, depending on the architecture; None is the
        architecture's default. For "plain_unet" the width of the whole network: the number of
        channels at the image's size, 64 by default, which doubles at each of the 4 levels below.
    decoder_attention : {"scse"} or None
        Attention in the decoder.
    encoder_scales : tuple of int or None
        For "hypercolumn": the sizes at which the encoder sees the image, as multiples of its own
        size. (1, 2) adds the maps of the image at twice its height and width, which takes at least
        five times the encoder's work and the memory for kept maps. None means (1,).
    loss : str or callable
        "cross_entropy", "dice", "dice_cross_entropy", "focal", "focal_tversky", "tversky", a
        function with the same signature, or any ``loss(logits, target)`` such as
        ``nn.CrossEntropyLoss()``.
    class_weight : "balanced", sequence of float or None
        Weight of each mask id in the loss. "balanced" weighs ids inversely to their number of
        pixels; an id that occurs in no mask has weight 0.
    positive_fraction : float
        Smallest share of images in a batch whose mask shows a finding. If fewer images show one,
        they are sampled more often and the others less. 0 samples all images equally. "auto" is .5
        if less than a quarter of the images with a mask show a finding, else 0.
    autoencoder_weight : float
        Weight of an additional loss, computed on the network's scores after an autoencoder that
        processes them row by row. 1 with ``loss="cross_entropy"`` is DEDL, the supervised baseline
        of S4MI (section 3.2.1). The autoencoder is trained with the network, at 2.8 times its
        learning rate (DEDL's 1e-3 to 3.6e-4), and is not used in prediction. For images of w
        columns it has more than 64 w^2 parameters, and takes longer than a light decoder. 0 means
        no autoencoder.
    copy_paste : float
        Probability that an image with a mask receives a finding of another image of its batch at
        the same place or, equally often, healthy pixels in the shape of one; see
        `segclf.data.CopyPaste`. It is applied after crops and `augmentation`; maps of a frozen
        encoder are then not kept. Batches need at least 3 images, or volumes. 0 is off. After
        Ghiasi et al., CVPR 2021.

    See Also
    --------
    SegmentationClassifier : Classify images through such a segmenter.

    Examples
    --------
    >>> from segclf import SupervisedSegmenter
    >>> from segclf.datasets import make_shapes
    >>> shapes = make_shapes(8, image_size=32, n_objects=3, random_state=0)
    >>> segmenter = SupervisedSegmenter(encoder="tiny", max_epochs=1, random_state=0)
    >>> segmenter.fit(shapes.images, shapes.masks).predict(shapes.images).shape
    (8, 32, 32)
    """

    architecture: Any = "auto"
    encoder_depth: int | None = None
    decoder_channels: tuple[int, ...] | int | None = None
    decoder_attention: str | None = None
    encoder_scales: tuple[int, ...] | None = None
    loss: Any = "dice_cross_entropy"
    class_weight: Any = None
    positive_fraction: Any = "auto"
    autoencoder_weight: float = 0.0
    copy_paste: float = 0.0

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "architecture": [str, callable],
        "encoder_depth": [Interval(Integral, 1, None, closed="left"), None],
        "decoder_channels": [tuple, list, Interval(Integral, 1, None, closed="left"), None],
        "decoder_attention": [StrOptions({"scse"}), None],
        "encoder_scales": [tuple, list, None],
        "loss": [str, callable],
        "class_weight": [StrOptions({"balanced"}), "array-like", None],
        "positive_fraction": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"})],
        "autoencoder_weight": [Interval(Real, 0, None, closed="left")],
        "copy_paste": [Interval(Real, 0, 1, closed="both")],
    }

    def _check_targets(self, supervision: Supervision) -> Samples:
        if self.crop_size is not None and not supervision.masks.labeled.any():
            raise ValueError(
                f"crop_size={self.crop_size!r} trains on parts of images, for which labels of "
                f"whole images do not hold, and none of the {len(supervision)} images has a mask. "
                "Pass masks, or leave crop_size=None."
            )
        samples = super()._check_targets(supervision)
        if self.spacing is not None:
            check_spacing(self, samples)
            for each in filter(None, (samples, samples.held_out)):
                each.grid = self._grid(each.images)
        return samples

    def _make_sampler(self, samples: Samples) -> Sampler | None:
        assert samples.masks is not None
        positive = samples.masks.show_findings()
        n_taught, fraction = samples.with_mask().sum(), self._setting("positive_fraction")
        if not positive.any() or positive.sum() >= fraction * n_taught:
            return None
        return MixingSampler(positive, fraction)

    def _make_objective(self, samples: Samples) -> Objective:
        return SupervisedSegmentation(
            self._network(samples),
            loss=self.loss,
            class_weight=weights_of_ids(self.class_weight, samples, self.n_classes_),
            label_weight=self._term_weight,
            autoencoder=self._autoencoder(samples),
            autoencoder_weight=self.autoencoder_weight,
        )

    def _autoencoder(self, samples: Samples) -> nn.Module | None:
        if self.autoencoder_weight == 0:
            return None
        if samples.images.n_spatial != N_SPATIAL:
            raise ValueError(
                f"autoencoder_weight={self.autoencoder_weight} needs images, since the autoencoder "
                "processes rows; expected 0 for volumes."
            )
        width = int((self.image_size_ or samples.images.sizes()[0])[1])
        crops = self._make_crops()
        width = width if crops is None else min(width, crops.size[1])
        return RowAutoencoder(width, rectified=not self.multilabel_)

    def _make_paste(self, n_images: int) -> CopyPaste | None:
        if self.copy_paste == 0:
            return None
        if n_images < FEWEST_TO_PASTE:
            raise ValueError(
                f"copy_paste={self.copy_paste} needs batches of {FEWEST_TO_PASTE} images: one that "
                "is changed, one for the shape of the patch and one for its content. Batches have "
                f"{n_images}; expected at least batch_size={FEWEST_TO_PASTE} and "
                f"{FEWEST_TO_PASTE} images, or copy_paste=0."
            )
        return CopyPaste(probability=self.copy_paste)

    def _sees_images_again(self) -> bool:
        new = self.crop_size is not None or self.copy_paste > 0
        return not new and super()._sees_images_again()

    def _network(self, samples: Samples) -> ImageNetwork:
        counts: Any = {"in_channels": samples.images.n_channels, "n_classes": self.n_classes_}
        strides = self._strides(samples.images, self._seen_size(samples))
        options: Any = {
            "encoder_weights": self._setting("encoder_weights"),
            "encoder_depth": self.encoder_depth,
            "decoder_channels": self.decoder_channels,
            "decoder_attention": self.decoder_attention,
            "encoder_scales": self.encoder_scales,
            "encoder_strides": strides,
        }
        architecture = self._setting("architecture")
        if callable(architecture):
            check_options(architecture, pretrainer=self.pretrainer, **options)
            return own_network(make=architecture, dense=True, **counts)
        return segmentation_network(
            architecture=architecture, encoder=self._setting("encoder"), **counts, **options
        )


class SupervisedSegmentation(Objective):
    """A segmentation loss on labeled pixels, and an image-level loss on images with a label only.

    Parameters
    ----------
    network : nn.Module
        From images to pixel scores.
    loss : str or callable
        Name of the segmentation loss, or a function with the same signature.
    class_weight : Tensor of shape (k,), optional
        Weight of each mask id.
    label_weight : float
        Weight of the image-level term.
    autoencoder : nn.Module, optional
        From pixel scores to pixel scores, on which the same loss is computed.
    autoencoder_weight : float
        Weight of that loss.
    """

    class_weight: Tensor | None

    def __init__(
        self,
        network: nn.Module,
        *,
        loss: Any,
        class_weight: Tensor | None,
        label_weight: float,
        autoencoder: nn.Module | None = None,
        autoencoder_weight: float = 0.0,
    ) -> None:
        super().__init__()
        self.autoencoder = autoencoder
        self.autoencoder_weight = autoencoder_weight
        self.network = network
        self.loss = get_loss(loss)
        self.label_weight = label_weight
        self.register_buffer("class_weight", class_weight)

    def forward(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return the term "segmentation" and, if they apply, "autoencoder" and "label"."""
        logits = self.network(batch["image"])
        weight = batch.get("weight")
        weights = {"sample_weight": weight, "class_weight": self.class_weight}
        terms = {"segmentation": self.loss(logits, batch["mask"], **weights)}
        if self.autoencoder is not None:
            loss = self.loss(self.autoencoder(logits), batch["mask"], **weights)
            terms["autoencoder"] = self.autoencoder_weight * loss
        if "label" in batch:
            label_loss = image_label_loss(logits, batch["label"], sample_weight=weight)
            terms["label"] = self.label_weight * label_loss
        return terms

    def is_mean_over_images(self, batch: Batch) -> bool:
        """Tell whether the loss is a mean over images in which all pixels count alike."""
        return (
            is_mean_over_images(self.loss, batch["mask"])
            and self.class_weight is None
            and not {"weight", "label"} & batch.keys()
        )

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return parameter groups; the autoencoder has its own, with its own learning rate."""
        groups = super().parameter_groups()
        if self.autoencoder is None:
            return groups
        own = list(self.autoencoder.parameters())
        others = ({**group, "params": _without(group["params"], own)} for group in groups)
        return [*(each for each in others if each["params"]), {"params": own, "rate": DEDL_RATE}]


def _without(parameters: list[nn.Parameter], others: list[nn.Parameter]) -> list[nn.Parameter]:
    left_out = set(others)
    return [each for each in parameters if each not in left_out]
