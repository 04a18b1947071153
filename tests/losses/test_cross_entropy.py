import pytest
import torch
from torch.nn import functional

from segclf.losses import cross_entropy


@pytest.fixture
def logits():
    return torch.randn(3, 4, 5, 6, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def target():
    return torch.randint(-1, 4, (3, 5, 6), generator=torch.Generator().manual_seed(1))


def test_ids_equal_torch_to_the_bit(logits, target):
    expected = functional.cross_entropy(logits, target, ignore_index=-1)
    assert cross_entropy(logits, target) == expected
    expected = functional.cross_entropy(logits, target.abs())
    assert cross_entropy(logits, target.abs()) == expected


def test_class_weight_equals_torch(logits, target):
    weight = torch.tensor([0.1, 2.0, 0.0, 1.0])
    expected = functional.cross_entropy(logits, target, weight, ignore_index=-1)
    torch.testing.assert_close(cross_entropy(logits, target, class_weight=weight), expected)


def test_sample_weight_is_a_weighted_mean_of_pixels(logits, target):
    pixels = functional.cross_entropy(logits, target, ignore_index=-1, reduction="none")
    weight = torch.tensor([0.5, 3.0, 0.0]).view(-1, 1, 1).expand(target.shape)
    expected = (weight * pixels).sum() / weight[target >= 0].sum()
    loss = cross_entropy(logits, target, sample_weight=torch.tensor([0.5, 3.0, 0.0]))
    torch.testing.assert_close(loss, expected)


def test_channels_equal_torch(logits):
    truth = torch.randint(2, logits.shape, generator=torch.Generator().manual_seed(2)).float()
    expected = functional.binary_cross_entropy_with_logits(logits, truth)
    torch.testing.assert_close(cross_entropy(logits, truth), expected)


def test_channels_may_be_probabilities(logits):
    truth = torch.rand(logits.shape, generator=torch.Generator().manual_seed(2))
    expected = functional.binary_cross_entropy_with_logits(logits, truth)
    torch.testing.assert_close(cross_entropy(logits, truth), expected)


def test_two_classes_equal_one_channel(logits):
    target = torch.randint(-1, 2, (3, 5, 6), generator=torch.Generator().manual_seed(1))
    channel = cross_entropy(logits[:, 1:2] - logits[:, :1], target[:, None])
    torch.testing.assert_close(cross_entropy(logits[:, :2], target), channel)


def test_diverged_logits_are_not_hidden(logits, target):
    assert cross_entropy(logits * torch.nan, target).isnan()


def test_plain_ids_go_straight_to_torch(logits, target, monkeypatch):
    reductions = []

    def spy(*args, reduction="mean", **options):
        reductions.append(reduction)
        return torch.zeros(())

    monkeypatch.setattr(functional, "cross_entropy", spy)
    cross_entropy(logits, target)
    assert reductions == ["mean"]
