import torch
from torch import nn

from segclf.networks import input_gradient


def test_of_a_linear_network_it_is_the_weights_greatest_of_the_channels():
    network = nn.Sequential(nn.Flatten(), nn.Linear(2 * 3 * 4, 5))
    maps = input_gradient(network, torch.randn(6, 2, 3, 4))
    expected = network[1].weight.detach().reshape(5, 2, 3, 4).abs().amax(1)
    torch.testing.assert_close(maps, expected.expand(6, 5, 3, 4))


def test_leaves_network_and_images_as_they_are_also_where_nothing_is_differentiated():
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2)).requires_grad_(False)
    with torch.inference_mode():
        image = torch.ones(1, 1, 2, 2)
        maps = input_gradient(network, image)
    assert maps.shape == (1, 2, 2, 2)
    assert not maps.requires_grad
    assert not image.requires_grad
    assert network[1].weight.grad is None
