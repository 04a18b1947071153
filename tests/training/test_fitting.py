"""A network that fails above so many pixels stands for memory that is too small."""

import numpy as np
import pytest
import torch
from torch import nn

from segclf import ImageClassifier, SupervisedSegmenter
from segclf.data import as_images
from segclf.datasets import make_shapes
from segclf.networks import TinyEncoder
from segclf.training import PredictionPlan, predict_batches

SHAPES = make_shapes(6, image_size=64, n_objects=2, target_radius=4, random_state=0)
SMALLER = "64x64 do not fit into memory at once.* smaller batch_size"


class Room(nn.Module):
    """Double as many pixels as there is room for, and remember the shapes."""

    def __init__(self, n_pixels):
        super().__init__()
        self.n_pixels, self.shapes = n_pixels, []

    def forward(self, image):
        if image.shape[0] * image.shape[2] * image.shape[3] > self.n_pixels:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        self.shapes.append(tuple(image.shape))
        return 2 * image


def collect(network, images, **settings):
    plan = PredictionPlan(**{"batch_size": 6, **settings})
    outputs = list(predict_batches(network, as_images(images), plan))
    order = np.concatenate([indices for indices, _ in outputs])
    return torch.cat([output for _, output in outputs])[np.argsort(order)].numpy()


def test_smaller_batches():
    network = Room(3 * 64 * 64)
    with pytest.warns(UserWarning, match=f"6 images of {SMALLER}") as told:
        found = collect(network, SHAPES.images)
    assert len(told) == 1
    assert network.shapes == [(3, 3, 64, 64)] * 2
    np.testing.assert_array_equal(found, collect(Room(6 * 64 * 64), SHAPES.images))


def test_tiles_where_they_are_allowed():
    network, asked = Room(32 * 32), Room(32 * 32)
    with (
        pytest.warns(UserWarning, match=SMALLER),
        pytest.warns(UserWarning, match="as with batch_size=1 and tile_size=32"),
    ):
        found = collect(network, SHAPES.images, adjustable=("image_size", "tile_size"))
    expected = collect(asked, SHAPES.images, batch_size=1, tile_size=32)
    np.testing.assert_array_equal(found, expected)
    assert network.shapes == asked.shapes


REFUSED = {
    "no tiles": ({"adjustable": ("image_size",)}, "of 64x64 .* take a smaller image_size\\.$"),
    "tiles": (
        {"adjustable": ("image_size", "tile_size")},
        "A tile of 32x32 of an image of 64x64 .* smaller image_size or tile_size\\.$",
    ),
    "tiles asked for": (
        {"adjustable": ("image_size", "tile_size"), "tile_size": 48},
        "A tile of 48x48 .* smaller image_size or tile_size\\.$",
    ),
    "nothing": ({}, "even with batch_size=1\\.$"),
}


@pytest.mark.filterwarnings("ignore:.*not fit into memory")
@pytest.mark.parametrize(("settings", "said"), REFUSED.values(), ids=REFUSED)
def test_what_to_change(settings, said):
    with pytest.raises(MemoryError, match=said):
        collect(Room(1), SHAPES.images, **settings)


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="expected input"):
        collect(nn.Conv2d(7, 1, 1), SHAPES.images)


@pytest.mark.parametrize("kind", [SupervisedSegmenter, ImageClassifier])
def test_estimators_give_what_a_smaller_batch_size_gives(kind, monkeypatch):
    y = SHAPES.target if kind is ImageClassifier else SHAPES.masks
    model = kind(encoder="tiny", max_epochs=1, random_state=0).fit(SHAPES.images, y)
    expected = model.set_params(batch_size=4).predict_proba(SHAPES.images)
    compute = TinyEncoder.forward

    def forward(self, image):
        if len(image) > 4:
            raise MemoryError
        return compute(self, image)

    monkeypatch.setattr(TinyEncoder, "forward", forward)
    with pytest.warns(UserWarning, match=f"8 images of {SMALLER}"):
        found = model.set_params(batch_size=8).predict_proba(SHAPES.images)
    np.testing.assert_array_equal(found, expected)


def test_an_embedding_is_not_tiled(monkeypatch):
    model = SupervisedSegmenter(encoder="tiny", max_epochs=1, random_state=0)
    model.fit(SHAPES.images, SHAPES.masks)

    def forward(self, image):
        raise MemoryError

    monkeypatch.setattr(TinyEncoder, "forward", forward)
    with (
        pytest.warns(UserWarning, match=SMALLER),
        pytest.raises(MemoryError, match=r"smaller image_size\.$"),
    ):
        list(model.embed_batches(SHAPES.images))
