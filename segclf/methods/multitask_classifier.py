"""Y-Net: one encoder learns to segment and to classify images at once.

A decoder predicts the mask, as in a U-Net; a second head on the encoder's deepest map predicts the
image's label. The features that the encoder learns from masks help that head, but the head need not
look where the mask is. Mehta et al., "Y-Net: joint segmentation and classification for diagnosis of
breast biopsy images", MICCAI 2018; the multitask baseline of Hooper et al., "A case for reframing
automated medical image classification as segmentation", NeurIPS 2023 (section 4).
"""

from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.callback import with_callbacks
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from segclf.base import Automatic, NetworkClassifier, VolumeParameters, supervise
from segclf.base.conflicts import learn_negative_class
from segclf.base.front_door import holds_images
from segclf.base.maps import Maps, as_probabilities, collect_maps, to_masks
from segclf.base.validation_set import with_labeled_validation
from segclf.data import (
    Images,
    ImagesLike,
    LabelsLike,
    MasksLike,
    Samples,
    Whole,
    as_masks,
    watched_files,
)
from segclf.losses import get_label_loss, get_loss, is_mean_over_images
from segclf.networks import MultitaskNetwork, segmentation_network
from segclf.objectives import Batch, Objective, Progress


class MultitaskClassifier(Automatic, VolumeParameters, NetworkClassifier):
    """Classify and segment images with one network of two heads.

    Any mixture of supervision is valid: masks for some images, labels for others, nothing for the
    rest. Images of the negative class need no masks: theirs are empty.

    Y-Net trains the segmentation first and both heads after that, as a
    ``pretrainer=SupervisedSegmenter(...)`` inside a ``FrozenEstimator`` does here. Y-Net's
    classification head has further convolutions. Here it is the mean over the deepest map and one
    linear layer, as in `ImageClassifier`, so that the two differ only by the masks.

    Parameters
    ----------
    architecture : str
        "unet", "deeplabv3plus", "fcn", "fpn", "hypercolumn" or another name of `segclf.networks`.
        "auto" is "hypercolumn" for a frozen encoder, and "unet" for others and if
        `decoder_attention` or several `decoder_channels` are given.
    encoder_depth : int or None
        Number of encoder stages; None is the architecture's default.
    decoder_channels : tuple of int, int or None
        Channels of the decoder's stages, or one number, depending on the architecture; None is the
        architecture's default.
    decoder_attention : {"scse"} or None
        Attention in the decoder.
    encoder_scales : tuple of int or None
        For "hypercolumn": the sizes at which the encoder sees the image, as multiples of its own
        size. (1, 2) adds the maps of the image at twice its height and width, which takes at least
        five times the encoder's work and the memory for kept maps. None means (1,).
    mask_loss : str or callable
        Loss of the pixels, as in `SupervisedSegmenter`; "cross_entropy" in both papers.
    label_loss : str or callable
        Loss of the image labels, as in `ImageClassifier`; "cross_entropy" in both papers.
    mask_weight, label_weight : float
        Weights of the two losses; 1 in Y-Net's code, not stated in Hooper et al.
    negative_class : label, "auto", "first" or None
        The class whose images show no finding, so that their masks are empty. Mask ids 1, 2, ...
        belong to the other classes, in the order of ``classes_``; further ids are context, which
        does not affect the label. "auto" takes the class whose masks are empty, if there is exactly
        one, else the first class. "first" always takes the first class, unless a class has that
        name. None: every class has a region, and mask id j belongs to ``classes_[j - 1]``.

    Attributes
    ----------
    negative_class_ : label or None
        The class whose images show no finding; None if there is none.
    n_mask_classes_ : int
        Number of mask ids including the background, or of channels of multi-label masks.

    See Also
    --------
    ImageClassifier : The same without masks.
    SegmentationClassifier : Classify images through their segmentation.

    Examples
    --------
    >>> from segclf import MultitaskClassifier
    >>> from segclf.datasets import make_shapes
    >>> shapes = make_shapes(8, image_size=32, n_objects=3, random_state=0)
    >>> classifier = MultitaskClassifier(encoder="tiny", max_epochs=1, random_state=0)
    >>> classifier = classifier.fit(shapes.images, shapes.target, masks=shapes.masks)
    >>> classifier.predict_proba(shapes.images).shape, classifier.predict_masks(shapes.images).shape
    ((8, 2), (8, 32, 32))
    """

    architecture: str = "auto"
    encoder_depth: int | None = None
    decoder_channels: tuple[int, ...] | int | None = None
    decoder_attention: str | None = None
    encoder_scales: tuple[int, ...] | None = None
    mask_loss: Any = "dice_cross_entropy"
    label_loss: Any = "cross_entropy"
    mask_weight: float = 1.0
    label_weight: float = 1.0
    negative_class: Any = "auto"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "architecture": [str],
        "encoder_depth": [Interval(Integral, 1, None, closed="left"), None],
        "decoder_channels": [tuple, list, Interval(Integral, 1, None, closed="left"), None],
        "decoder_attention": [StrOptions({"scse"}), None],
        "encoder_scales": [tuple, list, None],
        "mask_loss": [str, callable],
        "label_loss": [str, callable],
        "mask_weight": [Interval(Real, 0, None, closed="left")],
        "label_weight": [Interval(Real, 0, None, closed="left")],
        "negative_class": [object],
    }

    @with_callbacks
    @watched_files()
    def fit(
        self,
        X: ImagesLike,
        y: LabelsLike,
        sample_weight: ArrayLike | None = None,
        *,
        masks: MasksLike | None = None,
        groups: ArrayLike | None = None,
        X_val: ImagesLike | Whole | None = None,
        y_val: LabelsLike | Whole | None = None,
        masks_val: MasksLike | Whole | None = None,
    ) -> Self:
        """Train on images, some with labels and some with masks.

        Parameters
        ----------
        X : array, list, paths or tensor
            The n images.
        y : array of shape (n,) or (n, k)
            Labels, -1 where unlabeled; or a multi-label indicator.
        sample_weight : array of shape (n,), optional
            Weight of each image.
        masks : array (n, h, w) or (n, k, h, w), list or None
            Mask ids, 0 the background, -1 an unlabeled pixel; or multi-label masks. A
            list may hold paths, and None for an image without a mask.
        groups : array of shape (n,), optional
            Group of each image; the validation split keeps groups together.
        X_val, y_val, masks_val : images, labels and masks, optional
            A validation set in the form of X, y and masks, in place of `validation_fraction`. Wrap
            each in `segclf.data.Whole` so that searches do not split it into folds.

        Returns
        -------
        self
            The fitted estimator.
        """
        images = self._open(X)
        labels = self._learn_classes(y, len(images), signs=not holds_images(X))
        masks = as_masks(masks, len(images), n_spatial=images.n_spatial)
        self.negative_class_ = learn_negative_class(labels, masks, self.negative_class)
        said: dict[str, Any] = {"masks": masks, "labels": labels.mask_ids(self.negative_class_)}
        said |= {"target": labels.encoded, "sample_weight": sample_weight, "groups": groups}
        supervision = supervise(X, images=images, **said)
        given = (X_val, y_val, masks_val)
        supervision = with_labeled_validation(
            supervision, labels, self.negative_class_, *given, reader=self
        )
        self.n_mask_classes_ = supervision.masks.n_classes
        self._choose(supervision)
        samples = supervision.samples(self.image_size_)
        samples.sampler = self._make_sampler(samples)
        self._learn(samples, strata=labels.encoded, groups=supervision.groups, X=X, y=y)
        return self

    def predict_masks(self, X: ImagesLike) -> Maps:
        """Return masks at the images' own size, uint8: ids (n, h, w), or 0 and 1 (n, k, h, w).

        For volumes (n, d, h, w), or (n, k, d, h, w).
        """
        return collect_maps(*self._maps(X), self._to_masks)

    def predict_mask_proba(self, X: ImagesLike) -> Maps:
        """Return the probability of each mask id at each pixel, (n, n_ids, h, w) float32."""
        return collect_maps(*self._maps(X))

    def _make_objective(self, samples: Samples) -> Objective:
        segmentation = segmentation_network(
            architecture=self._setting("architecture"),
            encoder=self._setting("encoder"),
            encoder_weights=self._setting("encoder_weights"),
            in_channels=samples.images.n_channels,
            n_classes=self.n_mask_classes_,
            encoder_depth=self.encoder_depth,
            decoder_channels=self.decoder_channels,
            decoder_attention=self.decoder_attention,
            encoder_scales=self.encoder_scales,
            encoder_strides=self._strides(samples.images, samples.size),
        )
        return Multitask(
            MultitaskNetwork(segmentation, n_labels=len(self.classes_)),
            mask_loss=self.mask_loss,
            label_loss=self.label_loss,
            mask_weight=self.mask_weight,
            label_weight=self.label_weight,
            class_weight=self._class_weight(),
        )

    def _to_start(self, objective: Objective) -> nn.Module:
        """Return the part that a pretrainer can start; the image head always starts anew."""
        return objective.network.get_submodule("segmentation")

    def _maps(self, X: Any) -> tuple[Images, Iterator[tuple[NDArray[np.intp], Tensor]]]:
        check_is_fitted(self)
        segmentation = self.network_.get_submodule("segmentation")
        return self._outputs(X, self._activate, forward=segmentation, flips=self.test_time_flips)

    def _activate(self, scores: Tensor) -> Tensor:
        return as_probabilities(scores, multilabel=self._multilabel)

    def _to_masks(self, probabilities: NDArray[Any]) -> NDArray[np.uint8]:
        return to_masks(probabilities, multilabel=self._multilabel)


class Multitask(Objective):
    """A segmentation loss on labeled pixels plus a classification loss on labeled images.

    Parameters
    ----------
    network : MultitaskNetwork
        From images to pixel scores and image scores.
    mask_loss, label_loss : str or callable
        Name of the loss, or a function with the same signature.
    mask_weight, label_weight : float
        Weights of the two losses.
    class_weight : Tensor of shape (k,), optional
        Weight of each class of images.
    """

    network: MultitaskNetwork
    class_weight: Tensor | None

    def __init__(
        self,
        network: MultitaskNetwork,
        *,
        mask_loss: Any,
        label_loss: Any,
        mask_weight: float,
        label_weight: float,
        class_weight: Tensor | None,
    ) -> None:
        super().__init__()
        self.network = network
        self.mask_loss = get_loss(mask_loss)
        self.label_loss = get_label_loss(label_loss)
        self.mask_weight = mask_weight
        self.label_weight = label_weight
        self.register_buffer("class_weight", class_weight)

    def forward(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return the terms "segmentation" and "classification"."""
        pixels, scores = self.network.both(batch["image"])
        weight = batch.get("weight")
        mask_loss = self.mask_loss(pixels, batch["mask"], sample_weight=weight)
        label_loss = self.label_loss(
            scores, batch["target"], sample_weight=weight, class_weight=self.class_weight
        )
        return {
            "segmentation": self.mask_weight * mask_loss,
            "classification": self.label_weight * label_loss,
        }

    def is_mean_over_images(self, batch: Batch) -> bool:
        """Tell whether both losses are means over images, without weights of images or classes."""
        return (
            is_mean_over_images(self.mask_loss, batch["mask"])
            and is_mean_over_images(self.label_loss, batch["target"])
            and self.class_weight is None
            and "weight" not in batch
        )
