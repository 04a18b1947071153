import json

import pytest
import torch

from segclf.networks import build, classification_network, segmentation_network

NETWORKS = {
    "tiny": lambda: segmentation_network(encoder="tiny", in_channels=1),
    "dedl": lambda: segmentation_network(
        encoder="resnet18", encoder_depth=3, decoder_attention="scse", in_channels=1
    ),
    "widths": lambda: segmentation_network(encoder="tiny", decoder_channels=(48, 24, 16)),
    "fcn": lambda: segmentation_network(architecture="fcn", encoder="tiny", n_classes=1),
    "dpt": lambda: segmentation_network(architecture="dpt", encoder="test_vit"),
    "vit_unet": lambda: segmentation_network(architecture="vit_unet", encoder="tiny_vit"),
    "fpn": lambda: segmentation_network(architecture="fpn", encoder="test_resnet"),
    "classifier": lambda: classification_network(encoder="tiny", n_classes=7),
    "shallow classifier": lambda: classification_network(encoder="tiny", encoder_depth=2),
    "no head": lambda: classification_network(encoder="tiny", n_classes=0),
    "transformer": lambda: classification_network(encoder="test_vit", in_channels=5),
}


def shapes(network):
    return {name: tuple(each.shape) for name, each in network.state_dict().items()}


@pytest.mark.parametrize("name", NETWORKS)
def test_recipe_rebuilds_the_network_by_way_of_json(name):
    network = NETWORKS[name]()
    again = build(json.loads(json.dumps(network.recipe)))
    assert type(again) is type(network)
    assert shapes(again) == shapes(network)
    assert again.recipe == network.recipe
    assert (again.stride, again.smallest) == (network.stride, network.smallest)


def test_recipe_needs_no_file_of_weights(tmp_path):
    file = tmp_path / "weights.pth"
    torch.save(segmentation_network(encoder="tiny").encoder.state_dict(), file)
    network = segmentation_network(encoder="tiny", encoder_weights=file)
    file.unlink()
    assert shapes(build(network.recipe)) == shapes(network)


def test_same_seed_same_network():
    torch.manual_seed(3)
    one = segmentation_network(encoder="tiny").state_dict()
    torch.manual_seed(3)
    other = segmentation_network(encoder="tiny").state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_scse_and_depth_reach_the_decoder():
    network = NETWORKS["dedl"]()
    assert network.stride == 8
    assert [block.conv2[0].out_channels for block in network.decoder.blocks] == [256, 128, 64]
    assert any("sSE" in name for name, _ in network.named_parameters())


def test_dedl_has_the_published_size():
    network = segmentation_network(
        encoder="resnet50",
        encoder_depth=3,
        decoder_channels=(256, 128, 64),
        decoder_attention="scse",
        in_channels=1,
    )
    total = sum(each.numel() for each in network.parameters())
    assert round(total / 1e6, 2) == 26.59


@pytest.mark.parametrize(
    ("make", "counts", "text"),
    [
        (segmentation_network, {"in_channels": 0}, "in_channels=0; expected at least 1"),
        (segmentation_network, {"n_classes": 0}, "n_classes=0; expected at least 1"),
        (classification_network, {"in_channels": 0}, "in_channels=0; expected at least 1"),
        (classification_network, {"n_classes": -1}, "n_classes=-1; expected at least 0"),
    ],
)
def test_counts_that_are_too_small(make, counts, text):
    with pytest.raises(ValueError, match=text):
        make(encoder="tiny", **counts)


def test_recipe_from_before_classifiers_had_a_depth():
    network = classification_network(encoder="tiny")
    old = {name: each for name, each in network.recipe.items() if name != "encoder_depth"}
    assert shapes(build(old)) == shapes(network)


def test_unknown_kind_of_recipe():
    with pytest.raises(ValueError, match="kind 'detection'; known kinds: classification, "):
        build({"kind": "detection"})
