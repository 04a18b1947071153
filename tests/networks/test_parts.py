import pytest
import torch

from segclf.networks import segmentation_network

# One of each way that encoders differ; no test needs all pairs.
PAIRS = [
    ("unet", "resnet18"),
    ("unet", "mit_b0"),
    ("unetplusplus", "mobilenet_v2"),
    ("deeplabv3", "tu-mobilenetv3_small_050"),
    ("deeplabv3plus", "mobilenet_v2"),
    ("dpt", "test_vit"),
    ("fcn", "mobilenet_v2"),
    ("fcn", "mit_b0"),
    ("fpn", "test_convnext"),
    ("linknet", "mobilenet_v2"),
    ("manet", "mobilenetv3_small_050"),
    ("pan", "mobilenet_v2"),
    ("pspnet", "mit_b0"),
    ("segformer", "mit_b0"),
    ("upernet", "test_convnext"),
    ("vit_unet", "test_vit"),
]


@pytest.mark.parametrize(("architecture", "encoder"), PAIRS)
def test_odd_and_small_sizes(architecture, encoder):
    network = segmentation_network(
        architecture=architecture, encoder=encoder, in_channels=2, n_classes=3
    ).eval()
    with torch.no_grad():
        assert network(torch.rand(1, 2, 37, 53)).shape == (1, 3, 37, 53)
        assert network(torch.rand(1, 2, 1, 2)).shape == (1, 3, 1, 2)
        assert network.embed(torch.rand(2, 2, 9, 9)).shape[0] == 2


@pytest.mark.parametrize(
    ("architecture", "depth"),
    [("fpn", 3), ("fpn", 4), ("pspnet", 1), ("pspnet", 5), ("pan", 3), ("fcn", 2)],
)
def test_logits_come_at_full_size_at_other_depths(architecture, depth):
    network = segmentation_network(
        architecture=architecture, encoder="mobilenet_v2", encoder_depth=depth
    ).eval()
    image = torch.rand(1, 3, network.smallest, network.smallest)
    with torch.no_grad():
        maps = network.encoder(image)
        logits = network.head(network.decoder(maps))
        size = network(image).shape[-2:]
    assert size == image.shape[-2:]
    if architecture != "fcn":
        assert logits.shape[-2:] == size


@pytest.mark.parametrize(
    ("architecture", "encoder", "reason"),
    [
        ("deeplabv3", "densenet121", "do not support dilated"),
        ("dpt", "tiny", "Only Timm encoders"),
        ("dpt", "vit_small_patch14_dinov2", "patches of 14 pixels do not divide 32"),
        ("unet", "test_vit", "Unsupported model downsampling pattern"),
        ("fcn", "test_vit", "Unsupported model downsampling pattern"),
        ("vit_unet", "tiny", "it is not a plain vision transformer .* vit_small_patch8_224, "),
        ("vit_unet", "resnet18", "it is not a plain vision transformer"),
        ("vit_unet", "test_convnext", "it is not a plain vision transformer"),
    ],
)
def test_pairs_that_do_not_go_together_say_why(architecture, encoder, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        segmentation_network(architecture=architecture, encoder=encoder)
    assert f"architecture='{architecture}' cannot take encoder='{encoder}'" in str(caught.value)


@pytest.mark.parametrize(
    ("architecture", "encoder", "advice"),
    [
        ("unet", "test_vit", "These architectures can: hypercolumn, dpt, vit_unet."),
        ("fpn", "samvit_base_patch16", "These architectures can: hypercolumn, dpt."),
        ("vit_unet", "tiny", "These architectures can: hypercolumn, unet, fpn."),
        ("unet", "cait_xxs24_224", "These architectures can: hypercolumn."),
        ("unet", "levit_128s", "Nor can hypercolumn, fpn, dpt, vit_unet; choose another encoder."),
    ],
)
def test_what_would_go_together_is_named(architecture, encoder, advice):
    with pytest.raises(ValueError, match="cannot take encoder") as caught:
        segmentation_network(architecture=architecture, encoder=encoder)
    assert str(caught.value).endswith(advice)


def test_a_class_token_that_timm_does_not_part_from_the_patches_is_refused():
    with pytest.raises(ValueError, match="does not separate its patches from its class token"):
        segmentation_network(architecture="dpt", encoder="cait_xxs24_224")
