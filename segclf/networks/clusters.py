"""Clusters of directions: mini-batch k-means on the unit sphere.

Vectors of length 1 in the same direction belong together, so the nearest centroid by distance also
has the largest dot product. Dhillon and Modha, "Concept decompositions for large sparse text data
using clustering", Machine Learning 2001; Sculley, "Web-scale k-means clustering", WWW 2010.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import islice

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, one_hot

N_FIRST_BATCHES = 20
N_ITERATIONS = 20
# The best of several starts is used, since k-means ends near its start.
N_STARTS = 5
N_ITERATIONS_OF_A_START = 5
# Points of a batch, and of a start; all pixels of twenty batches would take gigabytes.
MOST_POINTS = 2**13


class Clusters(nn.Module):
    """Centroids of length 1, as buffers: only k-means moves them.

    Parameters
    ----------
    n_clusters : int
        Number of clusters, k.
    feature_size : int
        Length of the vectors, d.

    Attributes
    ----------
    centroids : Tensor of shape (k, d)
        Random until learned.
    counts : Tensor of shape (k,)
        Sum of the weights of the points assigned to each cluster in training.

    Examples
    --------
    >>> clusters = Clusters(2, 2)
    >>> points = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> clusters.start(points, torch.ones(3))
    >>> clusters.counts.sort().values
    tensor([1., 2.])
    """

    centroids: Tensor
    counts: Tensor
    sums: Tensor

    def __init__(self, n_clusters: int, feature_size: int) -> None:
        super().__init__()
        self.register_buffer("centroids", normalize(torch.randn(n_clusters, feature_size)))
        self.register_buffer("counts", torch.zeros(n_clusters))
        self.register_buffer("sums", torch.zeros(n_clusters, feature_size), persistent=False)

    def scores(self, features: Tensor) -> Tensor:
        """Return the cosine between features (n, d, h, w) and each centroid, (n, k, h, w)."""
        # In half precision, many centroids could not be told apart.
        with torch.autocast(features.device.type, enabled=False):
            unit = normalize(features.float(), dim=1)
            return torch.einsum("kd,ndhw->nkhw", self.centroids, unit)

    @torch.no_grad()
    def start(self, points: Tensor, weight: Tensor) -> None:
        """Replace the clusters by new ones from k-means++ and Lloyd's iterations.

        Five starts make five iterations each, on at most 8192 points. The one whose points are
        nearest to their centroids continues with all points.

        Parameters
        ----------
        points : Tensor of shape (m, d)
            Points of length 1; at least one.
        weight : Tensor of shape (m,)
            Weight of each point.
        """
        some, their_weight = _at_most(MOST_POINTS, points, weight)
        starts = []
        for _ in range(N_STARTS):
            self.centroids = _seeds(some, their_weight, len(self.centroids))
            self._iterate(some, their_weight, N_ITERATIONS_OF_A_START)
            nearness = their_weight @ (some @ self.centroids.T).amax(dim=1)
            starts.append((float(nearness), self.centroids))
        _, self.centroids = max(starts, key=lambda start: start[0])
        self._iterate(points, weight, N_ITERATIONS)

    @torch.no_grad()
    def update(self, points: Tensor, weight: Tensor) -> None:
        """Add points: each centroid is the mean direction of all its points so far."""
        shares = one_hot((points @ self.centroids.T).argmax(dim=1), len(self.centroids))
        shares = shares.to(points.dtype) * weight[:, None]
        self.sums += shares.T @ points
        self.counts += shares.sum(dim=0)
        alive = (self.counts > 0)[:, None]
        self.centroids = torch.where(alive, normalize(self.sums), self.centroids)

    def _iterate(self, points: Tensor, weight: Tensor, n_iterations: int) -> None:
        """Alternate between assigning points to centroids and moving the centroids."""
        for _ in range(n_iterations):
            self.sums.zero_()
            self.counts.zero_()
            self.update(points, weight)
            self._revive(points, weight)

    def _revive(self, points: Tensor, weight: Tensor) -> None:
        """Move empty clusters to the point farthest from its centroid."""
        nearness = (points @ self.centroids.T).amax(dim=1).masked_fill(weight == 0, torch.inf)
        # All move to the same point; one of them gets it, and the next iteration moves the others.
        dead = (self.counts == 0)[:, None]
        self.centroids = torch.where(dead, points[nearness.argmin()], self.centroids)


@torch.no_grad()
def learn_clusters(
    clusters: Sequence[Clusters], batches: Iterable[tuple[Sequence[Tensor], Tensor | None]]
) -> None:
    """Learn clusters anew from batches of feature maps, in one pass over them.

    The first twenty batches together determine the clusters; each later one updates them. At most
    8192 random points of each batch are used.

    Parameters
    ----------
    clusters : sequence of Clusters
        Each learns from its own features, such as those of one view.
    batches : iterable of (features, weight)
        One tensor (n, d, h, w) for each of `clusters`, and the weights (n,) of images or None.

    Examples
    --------
    >>> import torch
    >>> from segclf.networks import cluster_network, learn_clusters
    >>> network = cluster_network(encoder="tiny", n_classes=2, n_clusters=2, in_channels=3)
    >>> features = torch.randn(2, network.clusters.centroids.shape[1], 4, 4)
    >>> learn_clusters([network.clusters], [([features], None)])
    >>> int(network.clusters.counts.sum())
    32
    """
    stream = ([_points(each, weight) for each in features] for features, weight in batches)
    first = list(islice(stream, N_FIRST_BATCHES))
    for each, parts in zip(clusters, zip(*first, strict=True), strict=True):
        points, weights = zip(*parts, strict=True)
        each.start(torch.cat(points), torch.cat(weights))
    for batch in stream:
        for each, (some, weight) in zip(clusters, batch, strict=True):
            each.update(some, weight)


def _points(features: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the vectors (m, d) of feature maps, scaled to length 1, and their weights (m,)."""
    points = normalize(features.float(), dim=1).movedim(1, -1).flatten(0, 2)
    weights = points.new_ones(len(features)) if weight is None else weight
    weights = weights.repeat_interleave(len(points) // len(features))
    return _at_most(MOST_POINTS, points, weights)


def _at_most(n: int, points: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Choose n points at random if there are more."""
    if len(points) <= n:
        return points, weight
    chosen = torch.randperm(len(points), device=points.device)[:n]
    return points[chosen], weight[chosen]


def _seeds(points: Tensor, weight: Tensor, n_clusters: int) -> Tensor:
    """Choose points far from each other: k-means++ (Arthur and Vassilvitskii, SODA 2007).

    For each seed, the best of several candidates is taken: the greedy variant of their section 4,
    with the same number of candidates as in scikit-learn.
    """
    n_candidates = 2 + int(math.log(n_clusters))
    tiny = 1e-12  # if all points are equal, or all weights 0, any point will do
    chance = weight + tiny
    seeds = points[torch.multinomial(chance, 1)]
    distance = (1 - points @ seeds[0]).clamp(min=0)
    for _ in range(n_clusters - 1):
        candidates = points[
            torch.multinomial((distance + tiny) * chance, n_candidates, replacement=True)
        ]
        left = torch.minimum(distance[:, None], (1 - points @ candidates.T).clamp(min=0))
        best = (chance @ left).argmin()
        seeds = torch.cat([seeds, candidates[best][None]])
        distance = left[:, best]
    return seeds
