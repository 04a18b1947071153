import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from segclf import ImageClassifier, SupervisedSegmenter, load, save
from segclf.base.frozen_network import freeze
from segclf.datasets import make_shapes

SHAPES = make_shapes(4, image_size=16, n_objects=2, target_radius=4, random_state=0)


def compiled(network):
    return torch.compile(network, backend="eager")


def compiled_inside(network):
    network.encoder = compiled(network.encoder)
    return network


def old_weight_norm(network):
    first_convolution = convolution(network)
    with pytest.warns(FutureWarning, match="weight_norm"):
        nn.utils.weight_norm(first_convolution)
    first_convolution.weight_g.data *= 2  # the weight follows in the next forward pass
    return network


def weight_norm(network):
    parametrizations.weight_norm(convolution(network))
    return network


def spectral_norm(network):
    parametrizations.spectral_norm(convolution(network))
    return network.eval()


def pruned(network):
    layer = convolution(network)
    mask = torch.ones_like(layer.weight)
    mask[0] = 0
    prune.custom_from_mask(layer, "weight", mask)
    return network


def compiled_and_normed(network):
    return compiled(weight_norm(network))


def doubled(network):
    return network.double()


def convolution(network):
    return next(m for m in network.encoder.modules() if isinstance(m, nn.Conv2d))


@pytest.fixture
def fitted():
    return SupervisedSegmenter(encoder="tiny", max_epochs=1, random_state=0).fit(
        SHAPES.images, SHAPES.masks
    )


@pytest.mark.parametrize(
    "change",
    [compiled, compiled_inside, old_weight_norm, weight_norm, spectral_norm, pruned,
     compiled_and_normed, doubled],
)  # fmt: skip
@pytest.mark.parametrize("way", ["file", "pickle"])
def test_what_torch_made_of_the_network_comes_back(change, way, fitted, tmp_path):
    fitted.network_ = change(fitted.network_)
    if way == "file":
        save(fitted, tmp_path / "saved")
        again = load(tmp_path / "saved")
    else:
        again = pickle.loads(pickle.dumps(fitted))
    expected = fitted.predict_proba(SHAPES.images)
    np.testing.assert_array_equal(again.predict_proba(SHAPES.images), expected)


def test_half_precision_comes_back_as_it_was(fitted):
    fitted.network_.half()
    again = pickle.loads(pickle.dumps(fitted)).network_.state_dict()
    for name, tensor in fitted.network_.state_dict().items():
        assert again[name].dtype == tensor.dtype
        assert torch.equal(again[name], tensor)


@pytest.mark.parametrize("way", ["file", "pickle"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda network: nn.Conv2d(3, 2, 1), "network_ is a torch.nn.*Conv2d: .*recipe"),
        (nn.DataParallel, "network_ is a .*DataParallel"),
        (lambda network: network.bfloat16(), r"has dtype torch.bfloat16.*network_.float\(\)"),
    ],
)
def test_other_networks_are_refused(change, message, way, fitted, tmp_path):
    fitted.network_ = change(fitted.network_)
    with pytest.raises(TypeError, match=message):
        save(fitted, tmp_path / "saved") if way == "file" else pickle.dumps(fitted)
    assert list(tmp_path.iterdir()) == []


def test_other_modules_inside_are_refused(fitted):
    network = fitted.network_
    head = network.head
    network.head = nn.Sequential(head, nn.ReLU())
    with pytest.raises(TypeError, match=r"network_\.head"):
        freeze(network)
    network.head = head
    network.extra = nn.Linear(2, 2)
    with pytest.raises(TypeError, match=r"network_\.extra, a .*Linear, was added"):
        freeze(network)
    del network.extra
    wide = convolution(network)
    wide.weight = nn.Parameter(torch.zeros(1, 2, 3, 3))
    with pytest.raises(TypeError, match=r"is of shape \(1, 2, 3, 3\), expected shape"):
        freeze(network)


def test_freezing_takes_no_random_number_and_changes_nothing():
    fitted = ImageClassifier(encoder="tiny", max_epochs=1, random_state=0)
    fitted.fit(SHAPES.images, SHAPES.target)
    before = torch.get_rng_state()
    first, second = freeze(fitted.network_), freeze(fitted.network_)
    assert torch.equal(torch.get_rng_state(), before)
    assert first["arrays"].keys() == fitted.network_.state_dict().keys()
    for name in first["arrays"]:
        np.testing.assert_array_equal(first["arrays"][name], second["arrays"][name])
