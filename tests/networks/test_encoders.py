import pytest
import segmentation_models_pytorch as smp
import timm
import torch

from segclf.networks import classification_network, segmentation_network
from segclf.networks.encoders import any_size, encoder_key, make_encoder, pooled, weights_holder


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("resnet50", "resnet50"),
        ("tu-resnet50", "tu-resnet50"),
        ("convnext_atto", "tu-convnext_atto"),
        ("tiny", "segclf-tiny"),
        ("tiny_vit", "tu-tiny_vit"),
    ],
)
def test_names(name, key):
    assert encoder_key(name) == key


def test_unknown_name_suggests_close_ones_and_says_what_there_is():
    with pytest.raises(ValueError, match="No encoder named 'resnet19'") as caught:
        encoder_key("resnet19")
    text = str(caught.value)
    assert "Did you mean resnet18" in text
    assert text.count("resnet18,") == 2
    assert "timm.list_models()" in text


@pytest.mark.parametrize("name", ["hf-hub:timm/resnet18", "tu-hf-hub:timm/resnet18", "tu-tiny"])
def test_names_that_would_need_the_network_are_unknown(name):
    with pytest.raises(ValueError, match="No encoder named"):
        encoder_key(name)


def test_transformers_take_any_size_and_convolutions_need_no_option():
    assert any_size("vit_tiny_patch16_224") == {"dynamic_img_size": True}
    assert any_size("resnet18") == {}


def test_tiny_is_registered_under_a_name_of_its_own():
    encoder_key("tiny")
    assert "segclf-tiny" in smp.encoders.encoders
    assert "tiny" not in smp.encoders.encoders


def test_timm_model_inside_the_wrapper_holds_the_weights():
    encoder = make_encoder("tu-resnet18", in_channels=3, depth=2)
    assert "conv1.weight" in weights_holder(encoder).state_dict()
    own = make_encoder("resnet18", in_channels=3, depth=2)
    assert weights_holder(own) is own


def test_densenet_is_pooled_after_its_last_relu():
    encoder = make_encoder("densenet121", in_channels=3, depth=5)
    maps = [torch.tensor([[[[-1.0, 3.0]]]])]
    assert pooled(encoder, maps).item() == 1.5
    assert pooled(torch.nn.Identity(), maps).item() == 1.0


def test_nothing_is_downloaded(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("asked for the network")

    monkeypatch.setattr("socket.socket.connect", refuse)
    assert timm.is_model("resnet18")
    make_encoder("tu-resnet18", in_channels=1, depth=3)
    make_encoder("mobilenet_v2", in_channels=1, depth=3)


def encoder_shapes(network):
    tensors = weights_holder(network.encoder).state_dict()
    # timm joins nested names by "_" where it hands out maps, by "." elsewhere.
    return {name.replace(".", "_"): tuple(each.shape) for name, each in tensors.items()}


@pytest.mark.parametrize(
    ("architecture", "encoder"),
    [
        ("unet", "tiny"),
        ("unet", "resnet18"),
        ("unet", "convnext_atto"),
        ("unet", "tu-resnet18"),
        ("dpt", "test_vit"),
        ("vit_unet", "tiny_vit"),
        ("vit_unet", "vit_small_patch8_224"),
    ],
)
def test_segmenters_and_classifiers_have_the_same_encoder(architecture, encoder):
    with torch.device("meta"):
        classifier = classification_network(encoder=encoder)
        segmenter = segmentation_network(architecture=architecture, encoder=encoder)
    # timm keeps ConvNeXt's last normalization, which comes after pooling, with the classifier.
    after_pooling = {"head_norm_weight", "head_norm_bias"}
    shapes = encoder_shapes(classifier)
    assert len(shapes) > 1
    kept = {name: each for name, each in shapes.items() if name not in after_pooling}
    assert kept == encoder_shapes(segmenter)
