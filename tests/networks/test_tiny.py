import pytest
import torch
from torch import nn

from segclf.networks import TinyEncoder, classification_network, segmentation_network
from segclf.networks.architectures import ARCHITECTURES
from segclf.networks.tiny import group_normalized

OTHERS = {"dpt", "plain_unet", "vit_unet", "dynunet", "unet3d"}  # of transformers, of volumes
DECODERS = sorted(set(ARCHITECTURES) - OTHERS)


@pytest.mark.parametrize("architecture", DECODERS)
def test_every_decoder_trains_on_one_image_of_two_pixels(architecture):
    network = segmentation_network(
        architecture=architecture, encoder="tiny", in_channels=1, n_classes=2
    ).train()
    logits = network(torch.rand(1, 1, 1, 2))
    assert logits.shape == (1, 2, 1, 2)
    logits.square().sum().backward()
    grads = [each.grad for each in network.parameters() if each.grad is not None]
    assert all(torch.isfinite(grad).all() for grad in grads)
    assert any(grad.abs().sum() > 0 for grad in grads)


@pytest.mark.parametrize("architecture", DECODERS)
def test_odd_sizes(architecture):
    network = segmentation_network(architecture=architecture, encoder="tiny", n_classes=4).eval()
    with torch.no_grad():
        assert network(torch.rand(1, 3, 37, 53)).shape == (1, 4, 37, 53)


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (3, 17)])
@pytest.mark.parametrize("in_channels", [1, 3, 7])
def test_classifier_trains_on_one_tiny_image(size, in_channels):
    network = classification_network(encoder="tiny", in_channels=in_channels, n_classes=5).train()
    logits = network(torch.rand(1, in_channels, *size))
    assert logits.shape == (1, 5)
    logits.square().sum().backward()
    assert all(torch.isfinite(each.grad).all() for each in network.parameters())


def test_two_numbers_as_an_image_can_be_distinguished():
    torch.manual_seed(0)
    label = torch.arange(64) % 2
    image = torch.randn(64, 1, 1, 2) * 0.3
    image[:, 0, 0, 0] += 2.0 * label - 1.0
    network = classification_network(encoder="tiny", in_channels=1)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(image), label).backward()
        optimizer.step()
    assert (network(image).argmax(1) == label).float().mean() > 0.95


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_depth(depth):
    encoder = TinyEncoder(depth)
    maps = encoder(torch.rand(1, 3, 16, 16))
    assert [each.shape[1] for each in maps] == encoder.out_channels
    assert maps[-1].shape[-1] == 16 // encoder.output_stride


@pytest.mark.parametrize("depth", [0, 4])
def test_impossible_depth(depth):
    with pytest.raises(ValueError, match="1 to 3 stages"):
        TinyEncoder(depth)


def test_no_dropout_and_no_batch_statistics():
    modules = list(segmentation_network(encoder="tiny").modules())
    assert not any(isinstance(each, nn.Dropout | nn.BatchNorm2d) for each in modules)


@pytest.mark.parametrize(("n_channels", "n_groups"), [(2, 1), (16, 2), (48, 6), (50, 2), (64, 8)])
def test_groups_hold_more_than_one_channel(n_channels, n_groups):
    norm = group_normalized(nn.Sequential(nn.BatchNorm2d(n_channels)))[0]
    assert norm.num_groups == n_groups
    norm(torch.rand(1, n_channels, 1, 1))


def test_a_single_channel_is_not_normalized_away():
    assert isinstance(group_normalized(nn.BatchNorm2d(1)), nn.Identity)
