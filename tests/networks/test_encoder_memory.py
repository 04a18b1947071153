import copy
import json

import numpy as np
import pytest
import torch
from safetensors import safe_open

from segclf.data import KeptFolder
from segclf.networks import (
    classification_network,
    forget,
    remember,
    remember_outputs,
    segmentation_network,
    share,
)


def frozen(**changes):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = segmentation_network(**{"encoder": "tiny", "in_channels": 3, **changes})
    return network.set_encoder_rate(0).train()


HALF = {"atol": 2e-3, "rtol": 2e-3}  # maps are kept in half precision
IMAGES = torch.rand(5, 3, 12, 16, generator=torch.Generator().manual_seed(0))


class Counter:
    """Counts the images that pass the first stage of an encoder."""

    def __init__(self, network):
        self.n_images = 0
        first = next(m for m in network.encoder.modules() if isinstance(m, torch.nn.Conv2d))
        first.register_forward_hook(self.count)

    def count(self, module, inputs, output):
        self.n_images += len(output)


def test_each_image_is_encoded_once(tmp_path):
    network = frozen()
    counter = Counter(network)
    plain = network(IMAGES)
    remember(network, KeptFolder(tmp_path), most=5)
    expected = network(IMAGES)
    torch.testing.assert_close(expected, plain, **HALF)
    assert counter.n_images == 10
    order = torch.tensor([3, 1, 4, 0])
    torch.testing.assert_close(network(IMAGES[order]), expected[order])
    assert counter.n_images == 10
    assert len(list(tmp_path.rglob("*.*"))) == 0, "no partial file is left"


def test_another_process_finds_them(tmp_path):
    for n_images in (5, 0):
        network = frozen()
        counter = Counter(network)
        remember(network, KeptFolder(tmp_path), most=5)
        network(IMAGES)
        assert counter.n_images == n_images


@pytest.mark.parametrize("encoder", ["resnet18", "convnext_atto", "mit_b0", "tiny_vit"])
def test_maps_of_every_form(encoder, tmp_path):
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    architecture = "vit_unet" if encoder == "tiny_vit" else "unet"
    network = frozen(encoder=encoder, architecture=architecture).eval()
    expected = network.features(images)
    remember(network, KeptFolder(tmp_path), most=2)
    for _ in range(2):
        found = network.features(images)
        for one, other in zip(found, expected, strict=True):
            assert one.shape == other.shape
            torch.testing.assert_close(one, other, **HALF)
    path = next(path for path in tmp_path.rglob("*") if path.is_file())
    with safe_open(path, framework="pt") as file:
        form = json.loads(file.metadata()["form"])
    assert form["list"][0] == "image", "what was given is not written"


def test_vectors(tmp_path):
    network = classification_network(encoder="tiny_vit", n_classes=2).set_encoder_rate(0).eval()
    expected = network(IMAGES)
    remember(network, KeptFolder(tmp_path), most=5)
    network(IMAGES)
    torch.testing.assert_close(network(IMAGES), expected, **HALF)


def test_an_encoder_that_learns_computes(tmp_path):
    network = frozen().set_encoder_rate(0.1)
    remember(network, KeptFolder(tmp_path), most=5)
    network(IMAGES)
    assert not list(tmp_path.iterdir())


def test_the_decoder_learns_the_same(tmp_path):
    gradients = []
    for n_bytes in (None, 0, 0):  # from memory, computed, from files
        network = frozen()
        remember(network, KeptFolder(tmp_path) if n_bytes == 0 else None, most=5, n_bytes=n_bytes)
        network(IMAGES)
        network(IMAGES).square().mean().backward()
        gradients.append([p.grad for p in network.parameters() if p.requires_grad])
    for others in gradients[1:]:
        for one, other in zip(others, gradients[0], strict=True):
            assert torch.equal(one, other)


def test_images_in_another_precision_are_others(tmp_path):
    network = frozen().eval()
    remember(network, KeptFolder(tmp_path), most=10)
    full = network.features(IMAGES)[-1]
    for _ in range(2):
        with torch.autocast("cpu", torch.bfloat16):
            half = network.features(IMAGES)[-1]
        assert not torch.equal(half.float(), full)
        assert half.dtype == torch.bfloat16
    assert torch.equal(network.features(IMAGES)[-1], full)


def test_a_batch_computes_only_what_is_new(tmp_path):
    network = frozen().eval()
    counter = Counter(network)
    remember(network, most=5)
    network(IMAGES[[0, 1, 1]])
    assert counter.n_images == 2
    network(IMAGES)
    assert counter.n_images == 5


def test_memory_has_an_end():
    network = frozen().eval()
    counter = Counter(network)
    one_image = 2 * (16 * 8 * 8 + 32 * 4 * 4 + 64 * 2 * 2)
    remember(network, most=5, n_bytes=2 * one_image)
    expected = network(IMAGES)
    assert torch.equal(network(IMAGES[2:]), expected[2:])
    assert torch.equal(network(IMAGES[:2]), expected[:2])
    assert counter.n_images == 5 + 3


def test_values_beyond_half_precision_stay():
    network = frozen().eval()
    network.encoder.stages[-1].register_forward_hook(lambda module, inputs, output: 1e6 * output)
    expected = network.features(IMAGES)[-1]
    assert expected.max() > 65504
    remember(network, most=5)
    for _ in range(2):
        torch.testing.assert_close(network.features(IMAGES)[-1], expected)


def test_inference_computes_and_keeps_nothing():
    network = frozen().eval()
    counter = Counter(network)
    remember(network, most=5)
    with torch.inference_mode():
        network(IMAGES)
    network.train()(IMAGES).sum().backward()
    assert counter.n_images == 10


def test_the_disk_is_not_filled(tmp_path):
    network = frozen().eval()
    remember(network, KeptFolder(tmp_path), most=3)
    network(IMAGES)
    network(IMAGES + 1)
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 3


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    network = frozen().eval()
    expected = network(IMAGES)
    remember(network, KeptFolder(tmp_path / "file"), most=5)
    with pytest.warns(UserWarning, match="No more files are stored in .*file: Not a directory"):
        found = network(IMAGES)
    torch.testing.assert_close(found, expected, **HALF)


@pytest.mark.parametrize("left", [100, -100], ids=["cut", "zeros, as after a loss of power"])
def test_a_damaged_file_is_written_anew(left, tmp_path):
    network = frozen().eval()
    remember(network, KeptFolder(tmp_path), most=20)
    expected = network(IMAGES)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    whole = files[0].read_bytes()
    damaged = whole[:left] + (b"" if left > 0 else bytes(-left))
    files[0].write_bytes(damaged)
    forget(network)
    remember(network, KeptFolder(tmp_path), most=20)
    torch.testing.assert_close(network(IMAGES), expected)
    assert files[0].read_bytes() != damaged


def test_forget(tmp_path):
    network = frozen().eval()
    names, text = list(network.state_dict()), repr(network)
    remember(network, KeptFolder(tmp_path), most=5)
    assert (list(network.state_dict()), repr(network)) == (names, text)
    counter = Counter(network)
    network(IMAGES)
    forget(network)
    network(IMAGES)
    assert counter.n_images == 10
    forget(network)


def test_a_copy_has_an_encoder_of_its_own(tmp_path):
    network = frozen().eval()
    remember(network, KeptFolder(tmp_path), most=5)
    other = copy.deepcopy(network)
    other.encoder.stages[0][0].weight.data.zero_()
    assert other.encoder.__dict__["forward"]._encoder is other.encoder
    assert not np.allclose(other(IMAGES).detach(), network(IMAGES + 1).detach())


def test_scores_are_kept_as_they_are():
    network = frozen().eval()
    counter = Counter(network)
    expected = network(IMAGES)
    remember_outputs(network, most=5)
    assert torch.equal(network(IMAGES), expected)
    order = torch.tensor([3, 1, 4, 0])
    assert torch.equal(network(IMAGES[order]), expected[order])
    assert counter.n_images == 10


def test_equal_encoders_share_what_they_keep():
    one, other = frozen().eval(), frozen(architecture="fpn").eval()
    expected = other(IMAGES)
    remember(one, most=5)
    counter = Counter(other)
    one(IMAGES)
    share(other, one)
    torch.testing.assert_close(other(IMAGES), expected, **HALF)
    assert counter.n_images == 0


@pytest.mark.parametrize("difference", ["weights", "layers", "not kept"])
def test_encoders_that_differ_share_nothing(difference):
    depth = {"encoder_depth": 2} if difference == "layers" else {}
    one, other = frozen(**depth), frozen()
    if difference == "weights":
        next(one.encoder.parameters()).data += 1e-6
    if difference != "not kept":
        remember(one, most=5)
    counter = Counter(other)
    one(IMAGES)
    share(other, one)
    expected = other(IMAGES)
    assert counter.n_images == 5
    assert torch.equal(other(IMAGES), expected)
