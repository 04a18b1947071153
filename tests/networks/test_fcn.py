import pytest
import torch
from torch import nn
from torchvision.models.segmentation import fcn_resnet50

from segclf.networks import segmentation_network
from segclf.networks.fcn import fcn_encoder


@pytest.fixture(scope="module")
def both():
    theirs = fcn_resnet50(weights=None, weights_backbone=None, num_classes=3, aux_loss=False).eval()
    ours = segmentation_network(architecture="fcn", encoder="resnet50", n_classes=3).eval()
    return theirs, ours


def n_parameters(network):
    return sum(each.numel() for each in network.parameters())


def test_as_many_parameters_as_torchvision(both):
    assert n_parameters(both[0]) == n_parameters(both[1])


def test_same_logits_as_torchvision_with_the_same_weights(both):
    theirs, ours = both
    ours.encoder.load_state_dict(theirs.backbone.state_dict())
    layers = nn.Sequential(*theirs.classifier.children())
    ours.decoder.layers.load_state_dict(layers[:4].state_dict())
    ours.head.load_state_dict(layers[4].state_dict())
    image = torch.rand(1, 3, 40, 56)
    with torch.no_grad():
        assert torch.allclose(ours(image), theirs(image)["out"], atol=1e-5)
    assert ours.stride == 8


@pytest.mark.parametrize(
    ("key", "stride"), [("mobilenet_v2", 8), ("tu-test_resnet", 8), ("densenet121", 32)]
)
def test_encoders_are_dilated_where_they_can_be(key, stride):
    encoder = fcn_encoder(key, in_channels=1, depth=5)
    with torch.no_grad():
        maps = encoder.eval()(torch.rand(1, 1, 64, 64))
    assert encoder.output_stride == stride
    assert maps[-1].shape[-1] == 64 // stride


def test_initialization_is_torchvision_s(both):
    # kaiming_uniform(a=sqrt(5)) keeps within 1 / sqrt(fan in); smp's decoders start wider.
    weight = (
        segmentation_network(architecture="fcn", encoder="mobilenet_v2").decoder.layers[0].weight
    )
    assert weight.abs().max() <= weight[0].numel() ** -0.5
    assert isinstance(both[1].decoder.layers[3], nn.Dropout)
