"""CASS: a convolutional network and a vision transformer learn to agree on each image.

The first sees local texture, the second relations across the image; each learns from the other.
They differ in architecture, so both see the same view of an image. Singh, Sizikova and Cirrone,
"CASS: Cross architectural self-supervision for medical image analysis", arXiv 2206.04170, 2022;
here as in S4MI, section 3.1 and Figure 1 (Singh et al., "Shifting to machine supervision").
"""

from numbers import Integral
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from segclf.base import Pretrainer
from segclf.data import Augmentation, Samples, views
from segclf.networks import (
    ClassificationNetwork,
    PairNetwork,
    classification_network,
    is_vision_transformer,
    load_class_head,
    projection_head,
)
from segclf.objectives import Batch, JointEmbedding, Objective, Progress


class CASSPretrainer(Pretrainer):
    """Pretrain a convolutional network and a vision transformer to agree with each other.

    Parameters
    ----------
    cnn : str or None
        The convolutional encoder, a name as in `ImageClassifier`. None means the encoder of the
        estimator that uses this pretrainer, or "resnet50" without one (S4MI, section 4.1).
    transformer : str or None
        The transformer, a name of timm. With ``keep="transformer"``, None means the encoder of the
        estimator that uses this pretrainer; otherwise the public code's "vit_base_patch16_384".
    cnn_weights, transformer_weights : path or None
        Local files or names of pretrained weights; None starts from scratch. The paper starts both
        from ImageNet weights (S4MI, Figure 1). If a file holds a classification layer with
        `n_outputs` classes on the embedding, the compared output starts from it. Both networks then
        compare scores of the same classes, as in the public code. Other outputs start at random.
    keep : {"cnn", "transformer", "both"}
        The network that becomes `network_`, for `transform` and as the start of the next estimator.
        With "both", the next estimator takes the network with its own encoder. A network that is
        not kept is discarded after `fit`.
    n_outputs : int
        Length of the two outputs that are compared, each a linear layer on an embedding; 1000 in
        the public code, which compares ImageNet class scores.
    projector : int or None
        Hidden length of a perceptron on each output. None means no perceptron, as in the paper.
    stop_gradient : bool
        Whether each network takes the other's output as a fixed target, averaged over the two
        directions; False in the paper. Without a projector this only halves the gradient, since the
        cosine is symmetric. With one, the projector predicts the other's output, as in SimSiam.

    Notes
    -----
    Nothing in the loss prevents collapse, where all images get the same embedding, and small
    networks that start from scratch do collapse. On 32 small pictures (three seeds, d = 16 and
    1000), ``history_["embedding_std"]`` fell to a tenth of 1 / sqrt(d) or less within 20 epochs.
    With a `projector` it stayed at a third to two thirds of that, with or without a stopped
    gradient. Watch that column, and the warning.

    The 100 epochs are the paper's (S4MI, section 3.1). Batches of 16, Adam and a learning rate of
    1e-3 are from the public code. That code steps its cosine at every batch with a half period of
    16, so that the rate swings up and down to the end. Here it falls once, epoch by epoch, as
    section 3.3 describes. ``schedule=lambda t: 0.5 * (1 + math.cos(math.pi * n_steps * t / 16))``
    gives the code's schedule for ``n_steps`` batches in all. The code never resets gradients to
    zero during pretraining, so that each step follows the sum over all steps before. Here each step
    uses its own gradient.

    The default of `augmentation` follows the public code, with one change. The code changes
    brightness, contrast and saturation by .2 in three of ten images, perspective by .2 in three of
    ten, rotates three of ten by up to 10 degrees, and flips three of ten in each direction. A
    perspective of .2 moves corners inward by up to a tenth of the sides. Here only the affine part
    of that, a magnification of .9 to 1 and a shear of up to 5 degrees, is applied, together with
    the rotation.

    See Also
    --------
    DINOPretrainer : The method that the paper compares with.
    SimSiamPretrainer : Two views of one network; a stopped gradient against collapse.

    Examples
    --------
    >>> from segclf import CASSPretrainer
    >>> from segclf.datasets import make_shapes
    >>> shapes = make_shapes(8, image_size=32, n_objects=3, random_state=0)
    >>> tiny = {"cnn": "tiny", "transformer": "tiny_vit", "n_outputs": 16}
    >>> pretrainer = CASSPretrainer(**tiny, keep="both", max_epochs=1, random_state=0)
    >>> pretrainer.fit_transform(shapes.images).shape
    (8, 96)
    """

    cnn: str | None = None
    transformer: str | None = None
    cnn_weights: Any = None
    transformer_weights: Any = None
    keep: str = "cnn"
    n_outputs: int = 1000
    projector: int | None = None
    stop_gradient: bool = False
    max_epochs: int = 100
    learning_rate: float = 1e-3
    schedule: Any = "cosine"

    _fewest_images: ClassVar[int] = 2
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "cnn": [str, None],
        "transformer": [str, None],
        "keep": [StrOptions({"cnn", "transformer", "both"})],
        "n_outputs": [Interval(Integral, 1, None, closed="left")],
        "projector": [Interval(Integral, 1, None, closed="left"), None],
        "stop_gradient": ["boolean"],
    }

    def _make_views(self) -> tuple[Augmentation, ...]:
        view = Augmentation(
            horizontal_flip=0.3,
            vertical_flip=0.3,
            rotation=10.0,
            scale=(0.9, 1.0),
            shear=5.0,
            affine_probability=0.3,
            brightness=0.4,  # a factor of 1 +- .2, in standard deviations of ImageNet
            contrast=0.2,
            saturation=0.2,
            color_probability=0.3,
        )
        return (view,)

    def _network_parameters(self, recipe: dict[str, Any]) -> dict[str, Any]:
        encoder, kept = recipe["encoder"], self.keep
        if kept == "both":
            elsewhere = self.transformer == encoder or self.cnn not in (None, encoder)
            kept = "transformer" if elsewhere else "cnn"
        return {kept: encoder, f"{kept}_weights": recipe.get("encoder_weights")}

    def _make_objective(self, samples: Samples) -> Objective:
        n_channels = samples.images.n_channels
        cnn = _embedder(self.cnn or "resnet50", self.cnn_weights, n_channels)
        transformer = _embedder(
            self.transformer or "vit_base_patch16_384", self.transformer_weights, n_channels
        )
        _check_kinds(cnn, transformer)
        objective = CASS(
            PairNetwork(cnn, transformer),
            keep=self.keep,
            n_outputs=self.n_outputs,
            projector=self.projector,
            stop_gradient=self.stop_gradient,
        )
        load_class_head(objective.cnn_head, cnn.recipe["encoder"], self.cnn_weights)
        load_class_head(
            objective.transformer_head, transformer.recipe["encoder"], self.transformer_weights
        )
        return objective


class CASS(JointEmbedding):
    """The squared distance between two networks' outputs of an image, scaled to length 1.

    Parameters
    ----------
    pair : PairNetwork
        The two networks, from images to embeddings.
    keep : {"cnn", "transformer", "both"}
        The network that becomes `network`.
    n_outputs : int
        Length of the outputs.
    projector : int or None
        Hidden length of a perceptron on each output.
    stop_gradient : bool
        Whether each output is compared with a fixed target, in both directions.
    """

    def __init__(
        self,
        pair: PairNetwork,
        *,
        keep: str,
        n_outputs: int,
        projector: int | None,
        stop_gradient: bool,
    ) -> None:
        super().__init__()
        self.pair = pair
        self.keep = keep
        self.cnn_head = nn.Linear(pair.cnn.n_features, n_outputs)
        self.transformer_head = nn.Linear(pair.transformer.n_features, n_outputs)
        self.cnn_projector, self.transformer_projector = (
            nn.Identity()
            if projector is None
            else projection_head((n_outputs, projector, n_outputs))
            for _ in range(2)
        )
        self.stop_gradient = stop_gradient

    @property
    def network(self) -> nn.Module:  # type: ignore[override]
        """The network that the estimator keeps: one of the two, or the pair."""
        return self.pair if self.keep == "both" else self.pair.get_submodule(self.keep)

    def forward(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return the term "distance", in [0, 4]."""
        (image,) = views(batch)
        u = self.cnn_head(self.pair.cnn(image))
        v = self.transformer_head(self.pair.transformer(image))
        self.watch(torch.stack([u, v]))
        p, q = self.cnn_projector(u), self.transformer_projector(v)
        if self.stop_gradient:
            return {"distance": (distance(p, v.detach()) + distance(q, u.detach())) / 2}
        return {"distance": distance(p, q)}


def distance(u: Tensor, v: Tensor) -> Tensor:
    """Average 2 - 2 cos over rows (n, d): their squared distance after scaling to length 1."""
    return 2 - 2 * cosine_similarity(u.float(), v.float(), dim=1).mean()


def _embedder(name: str, weights: Any, n_channels: int) -> ClassificationNetwork:
    return classification_network(
        encoder=name, encoder_weights=weights, in_channels=n_channels, n_classes=0
    )


def _check_kinds(cnn: ClassificationNetwork, transformer: ClassificationNetwork) -> None:
    """Raise if both are of one kind, as when `keep` does not suit the next estimator's encoder."""
    if is_vision_transformer(cnn.encoder):
        raise ValueError(
            f"cnn={cnn.recipe['encoder']!r} is a vision transformer; expected a convolutional "
            "encoder, such as 'resnet50'. To hand on a transformer, set keep='transformer'."
        )
    if not any(name.endswith("attn") for name, _ in transformer.named_modules()):
        raise ValueError(
            f"transformer={transformer.recipe['encoder']!r} has no attention; expected a "
            "transformer, such as 'vit_small_patch16_224'. To hand on a convolutional encoder, set "
            "keep='cnn'."
        )
