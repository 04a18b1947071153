import numpy as np
import pytest
import torch
from torch import nn

from segclf.data import as_images
from segclf.training import PredictionPlan, predict_batches


class Counted(nn.Module):
    """Double the image; remember the shapes seen."""

    def __init__(self):
        super().__init__()
        self.shapes = []

    def forward(self, image):
        self.shapes.append(tuple(image.shape))
        return 2 * image


def collect(network, images, **settings):
    plan = PredictionPlan(**{"batch_size": 4, **settings})
    collected = {}
    for indices, output in predict_batches(network, as_images(images), plan, lambda scores: scores):
        collected.update(zip(indices.tolist(), output.numpy(), strict=True))
    return [collected[i] for i in range(len(images))]


@pytest.fixture
def images():
    return np.random.default_rng(0).random((6, 12, 20, 1), dtype=np.float32)


def test_short_batches_are_filled_up(images):
    network = Counted()
    found = collect(network, images)
    assert network.shapes == [(4, 1, 12, 20)] * 2
    np.testing.assert_array_equal(np.stack(found), 2 * images.transpose(0, 3, 1, 2))


def test_each_size_has_its_own_batches(images):
    mixed = [image[: 6 + 6 * (i % 2)] for i, image in enumerate(images)]
    network = Counted()
    found = collect(network, mixed)
    assert sorted(network.shapes) == [(4, 1, 6, 20), (4, 1, 12, 20)]
    for one, image in zip(found, mixed, strict=True):
        np.testing.assert_array_equal(one, 2 * image.transpose(2, 0, 1))


def test_maps_come_back_at_the_own_size(images):
    network = Counted()
    found = collect(network, np.ones_like(images), image_size=(8, 8))
    assert network.shapes == [(4, 1, 8, 8)] * 2
    np.testing.assert_allclose(np.stack(found), np.full((6, 1, 12, 20), 2.0), rtol=1e-6)


def of_many_sizes():
    random = np.random.default_rng(0)
    return [random.random((8 + i % 5, 20 - i, 1), dtype=np.float32) for i in range(6)]


def test_images_of_many_sizes_share_the_batches_of_the_size_that_the_network_sees():
    mixed = of_many_sizes()
    network = Counted()
    together = collect(network, mixed, image_size=(9, 16))
    assert network.shapes == [(4, 1, 9, 16)] * 2
    for one, image in zip(together, mixed, strict=True):
        assert one.shape == (1, *image.shape[:2])
        np.testing.assert_array_equal(one, collect(Counted(), [image], image_size=(9, 16))[0])


def test_the_maps_of_a_batch_come_size_by_size_and_vectors_at_once():
    plan = PredictionPlan(batch_size=6, image_size=(8, 8))
    images = as_images([*of_many_sizes()[:2], *of_many_sizes()[:2]])
    maps = {tuple(i): tuple(o.shape) for i, o in predict_batches(nn.Identity(), images, plan)}
    assert maps == {(0, 2): (2, 1, 8, 20), (1, 3): (2, 1, 9, 19)}
    vectors = predict_batches(nn.Identity(), images, plan, forward=lambda x: x.mean((2, 3)))
    assert [(i.tolist(), tuple(o.shape)) for i, o in vectors] == [([0, 1, 2, 3], (4, 1))]


def test_tiles_blend_into_what_the_whole_would_give(images):
    network = Counted()
    found = collect(network, images, tile_size=8)
    assert {shape[2:] for shape in network.shapes} == {(8, 8)}
    np.testing.assert_allclose(np.stack(found), 2 * images.transpose(0, 3, 1, 2), rtol=1e-5)


def test_tiles_cover_every_pixel_and_overlap_by_a_quarter():
    from segclf.training.windows import _starts

    for length in range(8, 60):
        starts = np.array(_starts(length, 8))
        assert starts[0] == 0
        assert starts[-1] == length - 8
        assert (np.diff(starts) <= 6).all()


@pytest.mark.parametrize(("size", "length"), [((64, 64), 16), ((256, 128), 2), ((512, 512), 1)])
def test_large_images_come_in_smaller_batches(size, length):
    """A short batch is filled up, and one image should not cost as much as many."""
    network = Counted()
    collect(network, np.zeros((1, *size, 1), dtype=np.uint8), batch_size=16)
    assert network.shapes == [(length, 1, *size)]
    on_a_gpu = PredictionPlan(batch_size=16, device=torch.device("cuda"))
    assert on_a_gpu.length((256, 128)) == 16


def test_threads_hold_while_computing_only(images):
    before = torch.get_num_threads()
    plan = PredictionPlan(batch_size=4, n_threads=before + 1)
    for _ in predict_batches(Counted(), as_images(images), plan, lambda scores: scores):
        assert torch.get_num_threads() == before


class Broken(nn.Module):
    """A score that is not finite in the first pixel of images whose first pixel is bright."""

    def __init__(self, score):
        super().__init__()
        self.score = score

    def forward(self, image):
        scores = image.repeat(1, 2, 1, 1)
        scores[image[:, 0, 0, 0] > 2, 1, 0, 0] = self.score
        return scores


@pytest.mark.parametrize("score", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("activation", [torch.sigmoid, lambda scores: scores.softmax(1), None])
@pytest.mark.parametrize("tile_size", [None, 8])
def test_scores_that_are_not_finite_name_the_image(images, score, activation, tile_size):
    """Also those that an activation would hide: the sigmoid of infinity is 1."""
    images[5, 0, 0] = 3.0
    plan = PredictionPlan(batch_size=4, tile_size=tile_size)
    outputs = predict_batches(Broken(score), as_images(images), plan, activation)
    assert next(outputs)[0].tolist() == [0, 1, 2, 3]
    with pytest.raises(FloatingPointError, match=r"for image 5\. .* lower learning_rate"):
        next(outputs)
    images[4, 0, 0] = 3.0
    with pytest.raises(FloatingPointError, match="for image 4 and 1 more of its batch"):
        list(predict_batches(Broken(score), as_images(images), plan, activation))


def test_finite_scores_whose_sum_is_not_are_predicted(images):
    class Large(nn.Module):
        def forward(self, image):
            return torch.full_like(image, 3e38)

    assert collect(Large(), images)[0].max() == np.float32(3e38)
