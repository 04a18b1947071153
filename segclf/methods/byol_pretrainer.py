"""BYOL: predict a momentum target's projection of another view of the image.

Two views pass through the network and through its target, a copy that follows as a moving average.
A predictor on the network's side learns to give the target's projection of the other view. There
are no negative pairs. Grill et al., "Bootstrap your own latent: a new approach to self-supervised
learning", NeurIPS 2020.
"""

from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from segclf.base import EncoderPretrainer
from segclf.data import Augmentation, Samples, simclr_view, views
from segclf.networks import (
    ImageNetwork,
    follow,
    momentum_copy,
    projection_head,
    rising_momentum,
)
from segclf.objectives import Batch, JointEmbedding, Objective, Progress


class BYOLPretrainer(EncoderPretrainer):
    """Pretrain an encoder by BYOL.

    Parameters
    ----------
    encoder : str or None
        A name as in `ImageClassifier`; convolutional or a transformer. None means the encoder of
        the estimator that uses this pretrainer, or "resnet50" without one (section 3.3).
    hidden_size : int
        Length of the hidden layer of the projector and of the predictor; 4096 in section 3.3.
    projection_size : int
        Length of the output of both; 256 there.
    momentum : float
        Initial momentum of the target, from which it rises to 1 along half a cosine; .996 there,
        and .99 for the 300 epochs of the paper's ablations.

    Notes
    -----
    The paper trains with LARS, which suits its batches of 4096: a learning rate of .2 per 256
    images, a weight decay of 1.5e-6 on all but biases and normalizations, and 1000 epochs, of which
    10 warm up and the rest follow a cosine. Batches here have 64 images. The optimizer is SGD with
    a momentum of .9 and the settings of SimSiam, which is this method without the target: a
    learning rate of .05 per 256 images, a weight decay of 1e-4, and 100 epochs, of which 10 warm
    up. For LARS, pass a function that makes it as `optimizer`.

    The two views are the paper's (appendix B): the first is always blurred, the second rarely, and
    only the second is solarized. Blur widths are for images of 224 x 224 and scale with the image
    size.

    See Also
    --------
    SimSiamPretrainer : The same without a target network.

    Examples
    --------
    >>> from segclf import BYOLPretrainer
    >>> from segclf.datasets import make_shapes
    >>> shapes = make_shapes(8, image_size=32, n_objects=3, random_state=0)
    >>> pretrainer = BYOLPretrainer(encoder="tiny", hidden_size=64, max_epochs=1, random_state=0)
    >>> pretrainer.fit_transform(shapes.images).shape
    (8, 64)
    """

    hidden_size: int = 4096
    projection_size: int = 256
    momentum: float = 0.996
    max_epochs: int = 100
    batch_size: int = 64
    learning_rate: float = 0.0125
    weight_decay: float = 1e-4
    optimizer: Any = "sgd"
    schedule: Any = "warm_up_cosine"

    _fewest_images: ClassVar[int] = 2
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "hidden_size": [Interval(Integral, 1, None, closed="left")],
        "projection_size": [Interval(Integral, 1, None, closed="left")],
        "momentum": [Interval(Real, 0, 1, closed="both")],
    }

    def _make_views(self) -> tuple[Augmentation, ...]:
        view = replace(simclr_view(), saturation=0.2, blur_probability=1.0)
        return view, replace(view, blur_probability=0.1, solarize=0.2)

    def _make_objective(self, samples: Samples) -> Objective:
        network = self._make_encoder(samples)
        return BYOL(
            network,
            hidden_size=self.hidden_size,
            projection_size=self.projection_size,
            momentum=self.momentum,
        )


class BYOL(JointEmbedding):
    """Squared distance of prediction and target on the unit sphere, summed over both directions.

    Parameters
    ----------
    network : ImageNetwork
        From images to embeddings.
    hidden_size, projection_size : int
        Lengths of the hidden layer and of the output of the projector and the predictor.
    momentum : float
        Initial momentum of the target.
    """

    def __init__(
        self, network: ImageNetwork, *, hidden_size: int, projection_size: int, momentum: float
    ) -> None:
        super().__init__()
        self.network = network
        self.projector = projection_head((network.n_features, hidden_size, projection_size))
        self.predictor = projection_head((projection_size, hidden_size, projection_size))
        self.target = momentum_copy(nn.Sequential(network, self.projector))
        self.momentum = momentum

    def forward(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return the term "distance", in [0, 8]."""
        view_1, view_2 = views(batch)
        z1, z2 = (self.projector(self.network(view)) for view in (view_1, view_2))
        with torch.no_grad():
            target_1, target_2 = self.target(view_1), self.target(view_2)
        self.watch(z1)
        return {
            "distance": squared_distance(self.predictor(z1), target_2)
            + squared_distance(self.predictor(z2), target_1)
        }

    def after_update(self, progress: Progress) -> None:
        """Move the target towards the network."""
        momentum = rising_momentum(self.momentum, progress.fraction)
        follow(self.target, nn.Sequential(self.network, self.projector), momentum)


def squared_distance(prediction: Tensor, target: Tensor) -> Tensor:
    """Average the squared distance of rows (n, d) scaled to length 1: 2 - 2 cos (equation 2)."""
    return 2 - 2 * cosine_similarity(prediction.float(), target.float(), dim=1).mean()
