import pytest
import torch

from segclf.networks import classification_network, make_volume_encoder
from segclf.networks.volume_encoders import VOLUME_ENCODERS

STRIDES = [[1, 2, 2], [2, 2, 2]]


@pytest.mark.parametrize("name", VOLUME_ENCODERS)
def test_maps_are_finest_first_and_as_coarse_as_the_strides_say(name):
    encoder = make_volume_encoder(name, in_channels=2, strides=STRIDES)
    volume = torch.randn(2, 2, 4, 8, 16)
    maps = encoder(volume)
    assert maps[0] is volume
    assert [tuple(each.shape[2:]) for each in maps[1:]] == [(4, 8, 16), (4, 4, 8), (2, 2, 4)]
    assert [each.shape[1] for each in maps] == encoder.out_channels
    assert encoder.strides == STRIDES
    assert tuple(encoder.output_stride) == (2, 4, 4)


@pytest.mark.parametrize("name", VOLUME_ENCODERS)
def test_a_volume_is_encoded_as_if_it_were_alone(name):
    encoder = make_volume_encoder(name, in_channels=1, strides=STRIDES).eval()
    volumes = torch.randn(2, 1, 4, 8, 8)
    together, alone = encoder(volumes)[-1], encoder(volumes[:1])[-1]
    torch.testing.assert_close(together[:1], alone)


def test_along_a_waiting_axis_slices_do_not_mix_before_its_turn():
    encoder = make_volume_encoder("tiny3d", in_channels=1, strides=[[1, 2, 2], [2, 2, 2]])
    block = encoder.levels[0]
    volume = torch.randn(1, 1, 6, 8, 8)
    other = volume.clone()
    other[:, :, 0] += 1
    convolution = block.convolutions[0]
    assert torch.equal(convolution(volume)[:, :, 1:], convolution(other)[:, :, 1:])


@pytest.mark.parametrize("name", VOLUME_ENCODERS)
def test_it_learns_from_a_single_voxel(name):
    network = classification_network(
        encoder=name, in_channels=1, n_classes=2, encoder_strides=STRIDES
    )
    network.train()(torch.randn(1, 1, 1, 1, 1)).sum().backward()
    assert all(each.grad.isfinite().all() for each in network.parameters())


def test_tiny3d_has_half_the_channels():
    widths = [
        make_volume_encoder(name, in_channels=1, strides=STRIDES).out_channels[1:]
        for name in ("tiny3d", "residual3d")
    ]
    assert widths == [[8, 16, 32], [16, 32, 64]]
