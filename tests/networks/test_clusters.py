import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import pairwise_distances_argmin
from torch.nn.functional import normalize

from segclf.networks import Clusters, learn_clusters
from segclf.networks import clusters as clusters_module


def unit(n_points, n_features=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(n_points, n_features, generator=generator))


def around(*directions, n_points=20, noise=0.05):
    """Points near each of the directions, group after group."""
    centers = torch.tensor(directions).repeat_interleave(n_points, dim=0)
    return normalize(centers + noise * unit(len(centers), centers.shape[1]))


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def test_the_nearest_centroid_has_the_highest_score():
    clusters, features = Clusters(7, 4), unit(60).reshape(3, 4, 5, 4).permute(0, 3, 1, 2)
    nearest = clusters.scores(3 * features).argmax(dim=1)
    points = features.permute(0, 2, 3, 1).reshape(-1, 4)
    expected = pairwise_distances_argmin(points.numpy(), clusters.centroids.numpy())
    np.testing.assert_array_equal(nearest.flatten().numpy(), expected)
    products = points @ clusters.centroids.T
    np.testing.assert_array_equal(products.argmax(dim=1).numpy(), expected)
    torch.testing.assert_close(
        clusters.scores(3 * features).movedim(1, -1).reshape(-1, 7), products
    )


def test_two_clusters_in_closed_form():
    points, weight = around([1.0, 0, 0], [0, 1.0, 0]), torch.linspace(1, 2, 40)
    clusters = Clusters(2, 3)
    clusters.start(points, weight)
    first, second = clusters.centroids[clusters.scores(points[[0], :, None, None]).argmax(1)], None
    second = clusters.centroids[clusters.scores(points[[-1], :, None, None]).argmax(1)]
    parts = (points * weight[:, None]).split(20)
    torch.testing.assert_close(first[0, 0, 0], normalize(parts[0].sum(0), dim=0))
    torch.testing.assert_close(second[0, 0, 0], normalize(parts[1].sum(0), dim=0))
    expected = torch.stack([part.sum() for part in weight.split(20)])
    torch.testing.assert_close(clusters.counts.sort().values, expected)


def test_batch_after_batch_is_the_mean_direction_of_all():
    points = around([1.0, 0, 0], [0, 1.0, 0])
    order = torch.randperm(40)
    clusters = Clusters(2, 3)
    clusters.start(points[order[:20]], torch.ones(20))
    for part in order[20:].split(5):
        clusters.update(points[part], torch.ones(5))
    expected = torch.stack([normalize(part.sum(0), dim=0) for part in points.split(20)])
    at_first = clusters.centroids[clusters.centroids[:, 0].argsort(descending=True)]
    torch.testing.assert_close(at_first, expected)
    assert clusters.counts.tolist() == [20, 20]


def groups_of_all_sizes(seed):
    generator = np.random.default_rng(seed)
    centers = generator.normal(size=(6, 8)).repeat([600, 300, 150, 50, 30, 20], axis=0)
    return normalize(torch.from_numpy(centers + 0.3 * generator.normal(size=centers.shape)))


def inertia(points, centroids):
    """As scikit-learn has it: of the means, not of the directions."""
    nearest = (points @ centroids.T).argmax(dim=1)
    groups = [points[nearest == k] for k in range(len(centroids))]
    return sum(float((g - g.mean(0)).square().sum()) for g in groups if len(g))


@pytest.mark.parametrize("n_clusters", [3, 8])
def test_inertia_is_that_of_scikit_learns_best_start(n_clusters):
    """One start of k-means++ alone ended more than 5 % above it in 3 and 7 of 24 runs."""
    points = groups_of_all_sizes(0)
    best = KMeans(n_clusters, n_init=30, random_state=0).fit(points.numpy()).inertia_
    ends = []
    for seed in range(12):
        torch.manual_seed(seed)
        clusters = Clusters(n_clusters, 8).double()
        clusters.start(points, torch.ones(len(points), dtype=points.dtype))
        ends.append(inertia(points, clusters.centroids) / best)
    assert max(ends) < 1.05
    assert np.median(ends) < 1.02


def test_seeds_are_the_best_of_several_candidates(monkeypatch):
    """The one that leaves the least distance, whichever was drawn first."""
    points = around([1.0, 0, 0], [0, 1.0, 0], n_points=30, noise=0.0)
    points = torch.cat([points, torch.tensor([[0, 0, 1.0]])])
    draws = iter([torch.tensor([0]), torch.tensor([60, 30])])
    monkeypatch.setattr(torch, "multinomial", lambda *args, **kwargs: next(draws))
    seeds = clusters_module._seeds(points, torch.ones(61), 2)
    torch.testing.assert_close(seeds, points[[0, 30]])


def test_starts_see_some_points_and_the_end_sees_all(monkeypatch):
    monkeypatch.setattr(clusters_module, "MOST_POINTS", 16)
    clusters = Clusters(2, 3)
    clusters.start(around([1.0, 0, 0], [0, 1.0, 0]), torch.ones(40))
    assert clusters.counts.tolist() == [20, 20]


def test_clusters_without_points_are_moved(monkeypatch):
    """Where all seeds are in one group, the others still get theirs."""
    points = around([1.0, 0, 0], [0.6, 0.8, 0], [-1.0, 0, 0], [0, 0, -1.0])
    monkeypatch.setattr(
        clusters_module, "_seeds", lambda points, weight, k: points[:1].repeat(k, 1)
    )
    clusters = Clusters(4, 3)
    clusters.start(points, torch.ones(80))
    assert clusters.counts.tolist() == [20, 20, 20, 20]
    clusters = Clusters(2, 3)
    clusters.start(points, torch.ones(80).index_fill(0, torch.arange(40, 80), 0.0))
    assert clusters.counts.tolist() == [20, 20]


@pytest.mark.parametrize("n_points", [1, 3])
def test_fewer_points_than_clusters(n_points):
    clusters = Clusters(5, 4)
    clusters.start(unit(n_points), torch.ones(n_points))
    assert clusters.counts.sum() == n_points
    assert (clusters.counts > 0).sum() == n_points
    clusters.update(unit(1), torch.ones(1))
    torch.testing.assert_close(clusters.centroids.norm(dim=1), torch.ones(5))


@pytest.mark.parametrize("point", [[0.0, 0.0], [0.6, 0.8]])
def test_points_that_are_all_one(point):
    clusters = Clusters(3, 2)
    clusters.start(torch.tensor([point] * 10), torch.ones(10))
    assert clusters.counts.sum() == 10
    assert torch.isfinite(clusters.centroids).all()


def test_points_of_no_weight_do_not_count():
    points = around([1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0])
    clusters = Clusters(2, 3)
    clusters.start(points, torch.ones(60).index_fill(0, torch.arange(40, 60), 0.0))
    assert clusters.counts.tolist() == [20, 20]
    assert clusters.centroids[:, 2].abs().max() < 0.1
    clusters.start(points, torch.zeros(60))
    assert torch.isfinite(clusters.centroids).all()


def test_each_learns_of_its_own_features_in_one_walk(monkeypatch):
    monkeypatch.setattr(clusters_module, "N_FIRST_BATCHES", 2)
    monkeypatch.setattr(clusters_module, "MOST_POINTS", 10)
    first, second = (around(d, n_points=64)[None] for d in ([1.0, 0], [0, 1.0]))
    maps = [each.reshape(4, 4, 4, 2).permute(0, 3, 1, 2) for each in (first, second)]
    both = [Clusters(1, 2), Clusters(1, 2)]
    learn_clusters(both, ((maps, weight) for weight in (None, torch.full((4,), 2.0), None)))
    assert [each.counts.tolist() for each in both] == [[40], [40]]
    torch.testing.assert_close(both[0].centroids, torch.tensor([[1.0, 0]]), atol=0.05, rtol=0)
    torch.testing.assert_close(both[1].centroids, torch.tensor([[0, 1.0]]), atol=0.05, rtol=0)


def test_centroids_are_no_parameters():
    clusters = Clusters(3, 4)
    features = unit(16).reshape(1, 4, 4, 4).requires_grad_()
    clusters.scores(features).square().sum().backward()
    assert features.grad.abs().sum() > 0
    assert list(clusters.parameters()) == []
    assert not clusters.centroids.requires_grad
