import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from segclf import SimSiamPretrainer
from segclf.base import Pretrainer
from segclf.datasets import make_shapes
from segclf.networks import classification_network
from segclf.objectives import Objective

SHAPES = make_shapes(12, image_size=16, n_objects=2, target_radius=4, random_state=0)


class Darkness(Objective):
    """Learns to give 0, and counts the images that it saw."""

    def __init__(self, network, seen):
        super().__init__()
        self.network, self.seen = network, seen

    def forward(self, batch, progress):
        self.seen.append((self.training, sorted(batch), batch["image"].clone()))
        return {"darkness": self.network(batch["image"]).square().mean()}


class DarknessPretrainer(Pretrainer):
    """A method without views."""

    def _make_objective(self, samples):
        self.seen_ = []
        network = classification_network(encoder="tiny", in_channels=3, n_classes=0)
        return Darkness(network, self.seen_)


def simsiam(**changes):
    settings = {"encoder": "tiny", "projection_size": 8, "max_epochs": 1, "random_state": 0}
    return SimSiamPretrainer(**{**settings, **changes})


def test_embeddings_are_those_of_the_network():
    trained = DarknessPretrainer(max_epochs=1, random_state=0).fit(SHAPES.images)
    image = torch.from_numpy(SHAPES.images / np.float32(255)).permute(0, 3, 1, 2)
    with torch.no_grad():
        expected = trained.network_.embed(image).numpy()
    np.testing.assert_allclose(trained.transform(SHAPES.images), expected, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_keep_their_type(dtype):
    images = (SHAPES.images / 255).astype(dtype)
    assert simsiam().fit(images).transform(images).dtype == dtype


def test_without_views_the_image_itself_is_augmented():
    plain = DarknessPretrainer(max_epochs=1, random_state=0).fit(SHAPES.images)
    flipped = DarknessPretrainer(max_epochs=1, random_state=0, augmentation="flips")
    flipped.fit(SHAPES.images)
    assert plain.seen_[0][1] == ["image", "index"]
    assert not torch.equal(plain.seen_[0][2], flipped.seen_[0][2])


def test_every_image_may_be_held_out_since_none_is_labeled():
    trained = DarknessPretrainer(max_epochs=1, validation_fraction=0.25, random_state=0)
    trained.fit(SHAPES.images)
    counts = dict.fromkeys((True, False), 0)
    for training, _, image in trained.seen_:
        counts[training] += len(image)
    assert counts == {True: 9, False: 3}
    assert "validation_darkness" in trained.history_


def test_one_image_cannot_be_compared():
    with pytest.raises(ValueError, match="a batch of 1 sample; expected at least 2"):
        simsiam().fit(SHAPES.images[:1])


def test_names_of_features():
    names = simsiam().fit(SHAPES.images).get_feature_names_out()
    assert names[:2].tolist() == ["simsiampretrainer0", "simsiampretrainer1"]
    assert len(names) == 64


def test_linear_probing_in_a_search():
    probe = make_pipeline(simsiam(), LogisticRegression())
    grid = {"simsiampretrainer__prediction_size": [4, 8]}
    search = GridSearchCV(probe, grid, cv=2, error_score="raise").fit(SHAPES.images, SHAPES.target)
    assert search.predict(SHAPES.images).shape == SHAPES.target.shape


def test_a_list_of_augmentations_is_one_for_each_view():
    with pytest.raises(ValueError, match="3 entries; expected 2"):
        simsiam(augmentation=["flips"] * 3).fit(SHAPES.images)
    same = simsiam(augmentation="flips").fit(SHAPES.images).transform(SHAPES.images)
    each = simsiam(augmentation=["flips"] * 2).fit(SHAPES.images).transform(SHAPES.images)
    np.testing.assert_array_equal(each, same)
