import pytest
import torch

from segclf.data import boxes_at
from segclf.methods.weak_to_strong.views import PHOTOMETRIC, Seen, StrongViews, seen_by
from segclf.networks import segmentation_network

PLAIN = {"cutmix": 0.0, "feature_dropout": 0.0, "feature_noise": 0.0, "photometric": PHOTOMETRIC}


def seen(n_images=6, size=(64, 96)):
    """Maps of three strides, whose numbers are those of their images."""
    value = torch.arange(1.0, n_images + 1)[:, None, None, None]
    image = value.expand(-1, 3, *size)
    maps = [value.expand(-1, c, size[0] // s, size[1] // s) for c, s in ((3, 1), (8, 4), (64, 16))]
    return Seen(image, image, maps)


def views(**settings):
    torch.manual_seed(0)
    return StrongViews(**{**PLAIN, **settings})(None, seen())


def test_nothing_asked_for_is_all_twice():
    strong, boxes = views()
    assert not boxes.any()
    for ours, theirs in zip(strong.maps, seen().maps, strict=True):
        assert torch.equal(ours, torch.cat([theirs, theirs]))


def test_boxes_lie_on_the_coarsest_grid():
    strong, boxes = views(cutmix=1.0)
    coarse = boxes[:, ::16, ::16]
    assert torch.equal(boxes_at(coarse, (64, 96)), boxes)
    assert boxes.any(2).any(1).all()
    own = torch.arange(1.0, 7).repeat(2)[:, None, None]
    before = own.roll(1, 0)
    for maps, stride in zip(strong.maps, (1, 4, 16), strict=True):
        expected = torch.where(boxes[:, ::stride, ::stride], before, own)
        assert torch.equal(maps, expected[:, None].expand_as(maps))


def test_each_channel_is_seen_by_one_view_of_the_two():
    strong, _ = views(feature_dropout=1.0)
    for maps, weak in zip(strong.maps, seen().maps, strict=True):
        first, second = maps.chunk(2)
        assert torch.equal(first + second, 2 * weak)
        assert ((first == 0) | (second == 0)).all()
        assert (first[:, :, 0, 0] == 0)[:, :, None, None].eq(first == 0).all()
    assert (strong.maps[-1] == 0).float().mean().item() == pytest.approx(0.5, abs=0.06)


def test_so_many_images_lose_channels():
    torch.manual_seed(0)
    strong, _ = StrongViews(**{**PLAIN, "feature_dropout": 0.3})(None, seen(400, (16, 16)))
    loses = (strong.maps[-1] == 0).flatten(1).any(1)
    assert torch.equal(*loses.chunk(2))
    assert loses.float().mean().item() == pytest.approx(0.3, abs=0.06)


def test_noise_is_in_deviations_of_the_channel():
    torch.manual_seed(0)
    maps = [torch.randn(8, 3, 64, 64) * torch.tensor([1.0, 10.0, 0.0])[:, None, None]]
    strong, _ = StrongViews(**{**PLAIN, "feature_noise": 0.2})(
        None, Seen(torch.zeros(8, 3, 64, 64), torch.zeros(8, 3, 64, 64), maps)
    )
    noise = strong.maps[0] - torch.cat([maps[0], maps[0]])
    deviation = noise.std((0, 2, 3))
    torch.testing.assert_close(deviation, torch.tensor([0.2, 2.0, 0.0]), rtol=0.05, atol=0.0)


def test_tokens_beside_the_maps_go_with_their_images():
    weak = seen()
    tokens = torch.arange(6.0)[:, None]
    beside = weak._replace(maps=(weak.maps, [tokens, None]))
    strong, _ = StrongViews(**{**PLAIN, "cutmix": 1.0})(None, beside)
    assert strong.maps[1][0].flatten().tolist() == [0, 1, 2, 3, 4, 5] * 2
    chosen = torch.tensor([True, False] * 3)
    (maps, beside) = weak._replace(maps=(weak.maps, [tokens, None])).rows(chosen).maps
    assert beside[0].flatten().tolist() == [0, 2, 4]
    assert maps[1].shape == (3, 8, 16, 24)


@pytest.mark.parametrize("size", [(32, 32), (40, 24)])
def test_an_encoder_that_learns_is_given_changed_images(size):
    student = segmentation_network(encoder="tiny")
    image = torch.rand(4, 3, *size)
    weak = seen_by(student, image)
    assert weak.maps is None
    torch.manual_seed(0)
    strong, boxes = StrongViews(**{**PLAIN, "cutmix": 1.0})(student, weak)
    assert strong.image.shape == (8, 3, *size)
    assert boxes.shape == (8, *size)
    assert not torch.equal(strong.image[:4], image)
    assert torch.equal(strong.maps[-1], student.maps(student.prepare(strong.image))[-1])
    assert strong.scores_of(student).shape == (8, 2, *size)


def test_a_frozen_encoder_is_asked_once_for_each_image():
    student = segmentation_network(encoder="tiny").set_encoder_rate(0)
    calls = []
    student.encoder.register_forward_hook(lambda module, given, _: calls.append(len(given[0])))
    weak = seen_by(student, torch.rand(4, 3, 40, 24))
    strong, boxes = StrongViews(**{**PLAIN, "cutmix": 1.0, "feature_dropout": 0.5})(student, weak)
    assert strong.scores_of(student).shape == (8, 2, 40, 24)
    assert boxes.shape == (8, 40, 24)
    assert calls == [4]
