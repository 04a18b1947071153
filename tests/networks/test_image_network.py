import pytest
import torch
import torch.nn.functional as F
from torch import nn

from segclf.networks import ImageNetwork, segmentation_network


class Bare(ImageNetwork):
    def features(self, image):
        return [self.prepare(image)]

    def embed(self, image):
        return self.prepare(image).mean((2, 3))


def bare(in_channels=2, **sizes):
    return Bare({"in_channels": in_channels}, **sizes)


def test_prepare_normalizes_each_channel():
    network = bare().set_statistics([1.0, 2.0], [2.0, 4.0])
    image = torch.rand(3, 2, 4, 5)
    prepared = network.prepare(image)
    assert torch.allclose(prepared[:, 0], (image[:, 0] - 1) / 2)
    assert torch.allclose(prepared[:, 1], (image[:, 1] - 2) / 4)


@pytest.mark.parametrize(
    ("size", "stride", "smallest", "padded"),
    [
        ((4, 8), 4, 1, (4, 8)),
        ((5, 8), 4, 1, (8, 8)),
        ((1, 2), 8, 8, (8, 8)),
        ((37, 53), 1, 32, (37, 53)),
        ((5, 40), 1, 32, (32, 40)),
        ((17, 9), 8, 32, (32, 32)),
    ],
)
def test_padding_is_as_small_as_it_can_be(size, stride, smallest, padded):
    network = bare(stride=stride, smallest=smallest)
    assert network.prepare(torch.rand(1, 2, *size)).shape[-2:] == padded


def test_padding_repeats_the_last_row_and_column():
    image = torch.rand(1, 2, 3, 5)
    prepared = bare(stride=4).prepare(image)
    assert torch.equal(prepared, F.pad(image, (0, 3, 0, 1), mode="replicate"))
    assert torch.equal(prepared[..., :3, :5], image)


def test_constant_channel_is_centered_and_not_blown_up():
    network = bare().set_statistics([0.5, 0.25], [3e-9, 0.0])
    assert network.std.tolist() == [1.0, 1.0]
    changed = network.prepare(torch.full((1, 2, 2, 2), 0.75))
    assert torch.allclose(changed[0, :, 0, 0], torch.tensor([0.25, 0.5]))


def test_small_contrast_around_zero_is_kept():
    network = bare().set_statistics([0.0, 1e-12], [1e-9, 1e-12])
    assert torch.allclose(network.std, torch.tensor([1e-9, 1e-12]), rtol=1e-6, atol=0.0)


@pytest.mark.parametrize(
    ("mean", "std", "text"),
    [
        ([0.0], [1.0, 1.0], "mean has 1 values; expected 2"),
        ([0.0, 0.0], [1.0], "std has 1 values; expected 2"),
        ([0.0, float("nan")], [1.0, 1.0], "mean=.*finite"),
        ([0.0, 0.0], [1.0, float("inf")], "std=.*finite"),
        ([0.0, 0.0], [1.0, -1.0], "cannot be negative"),
    ],
)
def test_impossible_statistics_are_refused(mean, std, text):
    with pytest.raises(ValueError, match=text):
        bare().set_statistics(mean, std)


def test_one_channel_is_not_silently_spread_over_three():
    with pytest.raises(ValueError, match="Images have 1 channels; expected 3"):
        bare(in_channels=3).prepare(torch.rand(1, 1, 4, 4))


def test_statistics_travel_in_the_state_dict():
    network = segmentation_network(encoder="tiny", in_channels=2)
    network.set_statistics([1.0, 2.0], [3.0, 4.0])
    other = segmentation_network(encoder="tiny", in_channels=2)
    other.load_state_dict(network.state_dict())
    assert other.mean.tolist() == [1.0, 2.0]
    assert other.std.tolist() == [3.0, 4.0]


def test_statistics_are_not_trained():
    network = segmentation_network(encoder="tiny")
    assert {"mean", "std"} <= dict(network.named_buffers()).keys()
    assert not {"mean", "std"} & dict(network.named_parameters()).keys()
    assert isinstance(network, nn.Module)


def test_a_frozen_encoder_keeps_parameters_and_statistics():
    network = segmentation_network(encoder="resnet18").set_encoder_rate(0.0).train()
    before = {name: value.clone() for name, value in network.encoder.state_dict().items()}
    network(torch.randn(2, 3, 64, 64)).sum().backward()
    assert all(p.grad is None for p in network.encoder.parameters())
    assert all(p.grad is not None for p in network.decoder.parameters())
    for name, value in network.encoder.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert not network.encoder.training
    assert network.decoder.training
    assert network.set_encoder_rate(0.1).train().encoder.training
