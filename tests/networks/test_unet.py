"""Our U-Net is segmentation-models-pytorch's: same names, same weights by a seed, same output."""

import pytest
import torch

from segclf.networks import segmentation_network
from segclf.networks.libraries import import_smp
from segclf.networks.unet import UNetDecoder

KINDS = {
    "plain": ("resnet18", {}),
    "attention": ("resnet18", {"decoder_attention": "scse", "encoder_depth": 3}),
    "center": ("vgg11", {"encoder_depth": 4}),
    "empty first map": ("mit_b0", {}),
    "timm": ("convnext_atto", {"encoder_depth": 4}),
}


def ours(encoder, options):
    torch.manual_seed(0)
    return segmentation_network(encoder=encoder, in_channels=2, n_classes=3, **options)


def theirs(key, recipe):
    torch.manual_seed(0)
    return import_smp().Unet(
        key,
        encoder_weights=None,
        in_channels=2,
        classes=3,
        encoder_depth=recipe["encoder_depth"],
        decoder_channels=recipe["decoder_channels"],
        decoder_attention_type=recipe["decoder_attention"],
    )


def parameters(network):
    state = {
        name.replace("segmentation_head", "head"): v for name, v in network.state_dict().items()
    }
    return {name: v for name, v in state.items() if name not in ("mean", "std")}


@pytest.mark.parametrize(("encoder", "options"), KINDS.values(), ids=KINDS)
def test_same_weights_same_output(encoder, options):
    network = ours(encoder, options)
    next_number = torch.rand(1)
    reference = theirs("tu-" * (encoder == "convnext_atto") + encoder, network.recipe)
    assert torch.equal(torch.rand(1), next_number)
    torch.testing.assert_close(parameters(network), parameters(reference), rtol=0, atol=0)
    image = torch.rand(2, 2, 64, 96)
    with torch.no_grad():
        assert torch.equal(network.eval()(image), reference.eval()(image))


def test_same_weights_of_the_tiny_encoder():
    network = ours("tiny", {})
    reference = parameters(theirs("segclf-tiny", network.recipe))
    kept = parameters(network)  # group normalization keeps no statistics
    torch.testing.assert_close(kept, {name: reference[name] for name in kept}, rtol=0, atol=0)


def test_one_stage():
    decoder = UNetDecoder([3, 16], [8])
    assert decoder([torch.zeros(1, 3, 5, 7), torch.zeros(1, 16, 3, 4)]).shape == (1, 8, 5, 7)
