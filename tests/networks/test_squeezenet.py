import pytest
import torch
import torchvision

from segclf.networks import build, classification_network, segmentation_network


def count(network):
    return sum(each.numel() for each in network.parameters())


@pytest.mark.parametrize("n_classes", [2, 5])
def test_parameters_are_torchvisions(n_classes):
    ours = classification_network(encoder="squeezenet1_1", n_classes=n_classes)
    theirs = torchvision.models.squeezenet1_1(num_classes=n_classes)
    assert count(ours) == count(theirs)


def test_answers_as_torchvision_without_dropout_and_last_relu(tmp_path):
    theirs = torchvision.models.squeezenet1_1(num_classes=3).eval()
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")
    ours = classification_network(
        encoder="squeezenet1_1", n_classes=3, encoder_weights=tmp_path / "weights.pth"
    ).eval()
    convolution = theirs.classifier[1]
    with torch.no_grad():
        ours.head.weight.copy_(convolution.weight[:, :, 0, 0])
        ours.head.bias.copy_(convolution.bias)
        image = torch.rand(2, 3, 64, 48)
        expected = convolution(theirs.features(image)).mean((2, 3))
        torch.testing.assert_close(ours(image), expected)


@pytest.mark.parametrize("size", [(1, 1), (12, 40), (33, 64)])
@pytest.mark.parametrize("in_channels", [1, 2])
def test_any_size_and_channels(size, in_channels):
    network = classification_network(encoder="squeezenet1_1", in_channels=in_channels)
    scores = network(torch.rand(2, in_channels, *size))
    assert scores.shape == (2, 2)
    scores.square().sum().backward()
    assert all(torch.isfinite(each.grad).all() for each in network.parameters())
    assert network.encoder.features[0].weight.grad.abs().sum() > 0


def test_recipe():
    network = classification_network(encoder="squeezenet1_1", in_channels=1).eval()
    copy = build(network.recipe)
    copy.load_state_dict(network.state_dict())
    image = torch.rand(1, 1, 32, 32)
    torch.testing.assert_close(copy.eval()(image), network(image))
    assert network.features(image)[-1].shape == (1, 512, 1, 1)


def test_it_is_no_encoder_of_segmenters():
    with pytest.raises(ValueError, match="'unet' cannot take encoder='squeezenet1_1'"):
        segmentation_network(encoder="squeezenet1_1")
