import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.base import clone
from torch.testing import assert_close

from segclf import SupervisedSegmenter, load, save
from segclf.datasets import make_shapes
from segclf.networks import segmentation_network

SHAPES = make_shapes(6, image_size=16, n_objects=2, target_radius=4, random_state=0)
PLAIN = {"architecture": "plain_unet", "encoder": "plain"}


def n_parameters(network):
    return sum(each.numel() for each in network.parameters())


@pytest.mark.parametrize(("width", "n_channels", "n_classes"), [(64, 1, 2), (6, 3, 4), (1, 2, 1)])
def test_parameters_by_hand(width, n_channels, n_classes):
    """Two convolutions of 9 weights a pair of channels and two normalizations, level by level.

    The top has 9 c w + 9 w^2 + 4 w. Going down from a channels costs 54 a^2 + 8 a, for a = w, 2 w,
    4 w, 8 w; coming up to s of them 36 s^2 + 4 s, for the same four; and the head k w + k.
    """
    network = segmentation_network(
        **PLAIN, decoder_channels=width, in_channels=n_channels, n_classes=n_classes
    )
    w, c, k = width, n_channels, n_classes
    assert n_parameters(network) == 7659 * w**2 + (9 * c + 184 + k) * w + k


def test_it_is_by_default_as_wide_as_in_s4c_s_reference():
    assert n_parameters(segmentation_network(**PLAIN)) == 7659 * 64**2 + (27 + 184 + 2) * 64 + 2


def convolved(image, layers):
    for convolution, norm in (layers[:2], layers[3:5]):
        image = F.conv2d(image, convolution.weight.double(), padding=1)
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        shift = norm.bias - norm.running_mean * scale
        image = (image * scale[:, None, None] + shift[:, None, None]).clamp(min=0)
    return image


def halved(maps):
    n, d, h, w = maps.shape
    return maps.reshape(n, d, h // 2, 2, w // 2, 2).amax((3, 5))


def doubled(maps):
    """Between two neighbours lie their means of 3 : 1 and 1 : 3; beyond the edge is the edge."""
    for _ in range(2):
        before = torch.cat([maps[..., :1], maps[..., :-1]], dim=-1)
        after = torch.cat([maps[..., 1:], maps[..., -1:]], dim=-1)
        pairs = torch.stack([(before + 3 * maps) / 4, (3 * maps + after) / 4], dim=-1)
        maps = pairs.flatten(-2).transpose(-1, -2)
    return maps


def test_forward_by_hand():
    torch.manual_seed(0)
    network = segmentation_network(**PLAIN, decoder_channels=3, encoder_depth=2).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for value in (module.weight, module.running_var):
                value.data.uniform_(0.5, 2)
            for value in (module.bias, module.running_mean):
                value.data.normal_()
    image = torch.randn(2, 3, 12, 8)
    top = convolved(image.double(), network.encoder.levels[0])
    middle = convolved(halved(top), network.encoder.levels[1])
    bottom = convolved(halved(middle), network.encoder.levels[2])
    middle = convolved(torch.cat([middle, doubled(bottom)], 1), network.decoder.levels[0])
    top = convolved(torch.cat([top, doubled(middle)], 1), network.decoder.levels[1])
    expected = torch.einsum("kd,ndhw->nkhw", network.head.weight[..., 0, 0].double(), top)
    expected = expected + network.head.bias[:, None, None]
    with torch.no_grad():
        assert_close(network(image), expected.float(), rtol=1e-4, atol=1e-5)


def test_odd_and_small_sizes():
    network = segmentation_network(**PLAIN, decoder_channels=2, n_classes=3).eval()
    with torch.no_grad():
        assert network(torch.rand(1, 3, 37, 53)).shape == (1, 3, 37, 53)
        assert network(torch.rand(1, 3, 1, 2)).shape == (1, 3, 1, 2)
        assert network.embed(torch.rand(2, 3, 9, 9)).shape == (2, 32)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoder": "tiny"}, "it has its own encoder; expected encoder='plain'"),
        ({"architecture": "unet"}, "encoder='plain' works only with architecture='plain_unet'"),
        ({"encoder_weights": "imagenet"}, "no such weights are published for encoder='plain'"),
        ({"decoder_channels": (4, 2)}, "takes one number, for example 64"),
    ],
)
def test_what_does_not_go_together(options, message):
    with pytest.raises(ValueError, match=message):
        segmentation_network(**PLAIN | options)


def test_in_a_segmenter(tmp_path):
    segmenter = SupervisedSegmenter(
        architecture="plain_unet", decoder_channels=2, max_steps=2, random_state=0
    )
    fitted = clone(segmenter).fit(SHAPES.images, SHAPES.masks)
    chosen = {name: fitted.chosen_[name] for name in ("encoder", "encoder_weights", "encoder_rate")}
    assert chosen == {"encoder": "plain", "encoder_weights": None, "encoder_rate": 1.0}
    assert n_parameters(fitted.network_) == 7659 * 4 + (27 + 184 + 2) * 2 + 2
    save(fitted, tmp_path / "fitted")
    expected = fitted.predict_proba(SHAPES.images)
    for again in (load(tmp_path / "fitted"), pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(again.predict_proba(SHAPES.images), expected)


def test_layers_learn_at_rates_of_their_own():
    segmenter = SupervisedSegmenter(
        **PLAIN, decoder_channels=2, layer_decay=0.5, max_steps=2, test_time_flips="both"
    )
    assert segmenter.fit(SHAPES.images, SHAPES.masks).predict(SHAPES.images).shape == (6, 16, 16)
