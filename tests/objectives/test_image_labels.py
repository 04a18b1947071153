import math

import pytest
import torch
from torch.nn import functional

from segclf.objectives import image_label_loss, pooled_scores


def test_one_pixel_is_pooled_as_itself():
    logits = torch.randn(3, 2, 1, 1)
    assert torch.allclose(pooled_scores(logits, exclusive=False), logits[..., 0, 0], atol=1e-6)


def test_pooling_lies_between_mean_and_maximum():
    logits = torch.randn(4, 3, 8, 8)
    pooled = pooled_scores(logits, exclusive=False)
    assert (pooled <= logits.amax((2, 3))).all()
    assert (pooled >= logits.mean((2, 3))).all()


def test_exclusive_classes_pool_their_margin_over_the_background():
    logits = torch.randn(2, 3, 4, 4)
    shifted = logits + torch.randn(2, 1, 4, 4)
    assert torch.allclose(
        pooled_scores(logits, exclusive=True), pooled_scores(shifted, exclusive=True), atol=1e-5
    )
    assert (pooled_scores(logits, exclusive=True)[:, 0] == 0).all()


def test_constant_maps_give_cross_entropy():
    scores = torch.randn(5, 3)
    logits = scores[:, :, None, None].expand(-1, -1, 4, 4)
    labels = torch.tensor([0, 1, 2, -1, 1])
    expected = functional.cross_entropy(scores, labels, ignore_index=-1)
    assert image_label_loss(logits, labels).item() == pytest.approx(expected.item(), rel=1e-5)


def test_unknown_labels_cost_nothing_and_have_no_gradient():
    logits = torch.randn(2, 2, 3, 3, requires_grad=True)
    loss = image_label_loss(logits, torch.tensor([-1, -1]))
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()


def test_weights_weigh_and_zero_leaves_out():
    logits, labels = torch.randn(3, 2, 3, 3), torch.tensor([0, 1, 1])
    without = image_label_loss(logits[:2], labels[:2])
    weighted = image_label_loss(logits, labels, sample_weight=torch.tensor([2.0, 2.0, 0.0]))
    assert weighted.item() == pytest.approx(without.item(), rel=1e-6)


def test_multilabel_is_binary_cross_entropy_of_each_label():
    labels = torch.tensor([[1, -1], [0, 1]])
    assert image_label_loss(torch.zeros(2, 2, 2, 2), labels).item() == pytest.approx(
        (math.log(2) + 2 * math.log(2)) / 2
    )
