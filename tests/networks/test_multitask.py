import json

import pytest
import torch

from segclf.networks import (
    MultitaskNetwork,
    build,
    classification_network,
    segmentation_network,
    transfer,
)


def multitask(architecture="unet", encoder="tiny", n_classes=2, n_labels=3):
    segmentation = segmentation_network(
        architecture=architecture, encoder=encoder, n_classes=n_classes
    )
    return MultitaskNetwork(segmentation, n_labels=n_labels).eval()


@pytest.mark.parametrize("size", [(1, 2), (5, 7), (37, 50)])
@pytest.mark.parametrize(
    ("architecture", "encoder"),
    [("unet", "tiny"), ("vit_unet", "tiny_vit"), ("fcn", "resnet18"), ("unet", "densenet121")],
)
@torch.inference_mode()
def test_both_heads_say_what_each_says_alone(architecture, encoder, size):
    network, image = multitask(architecture, encoder), torch.rand(2, 3, *size)
    pixels, scores = network.both(image)
    assert pixels.shape == (2, 2, *size)
    assert scores.shape == (2, 3)
    assert torch.equal(pixels, network.segmentation(image))
    assert torch.equal(scores, network(image))
    assert torch.equal(scores, network.label_head(network.embed(image)))


@torch.inference_mode()
def test_its_classes_are_a_classification_network_of_the_same_weights():
    network, image = multitask(encoder="resnet18"), torch.rand(2, 3, 40, 33)
    plain = classification_network(encoder="resnet18", n_classes=3).eval()
    transfer(network, plain)
    plain.head.load_state_dict(network.label_head.state_dict())
    padded = torch.nn.functional.pad(image, (0, 31, 0, 24), mode="replicate")
    torch.testing.assert_close(network(image), plain(padded))


def test_one_pass_of_the_encoder():
    network, calls = multitask(), []
    network.segmentation.encoder.register_forward_hook(lambda *_: calls.append("encoder"))
    network.segmentation.decoder.register_forward_hook(lambda *_: calls.append("decoder"))
    network.both(torch.rand(1, 3, 8, 8))
    assert calls == ["encoder", "decoder"]
    network(torch.rand(1, 3, 8, 8))
    assert calls == ["encoder", "decoder", "encoder"]


def test_built_again_by_way_of_json():
    network, image = multitask(n_classes=4), torch.rand(2, 3, 16, 16)
    again = build(json.loads(json.dumps(network.recipe))).eval()
    again.load_state_dict(network.state_dict())
    assert again.recipe == network.recipe
    for given, expected in zip(again.both(image), network.both(image), strict=True):
        assert torch.equal(given, expected)
