"""MedSASS: a segmenter learns to predict masks made by thresholding.

Otsu's threshold differs from image to image, so a network has to look at the whole image to predict
it. No masks need to be annotated, and the decoder is trained together with the encoder. Singh and
Cirrone, "Exploring intrinsic properties of medical images for self-supervised binary semantic
segmentation", section 3.3 and algorithm 1.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from segclf.axes import N_SPATIAL
from segclf.base import Pretrainer, VolumeParameters
from segclf.base.maps import Maps, collect_maps
from segclf.data import Images, ImagesLike, Samples, as_masks
from segclf.losses import get_loss, is_mean_over_images
from segclf.methods.otsu_pretrainer.threshold_masks import threshold_masks
from segclf.networks import (
    ImageNetwork,
    architecture_of_volumes,
    classification_network,
    is_volume_encoder,
    own_encoder,
    segmentation_network,
    transfer,
)
from segclf.networks.encoders import encoder_key, timm_name
from segclf.objectives import Batch, Objective, Progress
from segclf.registry import make_plugin


def _segments(estimator: Any) -> bool:
    """Tell whether the estimator keeps a decoder; the error says why not."""
    if estimator.train != "end_to_end":
        raise AttributeError(
            f"With train={estimator.train!r} only the encoder is kept, which gives embeddings but "
            "no masks. Set train='end_to_end' to keep the decoder, too."
        )
    return True


class OtsuPretrainer(VolumeParameters, Pretrainer):
    """Pretrain an encoder, or a whole segmenter, on masks made by thresholding.

    Parameters
    ----------
    thresholder : str or callable
        Makes the masks: the name of an installed thresholder, "adaptive_gaussian", "adaptive_mean",
        "ght" or "otsu" (Table 3), or an object such as ``OtsuThresholder(polarity="dark")`` for
        objects darker than their surroundings. The paper does not say which side of the threshold
        it uses.
    train : {"encoder", "end_to_end"}
        What is kept. The whole network is trained in either case. "encoder" then discards all but
        the encoder (section 4.1). "end_to_end" keeps everything (section 4.2), so that `predict`
        and `predict_proba` segment without any further training.
    loss : str or callable
        "focal_tversky" (section 3.3.4); "tversky", "focal" or "cross_entropy" (Table 4 and Appendix
        B.1); any other loss of `segclf.losses`, or a function with the same signature.
    architecture : str or None
        A name of `segclf.networks`, with its defaults; "vit_unet" is the paper's network with a
        vision transformer (Appendix A.1). None means the architecture of the segmenter that uses
        this pretrainer. Without one, it is the paper's U-Net of three stages with 256, 128 and 64
        channels and scSE attention.
    encoder : str or None
        "tiny", or a name of segmentation-models-pytorch or timm; for volumes "residual3d", "tiny3d"
        or "dynunet". None means the encoder of the estimator that uses this pretrainer. Without
        one, it is "resnet50", or "vit_small_patch8_224" for a "vit_unet" (section 3).
    encoder_weights : str, path or None
        Pretrained weights: "imagenet", "timm/" and the name of a model of timm (see
        docs/pretraining.md), or a local file. None starts from scratch, as the paper does.
    encoder_depth, decoder_channels, decoder_attention : int, tuple of int or int, {"scse"}, or None
        As in `SupervisedSegmenter`. None means the value of the segmenter that uses this
        pretrainer, if it has the same architecture, else the default given by `architecture`.
    encoder_scales : tuple of int or None
        As in `SupervisedSegmenter`. None means the value of such a segmenter.

    Notes
    -----
    Masks are made once, from the images as the network sees them: at its size, and as float with
    the range of 8 and 16 bit images scaled to 0 to 1. Three channels are made gray by .299 R + .587
    G + .114 B, any other number by their mean. If an augmentation moves an image, its mask moves
    with it. (Algorithm 1 makes masks anew for each batch; without augmentation they are the same.)
    A volume has one threshold for all its slices. A thresholder that uses neighborhoods, or a
    function, gets one slice at a time.

    The paper trains for 50 epochs on batches of 16 images of 224 x 224, with a patience of 5 epochs
    on held-out images (``validation_fraction=0.1``; section 3). It does not state the optimizer;
    the one here is that of the same authors for the same U-Net in S4MI (section 3.3: Adam, a
    learning rate of 3.6e-4, a weight decay of 1e-5). The parameters of the loss, not stated either,
    are those of `segclf.losses.focal_tversky`.

    The paper's numbers lack a baseline: its IoU of .2395 to .2445 on ISIC-2017 (Table 1) is what
    all-foreground masks reach, since all-background masks have an accuracy of .7608 (Appendix B.1),
    which leaves .2392 of foreground.

    See Also
    --------
    SupervisedSegmenter : The same on annotated masks.

    Examples
    --------
    >>> from segclf import OtsuPretrainer
    >>> from segclf.datasets import make_shapes
    >>> shapes = make_shapes(8, image_size=32, n_objects=3, random_state=0)
    >>> tiny = {"encoder": "tiny", "max_epochs": 1, "random_state": 0}
    >>> OtsuPretrainer(**tiny).fit_transform(shapes.images).shape
    (8, 64)
    >>> pretrainer = OtsuPretrainer(train="end_to_end", **tiny).fit(shapes.images)
    >>> pretrainer.predict(shapes.images).shape
    (8, 32, 32)
    """

    thresholder: Any = "otsu"
    train: str = "encoder"
    loss: Any = "focal_tversky"
    architecture: str | None = None
    encoder: str | None = None
    encoder_weights: Any = None
    encoder_depth: int | None = None
    decoder_channels: tuple[int, ...] | int | None = None
    decoder_attention: str | None = None
    encoder_scales: tuple[int, ...] | None = None
    learning_rate: float = 3.6e-4
    weight_decay: float = 1e-5
    n_iter_no_change: int | None = 5

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "thresholder": [str, callable],
        "train": [StrOptions({"encoder", "end_to_end"})],
        "loss": [str, callable],
        "architecture": [str, None],
        "encoder": [str, None],
        "encoder_depth": [Interval(Integral, 1, None, closed="left"), None],
        "decoder_channels": [tuple, list, Integral, None],
        "decoder_attention": [StrOptions({"scse"}), None],
        "encoder_scales": [tuple, list, None],
    }

    @available_if(_segments)
    def predict(self, X: ImagesLike) -> Maps:
        """Return masks at the images' own size; with ``train="end_to_end"`` only.

        Returns
        -------
        array (n, h, w) of 0 and 1, uint8, or a list of them
            A list if the images have several sizes.
        """
        return collect_maps(*self._maps(X), lambda maps: maps.argmax(axis=1).astype(np.uint8))

    @available_if(_segments)
    def predict_proba(self, X: ImagesLike) -> Maps:
        """Return the probability of each class at each pixel; with ``train="end_to_end"`` only.

        Returns
        -------
        array (n, 2, h, w), float32, or a list of them
            Probabilities of background and object, summing to 1; a list if the images have several
            sizes.
        """
        return collect_maps(*self._maps(X))

    def _maps(self, X: Any) -> tuple[Images, Iterator[tuple[NDArray[np.intp], Tensor]]]:
        check_is_fitted(self)
        return self._outputs(X, partial(torch.softmax, dim=1))

    def _network_parameters(self, recipe: dict[str, Any]) -> dict[str, Any]:
        theirs = recipe.get("architecture")
        same = theirs is not None and self.architecture in (None, theirs)
        of_encoder = {"encoder", "encoder_strides"} & recipe.keys()
        return recipe if same else {name: recipe[name] for name in of_encoder}

    def _make_samples(self, images: Images) -> Samples:
        thresholder = make_plugin("thresholder", self.thresholder)
        masks = threshold_masks(thresholder, images, self.image_size_)
        return Samples(
            images=images,
            size=self.image_size_,
            masks=as_masks(masks, len(images), n_spatial=images.n_spatial),
            dense=True,
        )

    def _make_objective(self, samples: Samples) -> Objective:
        architecture, encoder = self._names()
        paper = self.architecture is None and samples.images.n_spatial == N_SPATIAL
        segmenter = segmentation_network(
            architecture=architecture,
            encoder=encoder,
            encoder_weights=self.encoder_weights,
            in_channels=samples.images.n_channels,
            n_classes=2,
            encoder_depth=self.encoder_depth or (3 if paper else None),
            decoder_channels=self.decoder_channels,
            decoder_attention=self.decoder_attention or ("scse" if paper else None),
            encoder_scales=self.encoder_scales,
            encoder_strides=self._strides(samples.images, samples.size),
        )
        return MedSASS(segmenter, loss=self.loss, keep_decoder=self.train == "end_to_end")

    def _names(self) -> tuple[str, str]:
        """Return architecture and encoder; by default the paper's."""
        if is_volume_encoder(self.encoder):
            assert self.encoder is not None
            return self.architecture or architecture_of_volumes(self.encoder), self.encoder
        paper = "vit_small_patch8_224" if self.architecture == "vit_unet" else "resnet50"
        return self.architecture or "unet", (
            self.encoder or own_encoder(self.architecture) or paper
        )


class MedSASS(Objective):
    """A segmentation loss against the masks of a threshold.

    Parameters
    ----------
    segmenter : ImageNetwork
        From images to the scores of background and object.
    loss : str or callable
        Name of the segmentation loss, or a function with the same signature.
    keep_decoder : bool
        Whether `network` is the segmenter, or its encoder alone.
    """

    def __init__(self, segmenter: ImageNetwork, *, loss: Any, keep_decoder: bool) -> None:
        super().__init__()
        self.segmenter = segmenter
        self.loss = get_loss(loss)
        self.encoder_alone = None if keep_decoder else _take_encoder(segmenter)

    @property
    def network(self) -> ImageNetwork:  # type: ignore[override]
        """What is kept."""
        return self.segmenter if self.encoder_alone is None else self.encoder_alone

    def forward(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return the term "segmentation"."""
        logits = self.segmenter(batch["image"])
        loss = self.loss(logits, batch["mask"], sample_weight=None, class_weight=None)
        return {"segmentation": loss}

    def is_mean_over_images(self, batch: Batch) -> bool:
        """Tell whether the loss is a mean over images."""
        return is_mean_over_images(self.loss, batch["mask"])

    def after_epoch(self, row: Mapping[str, float]) -> None:
        """Copy the trained encoder into the network that is kept, if that is the encoder alone."""
        if self.encoder_alone is not None:
            transfer(self.segmenter, self.encoder_alone)


def _take_encoder(segmenter: ImageNetwork) -> ImageNetwork:
    """Copy the encoder into a network that embeds with the stages that the segmenter trains."""
    recipe = segmenter.recipe
    whole = timm_name(encoder_key(recipe["encoder"])) is not None
    network = classification_network(
        encoder=recipe["encoder"],
        in_channels=recipe["in_channels"],
        n_classes=0,
        encoder_depth=None if whole else recipe["encoder_depth"],
        encoder_strides=recipe.get("encoder_strides"),
    ).requires_grad_(False)
    tensors = network.state_dict()
    new = [name for name in transfer(segmenter, network)["new"] if tensors[name].ndim > 1]
    if new:
        raise ValueError(
            f"train='encoder' keeps encoder={recipe['encoder']!r} as a whole timm model, and with "
            f"architecture={recipe['architecture']!r}, encoder_depth={recipe['encoder_depth']} "
            f"nothing trains {len(new)} of its weights, {new[0]} to {new[-1]}. Choose a larger "
            "encoder_depth, an encoder of segmentation-models-pytorch itself, or "
            "train='end_to_end'."
        )
    return network
