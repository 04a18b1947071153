import pytest
import torch

from segclf.networks import (
    build,
    classification_network,
    cluster_network,
    segmentation_network,
    transfer,
)
from segclf.networks._cluster_network import FeaturePyramid, class_scores


@pytest.mark.parametrize(
    ("encoder", "stride"),
    [("tiny", 4), ("tiny_vit", 4), ("resnet18", 4), ("convnext_atto", 4), ("mit_b0", 4)],
)
def test_any_encoder_and_any_size(encoder, stride):
    network = cluster_network(encoder=encoder, n_clusters=5, n_classes=3, feature_size=8).eval()
    image = torch.rand(2, 3, 50, 37)
    with torch.no_grad():
        assert network(image).shape == (2, 3, 50, 37)
        assert network.cluster_scores(image).shape == (2, 5, 50, 37)
        assert network.describe(image[..., :32, :32]).shape == (2, 8, 32 / stride, 32 / stride)


@pytest.mark.parametrize("multilabel", [False, True])
def test_it_is_made_again_from_its_recipe(multilabel):
    network = cluster_network(encoder="tiny", in_channels=1, n_classes=3, multilabel=multilabel)
    network.members.copy_(torch.rand(network.members.shape) < 0.5)
    again = build(network.recipe)
    again.load_state_dict(network.state_dict())
    image = torch.rand(1, 1, 20, 24)
    torch.testing.assert_close(again(image), network(image), rtol=0, atol=0)
    assert again.recipe == network.recipe


def test_what_an_encoder_learned_is_handed_on():
    source = classification_network(encoder="tiny", n_classes=0)
    network = cluster_network(encoder="tiny")
    transfer(source, network)
    last = segmentation_network(encoder="tiny")
    transfer(network, last)
    for name, value in source.encoder.state_dict().items():
        assert torch.equal(value, last.encoder.state_dict()[name])


def test_cluster_i_is_class_i_at_first():
    network = cluster_network(encoder="tiny", n_clusters=4, n_classes=4)
    image = torch.rand(1, 3, 16, 16)
    assert torch.equal(network(image), network.cluster_scores(image))


def test_the_pyramid_adds_what_its_maps_say():
    pyramid = FeaturePyramid([2, 3], 4)
    fine, coarse = torch.rand(1, 2, 4, 4), torch.rand(1, 3, 1, 1)
    expected = pyramid.laterals[0](fine) + pyramid.laterals[1](coarse)
    torch.testing.assert_close(pyramid([torch.rand(1, 3, 8, 8), fine, coarse]), expected)


def test_the_best_cluster_decides_however_many_others_a_class_has():
    scores = torch.cat([torch.full((20,), 0.9), torch.ones(1)]).reshape(1, 21, 1, 1)
    members = torch.eye(2, dtype=torch.bool).repeat_interleave(torch.tensor([20, 1]), dim=1)
    assert class_scores(scores, members, multilabel=False).argmax(dim=1) == 1
    summed = members.float() @ scores.softmax(dim=1).flatten()
    assert summed.argmax() == 0  # as a sum over clusters would have it


def test_a_class_without_a_cluster_is_nowhere():
    members = torch.tensor([[True, True], [False, False]])
    probabilities = class_scores(-torch.ones(1, 2, 1, 1), members, multilabel=False).softmax(1)
    assert probabilities[0, 1].item() < 1e-9


def test_of_several_labels_each_leads_or_not():
    scores = torch.tensor([0.5, 0.2, -0.1]).reshape(1, 3, 1, 1)
    members = torch.tensor([[True, False, True], [False, True, False], [True] * 3, [False] * 3])
    lead = class_scores(scores, members, multilabel=True).flatten()
    torch.testing.assert_close(lead[:2], torch.tensor([0.3, -0.3]))
    assert lead[2] > 30
    assert lead[3] < -30
