import numpy as np
import pytest
import torch

from segclf.networks import build, segmentation_network

VOLUMES = ["unet3d", "dynunet"]


def network(architecture="unet3d", encoder=None, **options):
    encoder = encoder or {"unet3d": "tiny3d"}.get(architecture, architecture)
    return segmentation_network(
        architecture=architecture, encoder=encoder, in_channels=1, **options
    ).eval()


@pytest.mark.parametrize("architecture", VOLUMES)
@pytest.mark.parametrize("size", [(8, 16, 16), (5, 13, 7), (1, 1, 1), (1, 40, 3)])
def test_logits_are_of_the_volume_s_own_size(architecture, size):
    made = network(architecture, encoder_strides=[[1, 2, 2], [2, 2, 2]])
    assert made(torch.randn(2, 1, *size)).shape == (2, 2, *size)


@pytest.mark.parametrize("architecture", VOLUMES)
def test_it_is_made_again_from_its_recipe(architecture):
    made = network(architecture, encoder_strides=((1, 2, 2), (2, 2, 2)))
    again = build(made.recipe).eval()
    again.load_state_dict(made.state_dict())
    volume = torch.randn(1, 1, 4, 8, 8)
    assert again.recipe == made.recipe
    assert torch.equal(again(volume), made(volume))


def test_dynunet_is_monai_s():
    from monai.networks.nets import DynUNet

    strides = [[1, 2, 2], [2, 2, 2]]
    made = network("dynunet", encoder_strides=strides)
    kernels = [[1, 3, 3], [3, 3, 3], [3, 3, 3]]
    theirs = DynUNet(3, 1, 2, kernels, [[1, 1, 1], *strides], strides).eval()
    ours = [*made.encoder.parameters(), *made.decoder.parameters(), *made.head.parameters()]
    parts = [theirs.input_block, theirs.downsamples, theirs.bottleneck, theirs.upsamples]
    given = [each for part in [*parts, theirs.output_block] for each in part.parameters()]
    with torch.no_grad():
        for own, other in zip(ours, given, strict=True):
            own.copy_(other)
    volume = torch.randn(2, 1, 4, 8, 8)
    torch.testing.assert_close(made(volume), theirs(volume))


def test_a_volume_without_depth_is_segmented_alike_in_each_slice():
    """Repeated slices give repeated maps, but for what the padding of zeros does at the ends."""
    made = network(encoder_strides=[[1, 2, 2]])
    image = torch.randn(1, 1, 1, 16, 16)
    for module in made.modules():  # repeat the ends in place of zeros
        if isinstance(module, torch.nn.Conv3d) and any(module.padding):
            module.padding_mode = "replicate"
            module._reversed_padding_repeated_twice = [
                each for pad in module.padding[::-1] for each in (pad, pad)
            ]
    deep = made(image.expand(-1, -1, 6, -1, -1))
    torch.testing.assert_close(deep, deep[:, :, :1].expand_as(deep), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(deep[:, :, :1], made(image), atol=1e-5, rtol=1e-5)


def test_every_parameter_of_it_learns():
    for architecture in VOLUMES:
        made = network(architecture, encoder_strides=[[1, 2, 2], [2, 2, 2]]).train()
        made(torch.randn(2, 1, 4, 8, 8)).square().sum().backward()
        for name, parameter in made.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name


def test_it_starts_from_the_shares_of_the_classes():
    made = network().set_prior(torch.tensor([0.9, 0.1]), multilabel=False)
    shares = made.head.bias.softmax(0).detach().numpy()
    np.testing.assert_allclose(shares, [0.9, 0.1], atol=1e-6)


def test_strides_and_depth_agree():
    assert network(encoder_depth=2).recipe["encoder_strides"] == [[2, 2, 2]] * 2
    assert network().recipe["encoder_depth"] == 4
    with pytest.raises(ValueError, match=r"encoder_depth=3, but encoder_strides=.* 2 stages"):
        network(encoder_depth=3, encoder_strides=[[2, 2, 2]] * 2)
