"""MoCo: recognize an image by another view of it, among views of many other images.

The query is one view passed through the network; its key is another view passed through a copy that
follows as a moving average. The negatives are the keys of earlier batches, kept in a queue, so that
their number does not depend on the batch size. He et al., "Momentum contrast for unsupervised
visual representation learning", CVPR 2020 (v1); Chen et al., "Improved baselines with momentum
contrastive learning", arXiv 2003.04297 (v2).
"""

from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from segclf.base import EncoderPretrainer
from segclf.data import Augmentation, Samples, simclr_view, views
from segclf.networks import (
    ImageNetwork,
    follow,
    momentum_copy,
    projection_head,
)
from segclf.objectives import Batch, JointEmbedding, Objective, Progress

NOBODY = -1  # image index of the random keys in the initial queue


class MoCoPretrainer(EncoderPretrainer):
    """Pretrain an encoder by momentum contrast, version 2.

    Parameters
    ----------
    encoder : str or None
        A name as in `ImageClassifier`; convolutional or a transformer. None means the encoder of
        the estimator that uses this pretrainer, or "resnet50" without one.
    head : {"mlp", "linear"}
        "mlp" has one hidden layer with ReLU, as long as the embedding (v2, section 3); "linear" is
        v1's.
    projection_size : int
        Length of queries and keys, 128 (v1, section 3.3).
    temperature : float
        Temperature by which similarities are divided: .2 in v2 (section 3), .07 in v1.
    momentum : float
        Momentum of the key encoder, .999 (v1, section 3.2).
    queue_size : int
        Number of keys kept, 65536 (v1, Figure 3), but at most one for each image. An older key of
        the query's own image is not a negative.
    n_groups : int
        Number of groups of a batch that batch normalization treats separately, each with at least
        two images: 8 in the public code for one device (its notebook on CIFAR), as on 8 devices. 1
        means the whole batch. Encoders without batch normalization need no groups.

    Notes
    -----
    The paper trains by SGD with a momentum of .9, a weight decay of 1e-4 and a learning rate of .03
    per 256 images, along a cosine, over 200 epochs. Those are the defaults here, scaled to batches
    of 64. If a query and its key were normalized in the same group, their common statistics would
    give the pair away (v1, section 3.3). So keys are shuffled between the groups of the batch.

    On 1,024 small images and in 256 steps, a momentum of .984 (which is to a queue of 16 batches
    what .999 is to the paper's 256) learned as well as .999, and a thirteen times higher learning
    rate learned less. The loss says little about it, since it cannot fall far if many negatives
    resemble the query.

    The queue starts with the keys of the last images of the first epoch, so that all epochs compare
    with the same number of images. In the paper's code it starts with random directions, which are
    easy to tell from images: on a small data set, the loss would be lowest in the first epoch.

    v1 is ``head="linear", temperature=0.07``, an `augmentation` without blur, and a `schedule` that
    divides by 10 after .6 and .8 of training, such as ``lambda t: 0.1 ** ((t >= .6) + (t >= .8))``.

    MoCo-CXR (Sowrirajan et al., "MoCo pretraining improves representation and transferability of
    chest X-ray models", MIDL 2021), which CheXseg starts from, is v2 on chest X-rays with
    ``augmentation=Augmentation(horizontal_flip=0.5, rotation=10)``, since crops and blur may remove
    what a finding depends on. Its encoders are "resnet18" and "densenet121", which start from
    ImageNet weights.

    See Also
    --------
    BYOLPretrainer : A momentum teacher without negatives.

    Examples
    --------
    >>> from segclf import MoCoPretrainer
    >>> from segclf.datasets import make_shapes
    >>> shapes = make_shapes(8, image_size=32, n_objects=3, random_state=0)
    >>> pretrainer = MoCoPretrainer(encoder="tiny", max_epochs=1, random_state=0)
    >>> pretrainer.fit_transform(shapes.images).shape
    (8, 64)
    """

    head: str = "mlp"
    projection_size: int = 128
    temperature: float = 0.2
    momentum: float = 0.999
    queue_size: int = 65536
    n_groups: int = 8
    max_epochs: int = 200
    batch_size: int = 64
    learning_rate: float = 0.0075
    weight_decay: float = 1e-4
    optimizer: Any = "sgd"
    schedule: Any = "cosine"

    _fewest_images: ClassVar[int] = 2
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "head": [StrOptions({"linear", "mlp"})],
        "projection_size": [Interval(Integral, 1, None, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "queue_size": [Interval(Integral, 1, None, closed="left")],
        "n_groups": [Interval(Integral, 1, None, closed="left")],
    }

    def _make_views(self) -> tuple[Augmentation, ...]:
        return simclr_view(crop=(0.2, 1.0)), simclr_view(crop=(0.2, 1.0))

    def _make_objective(self, samples: Samples) -> Objective:
        network = self._make_encoder(samples)
        return MoCo(
            network,
            head=self.head,
            projection_size=self.projection_size,
            temperature=self.temperature,
            momentum=self.momentum,
            queue_size=min(self.queue_size, len(samples)),
            n_groups=self.n_groups,
        )


class MoCo(JointEmbedding):
    """Cross-entropy of finding a query's key among the keys of a queue.

    Parameters
    ----------
    network : ImageNetwork
        From images to embeddings.
    head : {"mlp", "linear"}
        From embeddings to queries, with or without a hidden layer.
    projection_size : int
        Length of queries and keys.
    temperature : float
        Temperature by which similarities are divided.
    momentum : float
        Momentum of the key encoder.
    queue_size : int
        Number of keys kept.
    n_groups : int
        Number of groups of a batch that are normalized separately.
    """

    queue: Tensor
    queue_index: Tensor
    pointer: Tensor

    def __init__(
        self,
        network: ImageNetwork,
        *,
        head: str,
        projection_size: int,
        temperature: float,
        momentum: float,
        queue_size: int,
        n_groups: int = 1,
    ) -> None:
        super().__init__()
        sizes = [network.n_features] * (2 if head == "mlp" else 1)
        self.network = network
        self.projector = projection_head([*sizes, projection_size], norm=False)
        self.key_encoder = momentum_copy(nn.Sequential(network, self.projector))
        self.temperature = temperature
        self.momentum = momentum
        queue = normalize(torch.randn(queue_size, projection_size), dim=1)
        self.register_buffer("queue", queue)
        self.register_buffer("queue_index", torch.full((queue_size,), NOBODY))
        self.n_groups = n_groups if has_batch_norm(self.key_encoder) else 1
        self.register_buffer("pointer", torch.zeros((), dtype=torch.int64))

    def before_epoch(self, batches: Iterable[Batch], progress: Progress) -> None:
        """Fill the queue once, with the keys of the last images of the first epoch."""
        if progress.epoch == 0:
            for batch in batches:
                keys = self._encode(views(batch)[1].to(self.queue.device))
                self._enqueue(keys, batch["index"])

    def forward(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return the term "contrast"; ln(1 + queue_size) for a query equally near to all keys."""
        query_view, key_view = views(batch)
        query = self._in_groups(nn.Sequential(self.network, self.projector), query_view)
        keys = self._encode(key_view)
        self.watch(query)
        # Held-out images are numbered separately, and none of them is in the queue.
        index = batch["index"] if self.training else torch.full_like(batch["index"], NOBODY - 1)
        # A copy, since the queue moves on before the gradients are computed.
        loss = info_nce(
            query,
            keys,
            self.queue.clone(),
            temperature=self.temperature,
            left_out=index[:, None] == self.queue_index,
        )
        if self.training:
            self._enqueue(keys, index)
        return {"contrast": loss}

    def after_update(self, progress: Progress) -> None:
        """Move the key encoder towards the query encoder."""
        follow(self.key_encoder, nn.Sequential(self.network, self.projector), self.momentum)

    @torch.no_grad()
    def _encode(self, view: Tensor) -> Tensor:
        """Return the keys of views, which are in other groups than their queries."""
        if self.n_groups == 1 or not self.training:
            return self._in_groups(self.key_encoder, view)
        order = torch.randperm(len(view), device=view.device)
        return self._in_groups(self.key_encoder, view[order])[order.argsort()]

    def _in_groups(self, encoder: nn.Module, view: Tensor) -> Tensor:
        n_groups = min(self.n_groups, len(view) // 2) if self.training else 1
        parts = view.tensor_split(max(1, n_groups))
        return normalize(torch.cat([encoder(part) for part in parts]).float(), dim=1)

    def _enqueue(self, keys: Tensor, index: Tensor) -> None:
        """Replace the oldest keys in the queue, and the indices of their images."""
        n_keys, size = len(keys), len(self.queue)
        places = (self.pointer + torch.arange(n_keys, device=self.pointer.device)) % size
        self.queue.index_copy_(0, places[-size:], keys[-size:])
        self.queue_index.index_copy_(0, places[-size:], index.to(places.device)[-size:])
        self.pointer.add_(n_keys).remainder_(size)


def has_batch_norm(module: nn.Module) -> bool:
    """Tell whether a network's result for an image depends on the others of its batch."""
    return any(isinstance(each, nn.modules.batchnorm._BatchNorm) for each in module.modules())


def info_nce(
    query: Tensor,
    key: Tensor,
    negatives: Tensor,
    *,
    temperature: float,
    left_out: Tensor | None = None,
) -> Tensor:
    """Average the cross-entropy of telling each query's key from the negatives.

    Parameters
    ----------
    query, key : Tensor of shape (n, d)
        Pairs, row by row; of length 1, float32.
    negatives : Tensor of shape (k, d)
        Vectors of length 1.
    temperature : float
        Temperature by which similarities are divided.
    left_out : Tensor of shape (n, k), bool, optional
        Which negatives to leave out for each query.

    Examples
    --------
    >>> same = torch.ones(2, 1)
    >>> round(info_nce(same, same, torch.ones(3, 1), temperature=0.2).exp().item(), 5)
    4.0
    """
    first = torch.zeros(len(query), dtype=torch.int64, device=query.device)
    with torch.autocast(query.device.type, enabled=False):  # else the product is in half precision
        positive = (query * key).sum(dim=1, keepdim=True)
        others = query @ negatives.T
        if left_out is not None:
            others = others.masked_fill(left_out, -torch.inf)
        logits = torch.cat([positive, others], dim=1)
        return cross_entropy(logits / temperature, first)
