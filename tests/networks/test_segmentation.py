import pytest
import torch

from segclf.data import Augmentation
from segclf.data.orientation import reorient, undone
from segclf.networks import segmentation_network


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(0)
    return segmentation_network(encoder="tiny", n_classes=3).eval()


@pytest.mark.parametrize("size", [(1, 2), (7, 1), (8, 8), (37, 53)])
def test_logits_have_the_size_of_the_image(tiny, size):
    assert tiny(torch.rand(2, 3, *size)).shape == (2, 3, *size)


def test_padding_is_what_one_would_do_by_hand(tiny):
    image = torch.rand(1, 3, 13, 24)
    by_hand = torch.cat([image, image[:, :, -1:].expand(-1, -1, 3, -1)], dim=2)
    assert torch.allclose(tiny(image), tiny(by_hand)[:, :, :13], atol=1e-6)


def test_statistics_change_the_scale_of_the_input_only(tiny):
    image = torch.rand(1, 3, 16, 16)
    before = tiny(image)
    tiny.set_statistics([5.0, 6.0, 7.0], [10.0, 20.0, 30.0])
    shift, scale = (torch.tensor(each)[:, None, None] for each in ([5, 6, 7], [10, 20, 30]))
    after = tiny(image * scale + shift)
    tiny.set_statistics([0.0] * 3, [1.0] * 3)
    assert torch.allclose(before, after, atol=1e-4)


def test_embedding_is_the_mean_of_the_deepest_map(tiny):
    image = torch.rand(2, 3, 20, 9)
    maps = tiny.features(image)
    assert [tuple(each.shape[1:]) for each in maps] == [
        (3, 24, 16),
        (16, 12, 8),
        (32, 6, 4),
        (64, 3, 2),
    ]
    assert torch.allclose(tiny.embed(image), maps[-1].mean((2, 3)))


def test_result_for_an_image_does_not_depend_on_its_company():
    torch.manual_seed(0)
    network = segmentation_network(encoder="tiny").train()
    images = torch.rand(4, 3, 16, 16)
    assert torch.allclose(network(images)[1:2], network(images[1:2]), atol=1e-5)


def test_channels_last_changes_nothing(tiny):
    image = torch.rand(2, 3, 16, 24)
    assert torch.allclose(
        tiny(image), tiny(image.contiguous(memory_format=torch.channels_last)), atol=1e-5
    )


@pytest.mark.parametrize("size", [(16, 16), (13, 5)])
def test_autocast_to_bfloat16_trains(size):
    torch.manual_seed(0)
    network = segmentation_network(encoder="tiny").to(memory_format=torch.channels_last)
    image = torch.rand(2, 3, *size).contiguous(memory_format=torch.channels_last)
    exact = network(image)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = network(image)
    assert logits.shape == exact.shape
    assert (logits.float() - exact).abs().max() < 0.1 * exact.abs().max()
    logits.float().square().mean().backward()
    assert all(torch.isfinite(each.grad).all() for each in network.parameters())


def test_parts_are_within_reach(tiny):
    names = {name.split(".")[0] for name, _ in tiny.named_parameters()}
    assert names == {"encoder", "decoder", "head"}
    assert tiny.stride == 8


TURNS = [{"horizontal_flip": 1.0}, {"vertical_flip": 1.0}, {"quarter_turns": 1.0}]


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("size", [(16, 16), (13, 21)])
def test_maps_are_turned_in_training_and_logits_back(turn, size):
    network = segmentation_network(encoder="tiny").set_encoder_rate(0).train()
    image = torch.rand(4, 3, *size)
    plain = network(image)
    network.turns = Augmentation(**turn)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        turned = network(image)
        torch.manual_seed(1)
        maps = network.features(image)
        square = maps[0].shape[-2] == maps[0].shape[-1]
        ways = network.turns.orientation(4, torch.default_generator, square=square)
    by_hand = network.head(network.decoder([reorient(each, ways) for each in maps]))
    by_hand = reorient(by_hand, undone(ways))[..., : size[0], : size[1]]
    torch.testing.assert_close(turned, by_hand)
    assert not torch.allclose(turned, plain)
    torch.testing.assert_close(network.eval()(image), plain)


def test_class_tokens_beside_turned_maps_stay():
    network = segmentation_network(architecture="dpt", encoder="vit_tiny_patch16_224")
    network.set_encoder_rate(0).train().turns = Augmentation(horizontal_flip=1.0)
    assert network(torch.rand(2, 3, 32, 32)).shape == (2, 2, 32, 32)
