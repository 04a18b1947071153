"""Cross teaching: a convolutional network and a transformer teach each other where masks are few.

The first sees local texture, the second relations across the image, so that they make different
errors and can learn from each other. On images without a mask, each learns what the other predicts.
Luo, Hu, Song, Wang and Zhang, "Semi-supervised medical image segmentation via cross teaching
between CNN and transformer", MIDL 2022; here with the settings of S4MI, sections 3.3 and 4.2.1
(Singh et al., "Shifting to machine supervision").
"""

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar, Self

from sklearn.utils._param_validation import Interval, StrOptions

from segclf.base import LabelTermSegmenter, PretrainedWeightsWarning, Supervision
from segclf.base.network_holder import is_auto
from segclf.data import Augmentation, Sampler, Samples, TwoStreamSampler
from segclf.methods.cross_teaching_segmenter.objective import CrossTeaching
from segclf.networks import (
    SegmentationNetwork,
    SegmentationPair,
    segmentation_network,
    weights_at_hand,
)
from segclf.objectives import Objective


class CrossTeachingSegmenter(LabelTermSegmenter):
    """Segment images with two networks that teach each other on images without a mask.

    Parameters
    ----------
    cnn : str
        The convolutional encoder, a name as in `SupervisedSegmenter`.
    transformer : str
        The transformer, a name of timm: a Swin or another transformer with maps of several sizes
        for a U-Net; a plain one such as "vit_small_patch8_224" for a "vit_unet".
    cnn_architecture, transformer_architecture : str
        "unet", "vit_unet" or another name of `segclf.networks`.
    cnn_decoder_channels, transformer_decoder_channels : tuple of int or None
        Channels of the decoders' stages; None is the architecture's default.
    cnn_weights, transformer_weights : str, path or None
        Pretrained weights: "imagenet", "timm/" and the name of a model of timm (see
        docs/pretraining.md), or local files. None starts from scratch. The papers start the
        transformer from ImageNet weights and the other from scratch (S4MI, section 4.2.1). So
        "auto", for the transformer, is "imagenet" if these weights are on this machine; it never
        downloads. It is None with a `pretrainer`, if no such weights are published, and, with a
        warning, if they are not on this machine.
    predict_with : {"cnn", "transformer", "mean"}
        Network that predicts and becomes `network_`: the CNN, as in Luo et al., who use the
        transformer only in training; the transformer, as in S4MI (section 3.2.1); or both, by the
        mean of their probabilities. It may also be set after `fit`.
    n_labeled : int or None
        Number of images with a mask in each batch; the others have none. None is half of
        `batch_size`, the 8 + 8 of S4MI; its 15 + 1 is ``n_labeled=15`` (section 3.2.1).
    consistency_weight : float
        Weight of the terms by which the networks learn from each other; 1 in S4MI (section 4.2.1),
        .1 in the code of Luo et al.
    ramp_up : int or None
        Number of steps over which that weight rises from exp(-5) of its value, in 200 stairs; None
        keeps it constant, as in S4MI. 30,000 in the code of Luo et al., its whole training.

    Attributes
    ----------
    pair_ : nn.Module
        Both networks, ``pair_.cnn`` and ``pair_.transformer``.
    chosen_ : dict
        The value of `transformer_weights` that was chosen, if it was "auto".

    Notes
    -----
    An image counts as labeled if it has a mask, or the label 0 and so an empty mask. Batches mix
    labeled and unlabeled images. An epoch is one pass over the kind that takes more batches, while
    the other kind is repeated. If all images are labeled, batches are as in `SupervisedSegmenter`,
    and both networks train side by side. A network learns from the other on images without any
    labeled pixel (on channels, if masks are multi-label). Single pixels of -1 do not count.

    A `pretrainer` initializes each network that has its encoder. A pretrainer of one encoder uses
    the CNN's unless set otherwise; ``CASSPretrainer(keep="both")`` initializes both. `transferred_`
    lists what was transferred, by names that begin with "cnn." and "transformer.".

    Adam, the learning rate, the weight decay and batches of 16 are from S4MI (section 3.3);
    `as_in_s4mi` makes its whole setting. Its cosine ends at 3.4e-4; that of its code falls to 5e-6
    within 50 steps, rises again, and so on. Here it falls to 0 once by default. Its code also uses
    the weight of Luo et al., which stays below .0106 throughout its training, while the paper adds
    the terms unweighted. The setting of Luo et al. is ``optimizer="sgd", learning_rate=0.01,
    weight_decay=1e-4, schedule="polynomial", consistency_weight=0.1, ramp_up=30_000``.

    Both papers use a plain U-Net and a Swin-Unet, whose decoder also consists of Swin blocks. Here
    both networks have a U-Net's decoder, one on the ResNet-34 of S4MI's supervised U-Net (section
    4.2), the other on Swin-T. Images may have any size.

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
    transformer_weights: Any = "auto"
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
    # Names by which a pretrainer of two networks asks for them.
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

    @classmethod
    def as_in_s4mi(cls, **changes: Any) -> Self:
        """Make a segmenter with all settings of S4MI, sections 3.2.1, 3.3 and 4.2.1.

        Changes to the defaults: images of 224 x 224 pixels, random rotation and flips, a cosine
        over 50 epochs that ends at 3.4e-4, and prediction with the transformer. The paper does not
        state the angle of rotation: here it is up to 20 degrees for every second image, as in the
        public code of Luo et al.

        Parameters
        ----------
        **changes
            Further parameters, or other values of these.

        Returns
        -------
        CrossTeachingSegmenter
            Unfitted.

        Examples
        --------
        >>> segmenter = CrossTeachingSegmenter.as_in_s4mi(n_labeled=15)
        >>> segmenter.image_size, segmenter.predict_with, segmenter.learning_rate
        (224, 'transformer', 0.00036)
        """
        turns = Augmentation(
            horizontal_flip=0.5, vertical_flip=0.5, rotation=20.0, affine_probability=0.5
        )
        setting: dict[str, Any] = {
            "image_size": 224,
            "augmentation": turns,
            "schedule": "shallow_cosine",
            "max_epochs": 50,
            "predict_with": "transformer",
        }
        return cls(**{**setting, **changes})

    def _choose(self, supervision: Supervision, n_taught: int | None = None) -> None:
        self.chosen_ = {}
        if is_auto(self.transformer_weights):
            self.chosen_["transformer_weights"] = self._imagenet_at_hand()

    def _imagenet_at_hand(self) -> str | None:
        if self.pretrainer is not None:
            return None
        try:
            at_hand = weights_at_hand("imagenet", self.transformer)
        except ValueError:  # no such weights are published
            return None
        if not at_hand:
            warnings.warn(
                f"ImageNet weights of {self.transformer} are not on this machine, so it starts "
                "from scratch, unlike in the papers. Set transformer_weights="
                '"imagenet" to download them, or None to start from scratch without a warning.',
                PretrainedWeightsWarning,
                stacklevel=2,
            )
        return "imagenet" if at_hand else None

    def _make_sampler(self, samples: Samples) -> Sampler | None:
        n_labeled = self.n_labeled or -(-self.batch_size // 2)
        if n_labeled > self.batch_size:
            raise ValueError(
                f"n_labeled={n_labeled} is more than batch_size={self.batch_size}; expected "
                "batch_size or less."
            )
        labeled = samples.with_mask()
        if labeled.all():
            return None
        return TwoStreamSampler(labeled, n_labeled, self.batch_size - n_labeled)

    def _make_objective(self, samples: Samples) -> Objective:
        if not samples.with_mask().any():
            raise ValueError(
                f"None of the {len(samples)} images has a mask, so the networks have nothing to "
                "teach each other; expected at least one mask, or an image labeled 0."
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
            encoder_weights=self._setting(f"{kind}_weights"),
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
        return {**network.recipe[kind], "encoder_weights": self._setting(f"{kind}_weights")}
