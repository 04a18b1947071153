import pytest
import torch
from encoded import watch_encoder

from segclf.networks import TinyEncoder, encoded_once, layer_reader, segmentation_network

IMAGES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def calls(monkeypatch):
    """How many images each call of the encoder is of."""
    seen = []
    watch_encoder(monkeypatch, TinyEncoder, seen.append)
    return seen


@pytest.mark.parametrize("architecture", ["unet", "fpn", "hypercolumn", "deeplabv3plus"])
def test_the_second_question_costs_no_encoding(architecture, calls):
    network = segmentation_network(architecture=architecture, encoder="tiny").eval()
    read = layer_reader(network, "local")
    with torch.inference_mode():
        scores, features = network(IMAGES), read(IMAGES)
        calls.clear()
        with encoded_once():
            assert torch.equal(network(IMAGES), scores)
            assert torch.equal(read(IMAGES), features)
            assert calls == [2]
            assert torch.equal(read(IMAGES), features), "what was given away is computed again"
    assert calls == [2, 2]


def test_other_images_and_other_networks_are_others(calls):
    one, other = (segmentation_network(encoder="tiny").eval() for _ in range(2))
    with torch.inference_mode(), encoded_once():
        for network, images in ((one, IMAGES), (other, IMAGES), (one, IMAGES + 0.1)):
            network(images)
    assert calls == [2, 2, 2]


def test_neither_training_nor_what_comes_after(calls):
    network = segmentation_network(encoder="tiny")
    with encoded_once():
        network(IMAGES), network(IMAGES)
    with torch.inference_mode():
        network(IMAGES), network(IMAGES)
    assert calls == [2, 2, 2, 2]


def test_where_there_is_no_room_they_are_computed_again(calls, monkeypatch):
    monkeypatch.setattr("segclf.networks.waiting_maps.WAITING_BYTES", 1000)
    network = segmentation_network(encoder="tiny").eval()
    with torch.inference_mode(), encoded_once():
        assert torch.equal(network(IMAGES), network(IMAGES))
    assert calls == [2, 2]
