import sys

import pytest

from segclf.networks import segmentation_network, spatial_axes


@pytest.mark.parametrize(
    ("architecture", "encoder", "said"),
    [
        ("unet3d", "resnet18", "'unet3d' reads volumes, and encoder='resnet18' images"),
        ("unet", "tiny3d", "'unet' reads images, and encoder='tiny3d' volumes"),
        ("dynunet", "tiny3d", "'dynunet' has its own encoder; expected encoder='dynunet'"),
    ],
)
def test_what_does_not_go_together_is_refused(architecture, encoder, said):
    with pytest.raises(ValueError, match=said):
        segmentation_network(architecture=architecture, encoder=encoder)


def test_images_have_no_strides():
    with pytest.raises(ValueError, match="architecture='unet' reads images, and has no such"):
        segmentation_network(encoder="tiny", encoder_strides=[[2, 2, 2]])


def test_unet3d_takes_any_encoder_of_volumes():
    network = segmentation_network(architecture="unet3d", encoder="dynunet", encoder_depth=2)
    assert network.encoder.out_channels[1:] == [32, 64, 128]


@pytest.mark.parametrize(
    ("names", "axes"),
    [
        ({}, 2),
        ({"architecture": "auto", "encoder": "auto"}, 2),
        ({"architecture": lambda c, k: None}, 2),
        ({"architecture": "auto", "encoder": "residual3d"}, 3),
        ({"architecture": "dynunet", "encoder": "auto"}, 3),
    ],
)
def test_either_name_tells_what_is_read(names, axes):
    assert spatial_axes(**names) == axes


@pytest.mark.parametrize("options", [{"architecture": "dynunet"}, {"architecture": "unet3d"}])
def test_dynunet_has_two_stages_at_least(options):
    with pytest.raises(ValueError, match=r"takes 2 to 6 stages|needs at least 2 stages"):
        segmentation_network(encoder="dynunet", encoder_depth=1, **options)


def test_where_monai_is_missing_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "monai.networks.nets", None)
    with pytest.raises(ImportError, match=r"pip install 'segclf\[monai\]'"):
        segmentation_network(architecture="dynunet", encoder="dynunet")
