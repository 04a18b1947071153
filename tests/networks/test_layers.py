import pytest
import torch

from segclf.networks import (
    SegmentationPair,
    cluster_network,
    layer_reader,
    segmentation_network,
)


def read(network, layer, image):
    with torch.no_grad():
        return layer_reader(network.eval(), layer)(image)


@pytest.fixture
def image():
    return torch.rand(2, 3, 37, 53)


@pytest.mark.parametrize("architecture", ["unet", "fcn", "deeplabv3plus", "segformer"])
def test_presets(architecture, image):
    network = segmentation_network(architecture=architecture, encoder="tiny").eval()
    with torch.no_grad():
        maps = network.features(image)
        expected = network.decoder(maps)
    torch.testing.assert_close(read(network, "deep", image), maps[-1])
    torch.testing.assert_close(read(network, "shallow", image), expected)


def test_presets_of_other_networks(image):
    transformer = segmentation_network(architecture="vit_unet", encoder="tiny_vit")
    assert read(transformer, "deep", image).shape == (2, 32, 12, 16)
    assert read(transformer, "shallow", image).shape == (2, 16, 48, 64)
    cnn = segmentation_network(encoder="tiny")
    pair = SegmentationPair(cnn, transformer, multilabel=False)
    for layer in ("deep", "shallow"):
        torch.testing.assert_close(read(pair, layer, image), read(cnn, layer, image))
    torch.testing.assert_close(
        read(pair, "transformer.encoder", image), read(transformer, "deep", image)
    )
    clusters = cluster_network(encoder="tiny", n_classes=2)
    assert read(clusters, "shallow", image).shape[:2] == (2, 128)


def test_the_papers_layers(image):
    unet = segmentation_network(encoder="resnet18")
    assert read(unet, "decoder.blocks.2", image).shape == (2, 64, 16, 16)
    assert read(unet, "decoder.blocks.4", image).shape == (2, 16, 64, 64)
    torch.testing.assert_close(read(unet, "decoder.blocks.4", image), read(unet, "shallow", image))
    fcn = segmentation_network(architecture="fcn", encoder="resnet50")
    assert read(fcn, "encoder.layer2", image).shape == (2, 512, 5, 7)
    assert read(fcn, "encoder.layer4", image).shape == (2, 2048, 5, 7)
    torch.testing.assert_close(read(fcn, "encoder.layer4", image), read(fcn, "deep", image))


def test_a_layer_of_the_encoder_needs_no_decoder(image):
    network = segmentation_network(encoder="tiny").eval()
    calls = []
    network.decoder.register_forward_hook(lambda *_: calls.append(1))
    read(network, "encoder.stages.0", image)
    read(network, "deep", image)
    assert calls == []
    read(network, "shallow", image)
    assert calls == [1]


def test_hooks_are_taken_off(image):
    network = segmentation_network(encoder="tiny").eval()
    read(network, "shallow", image)
    with pytest.raises(ValueError, match="channels"):
        read(network, "shallow", image[:, :1])
    assert all(not each._forward_hooks for each in network.modules())


def test_errors_say_what_there_is(image):
    network = segmentation_network(encoder="tiny")
    with pytest.raises(
        ValueError,
        match=r"No layer named 'decoder\.blocks\.9'\. Did you mean decoder\.blocks\.\d.*"
        r"Available: deep, shallow, encoder, encoder\.stages, decoder, decoder\.center",
    ):
        layer_reader(network, "decoder.blocks.9")
    with pytest.raises(
        ValueError, match=r"Layer 'encoder\.stages' returns NoneType; expected maps"
    ):
        read(network, "encoder.stages", image)
    vit = segmentation_network(architecture="vit_unet", encoder="tiny_vit")
    with pytest.raises(
        ValueError, match=r"norm' returns shape \(2, \d+, 32\); expected maps of sh"
    ):
        read(vit, "encoder.model.norm", image)


@pytest.mark.parametrize(
    ("encoder", "channels", "size"),
    [
        ("tiny", 64, 8),  # strides 2, 4 and 8
        ("resnet18", 128 + 256, 8),
        ("vit_tiny_patch16_224", 192, 4),
    ],
)
def test_local_maps_are_those_of_strides_8_and_16(encoder, channels, size):
    architecture = "hypercolumn" if encoder.startswith("vit") else "unet"
    network = segmentation_network(architecture=architecture, encoder=encoder).eval()
    image = torch.rand(1, 3, 64, 64)
    found = layer_reader(network, "local")(image)
    assert found.shape == (1, channels, size, size)
    if encoder == "resnet18":
        *_, fine, coarse, _ = network.features(image)
        coarse = coarse.repeat_interleave(2, 2).repeat_interleave(2, 3)
        assert torch.equal(found, torch.cat([fine, coarse], dim=1))
