import pytest
import torch

from segclf.networks import IRNet, build, classification_network, irnet, transfer


@pytest.mark.parametrize("encoder", ["tiny", "resnet18", "convnext_atto"])
@pytest.mark.parametrize("stride", [1, 4])
def test_maps_are_on_the_grid(encoder, stride):
    network = irnet(encoder=encoder, in_channels=1, stride=stride).eval()
    image, size = torch.rand(2, 1, 13, 21), (-(-13 // stride), -(-21 // stride))
    edge, displacement = network(image)
    assert edge.shape == network.boundaries(image).shape == (2, *size)
    assert displacement.shape == (2, 2, *size)
    torch.testing.assert_close(network.edge_logits(image), edge)


def test_branches_are_those_of_the_paper():
    network = irnet()
    edge = [tuple(each[0].weight.shape[:2]) for each in network.edge.squeeze]
    assert edge == [(32, 64), (32, 256), (32, 512), (32, 1024), (32, 2048)]
    assert {each[1].num_groups for each in network.edge.squeeze} == {4}
    assert network.edge.head.weight.shape[:2] == (1, 160)
    displacement = [each[0].weight.shape[0] for each in network.displacement.squeeze]
    assert displacement == [64, 128, 256, 256, 256]
    assert [each[1].num_groups for each in network.displacement.squeeze] == [8, 16, 16, 16, 16]
    assert network.displacement.deep[0].weight.shape[:2] == (256, 768)
    assert network.displacement.all[0].weight.shape[:2] == (256, 448)


def test_boundaries_of_a_mirror_image_are_mirrored():
    network = irnet(encoder="tiny").eval()
    image = torch.rand(1, 3, 16, 24)
    mirrored = network.boundaries(image.flip(-1)).flip(-1)
    torch.testing.assert_close(network.boundaries(image), mirrored)


@pytest.mark.parametrize("encoder", ["tiny", "resnet18"])
def test_a_frozen_encoder_gets_no_gradient_and_keeps_its_statistics(encoder):
    network = irnet(encoder=encoder).set_encoder_rate(0).train()
    before = {name: value.clone() for name, value in network.encoder.state_dict().items()}
    sum(each.sum() for each in network(torch.rand(2, 3, 32, 32))).backward()
    assert all(parameter.grad is None for parameter in network.encoder.parameters())
    assert all(parameter.grad is not None for parameter in network.edge.parameters())
    after = network.encoder.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_no_gradient_passes_from_one_branch_to_the_other():
    network = irnet(encoder="tiny")
    network(torch.rand(1, 3, 16, 16))[1].square().sum().backward()
    assert all(parameter.grad is None for parameter in network.edge.parameters())
    assert all(parameter.grad.any() for parameter in network.displacement.parameters())


def test_it_is_made_again_from_its_recipe():
    network = irnet(encoder="tiny", in_channels=2, stride=2)
    again = build(network.recipe)
    assert isinstance(again, IRNet)
    again.load_state_dict(network.state_dict())
    image = torch.rand(1, 2, 9, 9)
    torch.testing.assert_close(again(image), network(image), rtol=0, atol=0)


def test_it_takes_the_encoder_of_a_classifier():
    classifier, network = classification_network(encoder="tiny"), irnet(encoder="tiny")
    report = transfer(classifier, network)
    assert all(name.startswith(("edge.", "displacement.")) for name in report["new"])
    image = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(network.embed(image), classifier.embed(image))
