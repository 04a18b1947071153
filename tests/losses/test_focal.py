import pytest
import torch
from torchvision.ops import sigmoid_focal_loss

from segclf.losses import cross_entropy, focal


def random_batch(k=3):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, k, 4, 5, generator=generator, dtype=torch.float64)
    return logits, torch.randint(2, logits.shape, generator=generator)


@pytest.mark.parametrize("alpha", [None, 0.25, 0.8])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_channels_equal_torchvision(alpha, gamma):
    logits, target = random_batch()
    expected = sigmoid_focal_loss(
        logits, target.double(), -1 if alpha is None else alpha, gamma, reduction="mean"
    )
    torch.testing.assert_close(focal(logits, target, alpha=alpha, gamma=gamma), expected)


def test_defaults_are_those_of_torchvision():
    logits, target = random_batch()
    expected = sigmoid_focal_loss(logits, target.double(), reduction="mean")
    torch.testing.assert_close(focal(logits, target), expected)


@pytest.mark.parametrize("alpha", [None, 0.25])
def test_two_classes_equal_one_channel(alpha):
    logits, target = random_batch(2)
    channel = focal(logits[:, 1:] - logits[:, :1], target[:, :1], alpha=alpha)
    torch.testing.assert_close(focal(logits, target[:, 0], alpha=alpha), channel)


def test_gamma_0_is_cross_entropy():
    logits, target = random_batch()
    ids = target.argmax(1)
    loss = focal(logits, ids, gamma=0, alpha=None)
    torch.testing.assert_close(loss, cross_entropy(logits, ids))


def test_value_of_three_classes():
    logits = torch.tensor([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1]]).double().log()
    loss = focal(logits, torch.tensor([0, 1]), alpha=0.25, gamma=2)
    p = torch.tensor([0.7, 0.2]).double()
    expected = (torch.tensor([0.75, 0.25]) * (1 - p) ** 2 * -p.log()).mean()
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 1.5, 2.0])
def test_gradients_are_finite_where_all_is_right(gamma):
    logits = torch.tensor([[-1e4], [200.0]], requires_grad=True)
    focal(logits, torch.tensor([[0], [1]]), gamma=gamma).backward()
    assert logits.grad.isfinite().all()


def test_ignored_pixels_may_be_anything():
    logits = torch.tensor([[-1e4], [1e4], [0.0]], requires_grad=True)
    focal(logits, torch.tensor([[-1], [-1], [1]])).backward()
    assert logits.grad.isfinite().all()
