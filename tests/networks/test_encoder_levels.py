"""Rates inside of encoders: each parameter has one level, and levels rise from image to output."""

import pytest
import torch

from segclf.networks import classification_network, segmentation_network
from segclf.networks.encoder_levels import levels_above

VIT = {"architecture": "hypercolumn", "encoder_depth": 1}


def levels(network):
    names = {parameter: name for name, parameter in network.encoder.named_parameters()}
    above = levels_above(network.encoder, network.recipe["in_channels"])
    assert set(above) == set(names)
    found = {}
    for parameter, level in above.items():
        found.setdefault(level, []).append(names[parameter])
    return [found[level] for level in sorted(found, reverse=True)]


@pytest.mark.parametrize(
    ("encoder", "parts"),
    [
        ("tiny", ["stages.0", "stages.1", "stages.2"]),
        ("resnet18", ["conv1 bn1", "layer1", "layer2", "layer3", "layer4"]),
        # In the order in which they compute, which is not that in which they are made.
        ("mit_b0", [f"patch_embed{i} block{i} norm{i}" for i in (1, 2, 3, 4)]),
    ],
)
@pytest.mark.parametrize("make", [segmentation_network, classification_network])
def test_stages(encoder, parts, make):
    found = levels(make(encoder=encoder, in_channels=3, n_classes=2))
    for names, part in zip(found, parts, strict=True):
        prefixes = tuple(f"{each}." for each in part.split())
        assert all(name.startswith(prefixes) for name in names)


@pytest.mark.parametrize("encoder", ["convnext_atto", "tf_efficientnet_lite0"])
def test_models_of_timm_have_the_same_levels_for_segmenters_and_classifiers(encoder):
    dense, whole = (
        levels(make(encoder=encoder, in_channels=3, n_classes=2))
        for make in (segmentation_network, classification_network)
    )
    assert len(dense) == len(whole) == (4 if "convnext" in encoder else 5)
    assert [len(names) for names in dense[:-1]] == [len(names) for names in whole[:-1]]


@pytest.mark.parametrize("dense", [True, False])
def test_blocks_of_a_transformer(dense):
    """Whatever the number of blocks that give maps."""
    kind = {"encoder": "tiny_vit", "in_channels": 1, "n_classes": 2}
    made = segmentation_network(**kind, **VIT) if dense else classification_network(**kind)
    prefix = "model." if dense else ""
    embedding, first, second = levels(made)
    assert f"{prefix}patch_embed.proj.weight" in embedding
    assert f"{prefix}pos_embed" in embedding
    assert all(name.startswith(f"{prefix}blocks.0.") for name in first)
    assert f"{prefix}norm.weight" in second
    assert f"{prefix}blocks.1.mlp.fc1.weight" in second


def test_looking_changes_nothing():
    network = segmentation_network(encoder="resnet18", in_channels=3, n_classes=2)
    network.set_encoder_rate(1, start=0.5)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    levels(network)
    assert torch.equal(torch.rand(1), expected)
    assert network.encoder.training
    assert not any(each.requires_grad for each in network.encoder.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
