"""SimSiam: predict one view of an image from another, and stop the gradient on one side.

Two views pass through one network. A predictor on one of them learns to give the other, which is a
fixed target. There are no negative pairs and no momentum teacher: the stopped gradient alone
prevents collapse, where all images get the same embedding. Chen and He, "Exploring simple Siamese
representation learning", CVPR 2021.
"""

from numbers import Integral
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval
from torch import Tensor
from torch.nn.functional import cosine_similarity

from segclf.base import VolumeEncoderPretrainer
from segclf.data import Augmentation, Samples, simclr_view, views
from segclf.networks import ImageNetwork, projection_head
from segclf.objectives import Batch, JointEmbedding, Objective, Progress
from segclf.training import get_schedule


class SimSiamPretrainer(VolumeEncoderPretrainer):
    """Pretrain an encoder by SimSiam.

    Parameters
    ----------
    encoder : str or None
        A name as in `ImageClassifier`; convolutional or a transformer, of images or of volumes.
        None means the encoder of the estimator that uses this pretrainer, or "resnet50" without one
        (section 3).
    projection_size : int
        Length of the three layers of the projector, 2048 in section 3, "Baseline settings".
    prediction_size : int
        Hidden length of the predictor, a bottleneck; 512 there.
    fixed_prediction_rate : bool
        Whether the predictor's learning rate stays constant, which the paper finds slightly better
        and keeps (section 4.2, Table 1c); False lets it follow the `schedule`.

    Notes
    -----
    The paper trains by SGD with a momentum of .9, a weight decay of 1e-4 and a learning rate of .05
    per 256 images, along a cosine. Those are the defaults here, for batches of 64 instead of 512.
    Views are the paper's: crops of .2 to 1 of the area, flips, changes of color, gray, and blur
    (appendix A), whose width scales with the image size. As in the paper's code, the projector's
    last normalization has no scale and shift. Unlike there, residual blocks are not initialized as
    the identity: encoders start as they do everywhere in segclf.

    See Also
    --------
    BYOLPretrainer : The same with a momentum teacher.

    Examples
    --------
    >>> from segclf import SimSiamPretrainer
    >>> from segclf.datasets import make_shapes
    >>> shapes = make_shapes(8, image_size=32, n_objects=3, random_state=0)
    >>> pretrainer = SimSiamPretrainer(encoder="tiny", max_epochs=1, random_state=0)
    >>> pretrainer.fit_transform(shapes.images).shape
    (8, 64)
    """

    projection_size: int = 2048
    prediction_size: int = 512
    fixed_prediction_rate: bool = True
    max_epochs: int = 100
    batch_size: int = 64
    learning_rate: float = 0.0125
    weight_decay: float = 1e-4
    optimizer: Any = "sgd"
    schedule: Any = "cosine"

    _fewest_images: ClassVar[int] = 2
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "projection_size": [Interval(Integral, 1, None, closed="left")],
        "prediction_size": [Interval(Integral, 1, None, closed="left")],
        "fixed_prediction_rate": ["boolean"],
    }

    def _make_views(self) -> tuple[Augmentation, ...]:
        return simclr_view(crop=(0.2, 1.0)), simclr_view(crop=(0.2, 1.0))

    def _make_objective(self, samples: Samples) -> Objective:
        network = self._make_encoder(samples)
        return SimSiam(
            network,
            projection_size=self.projection_size,
            prediction_size=self.prediction_size,
            fixed_prediction_rate=self.fixed_prediction_rate,
        )


class SimSiam(JointEmbedding):
    """Half the negative cosine of prediction and target, in both directions.

    Parameters
    ----------
    network : ImageNetwork
        From images to embeddings.
    projection_size, prediction_size : int
        Lengths of the layers of the projector, and of the predictor's hidden layer.
    fixed_prediction_rate : bool
        Whether the predictor ignores the schedule of the learning rate.
    """

    def __init__(
        self,
        network: ImageNetwork,
        *,
        projection_size: int,
        prediction_size: int,
        fixed_prediction_rate: bool,
    ) -> None:
        super().__init__()
        size = projection_size
        self.network = network
        self.projector = projection_head(
            (network.n_features, size, size, size), last_norm=True, last_affine=False
        )
        self.predictor = projection_head((size, prediction_size, size))
        self.fixed_prediction_rate = fixed_prediction_rate

    def forward(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return the term "similarity", in [-1, 1]."""
        z1, z2 = (self.projector(self.network(view)) for view in views(batch))
        p1, p2 = self.predictor(z1), self.predictor(z2)
        self.watch(z1)
        return {"similarity": (negative_cosine(p1, z2) + negative_cosine(p2, z1)) / 2}

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the parameter groups; the predictor has its own, at a constant rate."""
        if not self.fixed_prediction_rate:
            return super().parameter_groups()
        others = [*self.network.parameters(), *self.projector.parameters()]
        constant = get_schedule("constant")
        return [
            {"params": others},
            {"params": [*self.predictor.parameters()], "schedule": constant},
        ]


def negative_cosine(prediction: Tensor, target: Tensor) -> Tensor:
    """Average the negative cosine of rows (n, d); no gradient reaches the target."""
    return -cosine_similarity(prediction.float(), target.detach().float(), dim=1).mean()
