import pytest
import torch

from segclf.networks import build, map_classifier

# By hand, from S4C's appendix A2.2. Convolutions and linear layers with biases; a batch
# normalization has two numbers a channel.
SIMPLE = {64: 64 * 100 + 100 + 100 * 100 + 100 + 100 * 2 + 2}
BLOCKS = (64 * 9 * 16 + 16) + 2 * (16 * 9 * 16 + 16) + 3 * 2 * 16
LINEAR = (100 * 100 + 100) + 2 * 2 * 100 + (100 * 2 + 2)


def count(network):
    return sum(each.numel() for each in network.parameters())


def test_parameters_of_the_simple_head():
    network = map_classifier(head="simple", in_channels=64, size=(28, 28))
    assert count(network) == 16_802 == SIMPLE[64]
    assert count(map_classifier(head="simple", in_channels=64, size=(7, 9))) == 16_802


@pytest.mark.parametrize(
    ("size", "length"),
    [((8, 8), 16), ((28, 28), 16 * 4 * 4), ((7, 7), 16), ((1, 1), 16), ((17, 5), 16 * 3)],
)
def test_parameters_of_the_complex_head(size, length):
    network = map_classifier(head="complex", in_channels=64, size=size)
    assert count(network) == BLOCKS + (length * 100 + 100) + LINEAR
    assert network.eval()(torch.rand(2, 64, *size)).shape == (2, 2)


def test_layers_of_the_complex_head():
    network = map_classifier(head="complex", in_channels=3, size=(16, 16))
    names = [type(each).__name__ for part in (network.encoder, network.neck) for each in part]
    block = ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d"]
    linear = ["Linear", "BatchNorm1d", "ReLU", "Dropout"]
    assert names == [*3 * block, "Flatten", *2 * linear]
    assert [each.p for each in network.neck if hasattr(each, "p")] == [0.25, 0.25]
    assert network.training
    assert all(each.training for each in network.modules())


def test_the_simple_head_sees_nothing_but_means():
    network = map_classifier(head="simple", in_channels=4, size=(8, 8)).eval()
    maps = torch.rand(2, 4, 8, 8)
    turned = maps.flip(-1).mT
    torch.testing.assert_close(network(turned), network(maps))
    other = map_classifier(head="complex", in_channels=4, size=(8, 8)).eval()
    assert not torch.allclose(other(turned), other(maps))


@pytest.mark.parametrize("head", ["simple", "complex"])
def test_gradients_reach_every_parameter(head):
    torch.manual_seed(0)
    network = map_classifier(head=head, in_channels=4, size=(16, 16), n_classes=3)
    network(torch.rand(8, 4, 16, 16)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("head", ["simple", "complex"])
def test_recipe_and_statistics(head):
    network = map_classifier(head=head, in_channels=4, size=(9, 7), n_classes=3).eval()
    network.set_statistics([1, 2, 3, 4], [2, 2, 2, 2])
    copy = build(network.recipe)
    copy.load_state_dict(network.state_dict())
    maps = torch.rand(2, 4, 9, 7)
    torch.testing.assert_close(copy.eval()(maps), network(maps))
    torch.testing.assert_close(network.embed(maps).shape, torch.Size([2, 100]))
    moved = maps * 2 + torch.arange(1.0, 5.0)[:, None, None]
    plain = build(network.recipe)
    plain.load_state_dict({**network.state_dict(), "mean": torch.zeros(4), "std": torch.ones(4)})
    torch.testing.assert_close(network(moved), plain.eval()(maps))


def test_unknown_head():
    with pytest.raises(ValueError, match=r"head='deep'; expected one of complex, simple\."):
        map_classifier(head="deep", in_channels=4, size=(8, 8))
