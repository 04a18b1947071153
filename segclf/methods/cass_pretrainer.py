"""CASS: a convolutional network and a vision transformer shall say the same of an image.

One sees texture nearby, the other relations across the image; each learns what the other knows.
The two differ by architecture, so both see the very same image. Singh, Sizikova and Cirrone, "CASS:
Cross architectural self-supervision for medical image analysis", arXiv 2206.04170, 2022; here as in
S4MI, section 3.1 and Figure 1 (Singh et al., "Shifting to machine supervision").
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
    """Pretrain a convolutional network and a vision transformer, each by the other.

    Parameters
    ----------
    cnn : str or None
        The convolutional encoder, a name as in `ImageClassifier`. None is that of the estimator
        that this one is handed to, "resnet50" on its own (S4MI, section 4.1).
    transformer : str or None
        The transformer, a name of timm. None is that of the estimator that this one is handed to
        where `keep` is "transformer", else the public code's "vit_base_patch16_384".
    cnn_weights, transformer_weights : path or None
        Local files of pretrained weights, or names of some; None starts from scratch. The paper
        starts both from ImageNet's (S4MI, Figure 1). Class scores in a file, `n_outputs` of them on
        what the encoder embeds, start the output that is compared: both networks' are scores of the
        same classes then, as in the public code. Other outputs start at random.
    keep : {"cnn", "transformer", "both"}
        Which becomes `network_`: what `transform` embeds with, and what is handed on. Of both, the
        next estimator takes the one that has its encoder. The other is gone after `fit`.
    n_outputs : int
        Length of the two outputs that are compared, each a linear layer on an embedding. 1000 in
        the public code, which compares ImageNet's class scores.
    projector : int or None
        Hidden length of a perceptron on each output; None for none, as in the paper.
    stop_gradient : bool
        Whether each network takes the other's output as it is, averaged over the two directions;
        False in the paper. Without a projector this only halves the gradient, since the cosine is
        symmetric; with one, the projector predicts the other's output, as in SimSiam.

    Notes
    -----
    Nothing in the loss keeps all images from becoming one, and small networks that start from
    scratch go there: ``history_["embedding_std"]`` fell to a tenth of 1 / sqrt(d) or less within 20
    epochs on 32 small pictures (three seeds, d = 16 and 1000), and stayed at a third to two thirds
    of it with a `projector`, stopped gradient or not. Look at that column, and at the warning.

    Of the paper are 100 epochs (S4MI, section 3.1). It leaves the rest to the public code, of which
    are batches of 16, Adam and a learning rate of 1e-3. That code's cosine is stepped at every
    batch with a half period of 16, so that its rate swings up and down to the end; here it falls
    once, from epoch to epoch as section 3.3 describes cosine annealing. ``schedule=lambda t: 0.5 *
    (1 + math.cos(math.pi * n_steps * t / 16))`` is the code's, for ``n_steps`` batches in all. The
    code never sets gradients back to zero during pretraining, so that each step follows the sum
    over all steps before; here each step has its own.

    The public code changes three of ten images in brightness, contrast and saturation by .2 and in
    perspective by .2, three of ten by a rotation of up to 10 degrees, and flips three of ten in
    each direction. A perspective of .2 moves corners inward by up to a tenth of the sides; here
    the affine part of that, a magnification of .9 to 1 and a shear of up to 5 degrees, goes
    along with the rotation. It is the default of `augmentation`.

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
        Which becomes `network`.
    n_outputs : int
        Length of the outputs.
    projector : int or None
        Hidden length of a perceptron on each output.
    stop_gradient : bool
        Whether the output compared with is a fixed target, in both directions.
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
        """What the estimator keeps: one of the two, or the pair."""
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
    """Average over rows (n, d) of 2 - 2 cos: their squared distance once scaled to length 1."""
    return 2 - 2 * cosine_similarity(u.float(), v.float(), dim=1).mean()


def _embedder(name: str, weights: Any, n_channels: int) -> ClassificationNetwork:
    return classification_network(
        encoder=name, encoder_weights=weights, in_channels=n_channels, n_classes=0
    )


def _check_kinds(cnn: ClassificationNetwork, transformer: ClassificationNetwork) -> None:
    """Refuse two of a kind, as the encoder of an estimator with another `keep` in mind makes."""
    if is_vision_transformer(cnn.encoder):
        raise ValueError(
            f"cnn={cnn.recipe['encoder']!r} is a vision transformer; expected a convolutional "
            "encoder, such as 'resnet50'. To hand on a transformer, say keep='transformer'."
        )
    if not any(name.endswith("attn") for name, _ in transformer.named_modules()):
        raise ValueError(
            f"transformer={transformer.recipe['encoder']!r} has no attention; expected a "
            "transformer, such as 'vit_small_patch16_224'. To hand on a convolutional encoder, say "
            "keep='cnn'."
        )
