"""A network that describes every pixel by a vector and classifies it by the nearest centroid."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segclf.distributed import in_shares
from segclf.networks.clusters import Clusters
from segclf.networks.encoders import make_encoder, make_vit_encoder, pooled, smallest_side
from segclf.networks.image_network import ImageNetwork
from segclf.networks.options import resolve_depth

# Stages of every encoder except the tiny one.
N_STAGES = 5
# The score of a class without a cluster; cosines are -1 at least.
NO_CLUSTER = -30.0


class ClusterNetwork(ImageNetwork):
    """Encoder, feature pyramid and clusters, for images of any size.

    Made by :func:`segclf.networks.cluster_network`.

    Parameters
    ----------
    key : str
        Key of the encoder, from :func:`segclf.networks.encoders.encoder_key`.
    recipe : dict
        See :class:`ImageNetwork`.

    Attributes
    ----------
    clusters : Clusters
        The clusters that pixels are assigned to.
    members : Tensor of shape (n_classes, n_clusters), bool
        Which clusters belong to which class; cluster i to class i unless set otherwise.
    """

    members: Tensor

    def __init__(self, key: str, recipe: dict[str, Any]) -> None:
        encoder, channels = _encoder(key, recipe["in_channels"])
        stride = int(encoder.output_stride)
        super().__init__(recipe, stride=stride, smallest=max(stride, smallest_side(key)))
        self.encoder = encoder
        self.decoder = FeaturePyramid(channels, recipe["feature_size"])
        self.clusters = Clusters(recipe["n_clusters"], recipe["feature_size"])
        self.n_features = int(encoder.out_channels[-1])
        members = torch.eye(recipe["n_classes"], recipe["n_clusters"], dtype=torch.bool)
        self.register_buffer("members", members)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits ``(n, k, h, w)`` for images ``(n, c, h, w)``, at the images' own size."""
        scores, multilabel = self.cluster_scores(image), self.recipe["multilabel"]
        return class_scores(scores, self.members, multilabel=multilabel)

    def cluster_scores(self, image: Tensor) -> Tensor:
        """Return the cosines with the centroids, (n, n_clusters, h, w), at the images' own size."""
        padded = self.prepare(image).shape[-2:]
        scores = F.interpolate(self.clusters.scores(self.describe(image)), padded, mode="bilinear")
        return scores[..., : image.shape[-2], : image.shape[-1]]

    def describe(self, image: Tensor) -> Tensor:
        """Return the vectors of pixels (n, d, h / 4, w / 4), not scaled, padding included."""
        return in_shares(lambda image: self.decoder(self.features(image)), image)

    def features(self, image: Tensor) -> list[Tensor]:
        """Return the encoder's maps for images ``(n, c, h, w)``, finest first, padding included."""
        return list(self.encode(self.prepare(image)))

    def embed(self, image: Tensor) -> Tensor:
        """Return the deepest map's mean, ``(n, d)``, for images ``(n, c, h, w)``."""
        return pooled(self.encoder, self.features(image))


class FeaturePyramid(nn.Module):
    """A plain feature pyramid: 1 x 1 convolutions, resized to one size and added.

    Lin et al., "Feature pyramid networks for object detection", CVPR 2017, section 3.

    Parameters
    ----------
    in_channels : sequence of int
        Channels of the maps, the finest first.
    feature_size : int
        Channels of the result.

    Examples
    --------
    >>> maps = [torch.zeros(2, 8, 16, 16), torch.zeros(2, 32, 4, 4)]
    >>> FeaturePyramid([8, 32], 128)(maps).shape
    torch.Size([2, 128, 16, 16])
    """

    def __init__(self, in_channels: Sequence[int], feature_size: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(each, feature_size, 1) for each in in_channels)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Return the map ``(n, d, h, w)``, at the size of the finest map used.

        If there are more maps than `in_channels`, the finest are left out.
        """
        sides = [
            lateral(each)
            for lateral, each in zip(self.laterals, maps[-len(self.laterals) :], strict=True)
        ]
        result: Tensor = sides.pop()
        while sides:
            finer = sides.pop()
            result = finer + F.interpolate(result, finer.shape[-2:], mode="bilinear")
        return result


def class_scores(scores: Tensor, members: Tensor, *, multilabel: bool) -> Tensor:
    """Return each class's best cluster score, so that the best class has the best cluster.

    A sum over the clusters would not do that: twenty bad ones would outweigh a good one.

    Parameters
    ----------
    scores : Tensor of shape (n, n_clusters, h, w)
        Scores of clusters.
    members : Tensor of shape (n_classes, n_clusters), bool
        Which clusters belong to which class.
    multilabel : bool
        Whether classes are independent. Then the score is the lead over the best cluster of other
        classes, above 0 if the best of all belongs to the class.

    Returns
    -------
    Tensor of shape (n, n_classes, h, w)

    Examples
    --------
    >>> scores = torch.tensor([0.9, 0.8, 1.0]).reshape(1, 3, 1, 1)
    >>> members = torch.tensor([[True, True, False], [False, False, True]])
    >>> class_scores(scores, members, multilabel=False).flatten()
    tensor([0.9000, 1.0000])
    """
    own = _best(scores, members)
    return own - _best(scores, ~members) if multilabel else own


def _encoder(key: str, in_channels: int) -> tuple[Any, list[int]]:
    """Return an encoder, and the channels of its maps of stride 4 and coarser."""
    try:
        encoder: Any = make_vit_encoder(key, in_channels=in_channels)
    except ValueError:
        depth = resolve_depth(key, None) or N_STAGES
        encoder = make_encoder(key, in_channels=in_channels, depth=depth)
        return encoder, list(encoder.out_channels[2:])
    return encoder, list(encoder.out_channels[1:])


def _best(scores: Tensor, members: Tensor) -> Tensor:
    """Return for each class the best of the scores (n, clusters, h, w) of its clusters."""
    others = ~members[:, :, None, None]
    return torch.stack([scores.masked_fill(o, NO_CLUSTER).amax(dim=1) for o in others], dim=1)
