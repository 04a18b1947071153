import os
from pathlib import Path

import pytest
import safetensors.torch
import timm
import torch
from torch import nn
from torchvision import models

from segclf.networks import (
    classification_network,
    load_weights,
    read_tensors,
    segmentation_network,
)
from segclf.networks.encoders import weights_holder
from segclf.networks.weights import adapt_first_convolution, weights_file

MOBILENET = Path(__file__).parents[2].parent / "shared/weights/mobilenet_v2-b0353104.pth"


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    return dict(segmentation_network(encoder="tiny").encoder.state_dict())


@pytest.fixture
def save(tmp_path):
    def write(tensors, name="weights.pth"):
        file = tmp_path / name
        if file.suffix == ".safetensors":
            safetensors.torch.save_file(tensors, file)
        else:
            torch.save(tensors, file)
        return file

    return write


def same(encoder, state):
    own = encoder.state_dict()
    return all(torch.equal(own[name], state[name]) for name in own)


@pytest.mark.parametrize("name", ["weights.pth", "weights.pt", "weights.safetensors"])
@pytest.mark.parametrize("make", [segmentation_network, classification_network])
def test_both_kinds_of_file_for_both_kinds_of_network(save, state, name, make):
    assert same(make(encoder="tiny", encoder_weights=save(state, name)).encoder, state)


@pytest.mark.parametrize("prefix", ["module.", "encoder.", "backbone.", "model.", "module.net.e."])
def test_any_prefix_and_any_further_tensors(save, state, prefix):
    tensors = {prefix + name: each for name, each in state.items()}
    tensors |= {"head.weight": torch.zeros(3), prefix + "fc.bias": torch.zeros(2)}
    assert same(segmentation_network(encoder="tiny", encoder_weights=save(tensors)).encoder, state)


def test_nested_dictionaries_and_plain_values(save, state):
    file = save({"epoch": 3, "args": {"lr": 0.1}, "state_dict": state})
    assert same(classification_network(encoder="tiny", encoder_weights=str(file)).encoder, state)


def test_a_whole_network_of_ours_gives_its_encoder(save):
    network = segmentation_network(encoder="tiny")
    file = save(network.state_dict())
    loaded = classification_network(encoder="tiny", encoder_weights=file)
    assert same(loaded.encoder, network.encoder.state_dict())


@pytest.mark.parametrize("in_channels", [1, 2, 4, 6])
def test_first_convolution_in_closed_form(save, state, in_channels):
    file = save(state)
    network = segmentation_network(encoder="tiny", encoder_weights=file, in_channels=in_channels)
    weight, old = network.encoder.stages[0][0].weight, state["stages.0.0.weight"]
    if in_channels == 1:
        expected = old.sum(1, keepdim=True)
    else:
        expected = torch.stack([old[:, i % 3] for i in range(in_channels)], 1) * 3 / in_channels
    assert torch.allclose(weight, expected)
    assert torch.equal(network.encoder.stages[1][0].weight, state["stages.1.0.weight"])


@pytest.mark.parametrize("in_channels", [1, 3, 6])
def test_first_convolution_answers_gray_as_before(in_channels):
    weight = torch.randn(4, 3, 3, 3)
    adapted = adapt_first_convolution(weight, torch.Size((4, in_channels, 3, 3)))
    gray = torch.rand(1, 1, 8, 8)
    before = nn.functional.conv2d(gray.expand(-1, 3, -1, -1), weight)
    after = nn.functional.conv2d(gray.expand(-1, in_channels, -1, -1), adapted)
    assert torch.allclose(before, after, atol=1e-5)


def test_only_the_channels_of_a_first_convolution_are_adapted():
    weight = torch.zeros(4, 3, 3, 3)
    for shape in [(5, 1, 3, 3), (4, 1, 5, 3), (4, 1, 3, 5), (4, 3)]:
        assert adapt_first_convolution(weight, torch.Size(shape)) is weight


@pytest.mark.parametrize("make", [segmentation_network, classification_network])
def test_a_shallow_tiny_encoder_takes_its_part_of_a_deeper_one(save, state, make):
    network = make(encoder="tiny", encoder_depth=2, encoder_weights=save(state))
    assert same(network.encoder, state)


def test_missing_tensors_are_counted_and_named(save, state):
    kept = {name: each for name, each in state.items() if not name.startswith("stages.2")}
    with pytest.raises(
        ValueError, match=r"the file has 8 of its 12 tensors; 4 missing: stages\.2\.0\.weight"
    ):
        segmentation_network(encoder="tiny", encoder_weights=save(kept))


def test_other_shapes_are_counted_and_named(save, state):
    with pytest.raises(
        ValueError, match=r"1 of another shape: stages\.1\.0\.bias \(3,\) in the file, \(32,\) here"
    ):
        segmentation_network(
            encoder="tiny", encoder_weights=save(state | {"stages.1.0.bias": torch.zeros(3)})
        )


def test_weights_of_something_else(save):
    file = save({"some.layer": torch.zeros(2)})
    with pytest.raises(
        ValueError, match=r"the file has 0 of its 12 tensors; 12 missing.*holds some\.layer\."
    ):
        segmentation_network(encoder="tiny", encoder_weights=file)


def test_weights_of_a_deeper_network_are_refused(save):
    file = save(models.resnet34().state_dict())
    with pytest.raises(ValueError, match=r"\d+ left over: layer1\.2\.conv1\.weight"):
        classification_network(encoder="resnet18", encoder_weights=file)


def test_torchvision_s_old_densenet_names(save):
    theirs = models.densenet121(num_classes=2).state_dict()
    old = {
        name.replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): each
        for name, each in theirs.items()
        if not name.endswith("num_batches_tracked")
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    network = classification_network(encoder="densenet121", encoder_weights=save(old))
    assert same(network.encoder, theirs)


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext", "test_efficientnet"])
def test_timm_s_file_fits_timm_s_model_in_both_kinds(save, name):
    model = timm.create_model(name)
    file = save(model.state_dict())
    for make in (segmentation_network, classification_network):
        encoder = make(encoder=name, encoder_weights=file).encoder
        first = next(iter(model.state_dict().values()))
        assert torch.equal(next(iter(encoder.state_dict().values())), first)
        random = weights_holder(make(encoder=name).encoder).state_dict()
        own = weights_holder(encoder).state_dict()
        changed = [key for key in own if own[key].is_floating_point() and own[key].ndim > 1]
        assert not any(torch.equal(own[key], random[key]) for key in changed)


def test_timm_s_shallow_encoder_takes_the_deep_file(save):
    file = save(timm.create_model("test_efficientnet").state_dict())
    segmentation_network(encoder="test_efficientnet", encoder_depth=2, encoder_weights=file)


@pytest.mark.skipif(not MOBILENET.exists(), reason="the file of MobileNetV2 is not here")
@pytest.mark.parametrize("in_channels", [1, 3])
def test_torchvision_s_mobilenet_file(in_channels):
    theirs = models.mobilenet_v2()
    theirs.load_state_dict(read_tensors(MOBILENET))
    gray = torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        expected = theirs.eval().features(gray.expand(-1, 3, -1, -1)).mean((2, 3))
        for make in (segmentation_network, classification_network):
            network = make(
                encoder="mobilenet_v2", encoder_weights=MOBILENET, in_channels=in_channels
            ).eval()
            found = network.embed(gray.expand(-1, in_channels, -1, -1))
            assert torch.allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("make", [segmentation_network, classification_network])
def test_what_is_neither_a_file_nor_a_name(make):
    with pytest.raises(FileNotFoundError, match=r"'imagenett' is neither a file nor a name"):
        make(encoder="resnet18", encoder_weights="imagenett")


def test_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pth'.*there is no such file"):
        weights_file(tmp_path / "nowhere.pth")
    with pytest.raises(FileNotFoundError, match=r"'nowhere\.pth'.*there is no such file"):
        weights_file("nowhere.pth")
    assert weights_file(None) is None


class Malicious:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


def test_a_malicious_pickle_is_refused_and_not_run(tmp_path, save, state):
    target = tmp_path / "owned"
    file = save({**state, "extra": Malicious(target)})
    with pytest.raises(ValueError, match="cannot be read as weights"):
        segmentation_network(encoder="tiny", encoder_weights=file)
    assert not target.exists()
    torch.load(file, weights_only=False)
    assert target.exists()


@pytest.mark.parametrize("name", ["broken.pth", "broken.safetensors"])
def test_a_damaged_file(tmp_path, name):
    file = tmp_path / name
    file.write_bytes(b"not weights at all")
    with pytest.raises(ValueError, match=f"{name} cannot be read as weights"):
        read_tensors(file)


def test_a_failed_load_changes_nothing(save, state):
    encoder = segmentation_network(encoder="tiny").encoder
    before = {name: each.clone() for name, each in encoder.state_dict().items()}
    with pytest.raises(ValueError, match="missing"):
        load_weights(encoder, save({"stages.0.0.weight": state["stages.0.0.weight"]}))
    assert same(encoder, before)
