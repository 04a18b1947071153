import math

import pytest
import torch
from segclf_plugins.pseudo_labelers.inter_pixel import (
    affinity_loss,
    displacement_loss,
    half_disc,
    path_affinity,
    pixel_pairs,
    straight_path,
)

EPSILON = 1e-5


@pytest.mark.parametrize(("radius", "n_pairs"), [(3, 12), (5, 34), (10, 152)])
def test_pairs_in_the_half_disc(radius, n_pairs):
    offsets = half_disc(radius)
    assert len(set(offsets)) == n_pairs
    assert all(dy * dy + dx * dx < radius**2 for dy, dx in offsets)
    assert not {(-dy, -dx) for dy, dx in offsets} & set(offsets)


@pytest.mark.parametrize("offset", half_disc(6))
def test_paths_are_straight_and_reach_both_ends(offset):
    path = straight_path(offset)
    assert {(0, 0), offset} <= set(path)
    assert len(path) >= max(offset[0], abs(offset[1])) + 1
    mirrored = straight_path((offset[0], -offset[1]))
    assert {(y, -x) for y, x in path} == set(mirrored)


def test_affinity_is_1_minus_the_strongest_edge_on_the_path():
    edge = torch.rand(2, 6, 7, generator=torch.Generator().manual_seed(0))
    offsets = half_disc(4)
    affinity = path_affinity(edge, offsets)
    for n, p, y, x in torch.cartesian_prod(*map(torch.arange, affinity.shape)).tolist():
        dy, dx = offsets[p]
        inside = y + dy < 6 and 0 <= x + dx < 7
        path = straight_path(offsets[p])
        expected = 1 - max(edge[n, y + i, x + j] for i, j in path) if inside else 0
        assert affinity[n, p, y, x] == expected


def test_gradient_of_affinity_reaches_the_strongest_edge_alone():
    edge = torch.tensor([[[0.2, 0.7, 0.1, 0.5]]], requires_grad=True)
    path_affinity(edge, [(0, 3)])[0, 0, 0, 0].backward()
    assert edge.grad.tolist() == [[[0, -1, 0, 0]]]


def test_affinity_loss_by_hand():
    # Pixels a a | b 0 0 -1, paired with their right neighbors.
    mask = torch.tensor([[[1, 1, 2, 0, 0, -1]]])
    edge = torch.tensor([[[0.1, 0.2, 0.6, 0.9, 0.3, 0.8]]], dtype=torch.float64)
    offsets = [(0, 1)]
    loss = affinity_loss(path_affinity(edge, offsets), pixel_pairs(mask, offsets))
    foreground, background = -math.log(0.8 + EPSILON), -math.log(0.1 + EPSILON)
    different = -(math.log(1 + EPSILON - 0.4) + math.log(1 + EPSILON - 0.1)) / 2
    expected = ((foreground + background) / 2 + different) / 2
    assert loss.item() == pytest.approx(expected, rel=1e-12)


def test_displacement_loss_by_hand():
    mask = torch.tensor([[[1, 1, 0, 0]]])
    displacement = torch.zeros(1, 2, 1, 4, dtype=torch.float64)
    displacement[0, 1, 0] = torch.tensor([0.75, 0.25, 9.0, 5.0])
    offsets = [(0, 1)]
    loss = displacement_loss(displacement, pixel_pairs(mask, offsets), offsets)
    # Foreground: .75 - .25 should be 1; background: 9 - 5 should be 0; both over two axes.
    assert loss.item() == pytest.approx((0.5 / 2 + 4 / 2) / 2)


def test_pointing_at_the_center_is_best_and_away_from_it_worse_than_nothing():
    rows, columns = torch.meshgrid(torch.arange(5.0), torch.arange(6.0), indexing="ij")
    to_center = torch.stack([2 - rows, 2.5 - columns])[None]
    offsets = half_disc(4)
    pairs = pixel_pairs(torch.ones(1, 5, 6, dtype=torch.long), offsets)
    best, shifted, none, away = (
        displacement_loss(field, pairs, offsets)
        for field in (to_center, to_center + 7, 0 * to_center, -to_center)
    )
    assert best == 0
    torch.testing.assert_close(shifted, best)
    assert away == pytest.approx(2 * none.item())
    assert none > 0


def test_nobody_said_trains_nothing():
    edge = torch.rand(1, 5, 5, requires_grad=True)
    displacement = torch.rand(1, 2, 5, 5, requires_grad=True)
    offsets = half_disc(3)
    pairs = pixel_pairs(torch.full((1, 5, 5), -1), offsets)
    loss = affinity_loss(path_affinity(edge, offsets), pairs)
    loss = loss + displacement_loss(displacement, pairs, offsets)
    loss.backward()
    assert loss == 0
    assert not edge.grad.any()
    assert not displacement.grad.any()


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_sure_edges_have_finite_losses_and_gradients(value):
    mask = torch.tensor([[[1, 1, 0, 0]]])
    edge = torch.full((1, 1, 4), value, requires_grad=True)
    offsets = half_disc(3)
    loss = affinity_loss(path_affinity(edge, offsets), pixel_pairs(mask, offsets))
    loss.backward()
    assert loss.isfinite()
    assert edge.grad.isfinite().all()
    assert edge.grad.any()


def test_half_precision_is_computed_in_float32():
    mask = torch.tensor([[[1, 1, 0, 0]]])
    offsets = half_disc(3)
    pairs = pixel_pairs(mask, offsets)
    affinity = path_affinity(torch.rand(1, 1, 4), offsets).bfloat16()
    assert affinity_loss(affinity, pairs) == affinity_loss(affinity.float(), pairs)
    displacement = torch.rand(1, 2, 1, 4).bfloat16()
    loss = displacement_loss(displacement, pairs, offsets)
    assert loss.dtype == torch.float32
