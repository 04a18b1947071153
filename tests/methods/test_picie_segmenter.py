import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from torch import nn
from torch.nn import functional

from segclf import PiCIESegmenter, SegmentationClassifier, SupervisedSegmenter
from segclf.data import Augmentation
from segclf.methods.picie_segmenter import PiCIE, balanced_weight
from segclf.networks import Clusters, padded
from segclf.objectives import Progress

START = Progress(0, 0, 0.0)
RED, BLUE = np.uint8([200, 60, 60]), np.uint8([40, 90, 160])
MOVING = Augmentation(crop=(0.5, 1.0), horizontal_flip=0.5)


class Pixelwise(nn.Module):
    """What PiCIE asks of a network, pixel by pixel."""

    smallest = 1

    def __init__(self, n_clusters=3, stride=1):
        super().__init__()
        self.stride = stride
        self.clusters = Clusters(n_clusters, 5)
        self.layers = nn.Sequential(nn.Conv2d(3, 5, 1), nn.BatchNorm2d(5))
        self.register_buffer("mean", torch.zeros(3))

    def describe(self, image):
        return self.layers(padded(image, stride=self.stride, smallest=self.smallest))


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def batch(same=False, n=4):
    views = torch.rand(2, n, 3, 12, 16)
    return {"index": torch.arange(n), "view_0": views[0], "view_1": views[0 if same else 1]}


def objective(network=None, geometry=MOVING, balanced=True):
    return PiCIE(network or Pixelwise(), geometry=geometry, balanced=balanced, seed=3)


def mosaics(cell=32, border=12):
    """Four cells of red or blue each; nobody says what pixels near their borders are."""
    ids = np.array([[0, 1, 1, 0], [1, 0, 0, 1], [1, 1, 0, 0], [0, 1, 0, 1]]).reshape(4, 2, 2)
    masks = ids.repeat(cell, axis=1).repeat(cell, axis=2)
    inside = np.zeros(cell, dtype=bool)
    inside[border:-border] = True
    labeled = np.tile(inside, 2)
    images = np.where(masks[..., None] == 1, RED, BLUE)
    return images, np.where(labeled[:, None] & labeled, masks, -1)


def colors(n=8, size=32):
    """Blue images and red ones with some noise, by label."""
    labels = np.arange(n) % 2
    noise = np.random.default_rng(0).integers(-40, 40, (n, size, size, 3))
    images = np.stack([BLUE, RED]).astype(int)[labels][:, None, None] + noise
    masks = np.broadcast_to(labels[:, None, None], (n, size, size))
    return images.clip(0, 255).astype(np.uint8), labels, masks


def segmenter(**changes):
    settings = {"encoder": "tiny", "n_clusters": 2, "max_epochs": 2, "batch_size": 4}
    return PiCIESegmenter(**{**settings, "feature_size": 16, "random_state": 0, **changes})


@pytest.mark.parametrize("stride", [1, 10])
def test_moved_before_the_network_or_after_it_is_the_same(stride):
    """Images of 12 x 16 pixels that are padded to 20 x 20, too."""
    made = objective(Pixelwise(stride=stride))
    for step in range(4):
        before, after = made.describe(made.network.eval(), batch(same=True), step)
        torch.testing.assert_close(before, after, atol=1e-5, rtol=1e-5)


def test_movements_follow_from_the_step():
    made, given = objective(), batch()
    first, again, other = (made.describe(made.network.eval(), given, s)[0] for s in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_two_colors_are_two_clusters():
    ids = torch.randint(2, (4, 12, 16))
    images = torch.tensor(np.stack([BLUE, RED]) / 255).float()[ids].movedim(-1, 1)
    made = objective(Pixelwise(2), geometry=Augmentation(horizontal_flip=0.5))
    given = {"index": torch.arange(4), "view_0": images, "view_1": images}
    made.before_epoch([given], START)
    plain = objective(made.network, geometry=Augmentation()).describe(made.teacher, given, 0)[0]
    for clusters in made.clusters:
        found = clusters.scores(plain).argmax(dim=1)
        assert (found == ids).float().mean().item() in (0, 1)


def test_loss_by_hand():
    made, given = objective(balanced=False), batch()
    made.before_epoch([given], START)
    features = made.describe(made.network.eval(), given, 0)
    units = [functional.normalize(each, dim=1) for each in features]
    scores = [
        [torch.einsum("ndhw,kd->nkhw", unit, clusters.centroids) for unit in units]
        for clusters in made.clusters
    ]
    labels = [scores[0][0].argmax(1), scores[1][1].argmax(1)]
    ce = functional.cross_entropy
    terms = made(given, START)
    within = (ce(scores[0][0], labels[0]) + ce(scores[1][1], labels[1])) / 4
    across = (ce(scores[0][1], labels[0]) + ce(scores[1][0], labels[1])) / 4
    torch.testing.assert_close(terms["within"], within)
    torch.testing.assert_close(terms["across"], across)
    assert not torch.equal(*(each.centroids for each in made.clusters))


def test_rare_clusters_weigh_more():
    weight = balanced_weight(torch.tensor([10.0, 30.0, 60.0, 0.0]))
    torch.testing.assert_close(weight, torch.tensor([2.5, 25 / 30, 25 / 60, 2500.0]))
    torch.testing.assert_close(balanced_weight(torch.tensor([0.1, 0.3])), torch.tensor([2, 2 / 3]))
    made, plain, given = objective(), objective(balanced=False), batch()
    made.before_epoch([given], START)
    plain.eval().load_state_dict(made.eval().state_dict())
    assert made(given, START)["within"] != plain(given, START)["within"]
    for clusters in made.clusters:
        clusters.counts.fill_(7.0)
    torch.testing.assert_close(made(given, START), plain(given, START))


def test_only_the_network_learns():
    made, given = objective(), batch()
    made.train().before_epoch([given], START)
    sum(made(given, START).values()).backward()
    learning = {n for n, p in made.named_parameters() if p.grad is not None and p.grad.any()}
    assert "network.layers.0.weight" in learning
    assert {name.split(".")[0] for name in learning} == {"network"}
    assert not any(buffer.requires_grad for buffer in made.buffers())


def test_clusters_and_labels_are_of_the_network_as_the_epoch_began():
    made, given = objective(balanced=False), batch()
    made.network.layers(10 * batch()["view_0"])  # statistics that evaluation does not ignore
    before = {name: value.clone() for name, value in made.network.state_dict().items()}
    made.train().before_epoch([given], START)
    assert made.network.training
    assert not made.teacher.training
    for name, value in made.network.state_dict().items():
        assert torch.equal(value, before[name]), "clustering changes the network"
        assert torch.equal(made.teacher.state_dict()[name], value)
    with torch.no_grad():
        made.network.layers[0].weight.neg_()
    terms = made(given, START)
    seen, said = (made.describe(network, given, 0) for network in (made.teacher, made.network))
    both = zip(made.clusters, seen, said, strict=True)
    losses = [functional.cross_entropy(c.scores(f), c.scores(t).argmax(1)) for c, t, f in both]
    torch.testing.assert_close(terms["within"], sum(losses) / 4)


def test_clusters_are_of_what_is_trained_on():
    """K-means has come to rest, and its counts are those of the labels of the same step."""
    made, given = objective(Pixelwise(2)), batch()
    later = Progress(1, 7, 0.5)
    made.before_epoch([given], later)
    for clusters, seen in zip(made.clusters, made.describe(made.teacher, given, 7), strict=True):
        labels = clusters.scores(seen).argmax(dim=1)
        assert labels.flatten().bincount().tolist() == clusters.counts.tolist()


@pytest.mark.parametrize("seed", range(3))
def test_two_colors_are_distinguished(seed):
    images, masks = mosaics()
    trained = segmenter(random_state=seed).fit(images, masks)
    predicted, labeled = trained.predict(images), masks >= 0
    assert (predicted == masks)[labeled].all()
    assert trained.score(images, masks) == 1
    swapped = segmenter(random_state=seed).fit(images, np.where(labeled, 1 - masks, -1))
    np.testing.assert_array_equal(swapped.predict(images), 1 - predicted)


def test_masks_teach_the_network_nothing():
    images, labels, masks = colors()
    alone, matched = segmenter().fit(images), segmenter().fit(images, masks, labels=labels)
    assert alone.n_classes_ == alone.n_clusters
    for name, value in alone.network_.state_dict().items():
        if name != "members":
            assert torch.equal(value, matched.network_.state_dict()[name])
    found = alone.predict(images)
    assert set(np.unique(found)) == {0, 1}
    np.testing.assert_allclose(alone.predict_proba(images).sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("nothing", [None, [None] * 8, np.full((8, 32, 32), -1)])
def test_nothing_labeled_is_enough(nothing):
    images, _, _ = colors()
    trained = segmenter(n_clusters=5, max_epochs=1, validation_fraction=0.25)
    trained.fit(images, nothing, labels=np.full(8, -1))
    assert trained.n_classes_ == 5
    assert trained.predict_proba(images).shape == (8, 5, 32, 32)
    assert np.isfinite(trained.history_["validation_loss"]).all()


def test_what_is_wrong_without_masks_is_still_refused():
    images, _, _ = colors()
    with pytest.raises(ValueError, match="0"):
        segmenter().fit(images[:0])
    with pytest.raises(ValueError, match="Every sample_weight is zero"):
        segmenter().fit(images, sample_weight=np.zeros(8))


def test_image_labels_say_which_cluster_is_the_background():
    images, labels, masks = colors()
    trained = segmenter(feature_size=128).fit(images, None, labels=labels)
    assert (trained.predict(images) == masks).mean() > 0.95
    classifier = SegmentationClassifier(segmenter=segmenter(feature_size=128), random_state=0)
    np.testing.assert_array_equal(classifier.fit(images, labels).predict(images), labels)


def test_more_clusters_than_classes():
    images, masks = mosaics()
    for matching in ("hungarian", "majority"):
        trained = segmenter(n_clusters=6, matching=matching).fit(images, masks)
        assert trained.n_classes_ == 2
        assert trained.network_.members.sum(dim=0).tolist() == [1] * 6


def test_several_labels_a_pixel():
    images, masks = mosaics()
    stacks = np.stack([masks, 1 - masks, 0 * masks, 0 * masks + 1], axis=1)
    labeled = np.broadcast_to((masks >= 0)[:, None], stacks.shape)
    predicted = segmenter().fit(images, np.where(labeled, stacks, -1)).predict(images)
    np.testing.assert_array_equal(predicted[labeled], stacks[labeled])


def test_views_move_together_or_not_at_all():
    images, _, masks = colors()
    for moving in (
        "flips",
        Augmentation(rotation=5),
        [Augmentation(), Augmentation(scale=(0.5, 1))],
    ):
        with pytest.raises(ValueError, match=r"moves pixels \((horizontal_flip|rotation|scale)"):
            segmenter(augmentation=moving).fit(images, masks)
    still = segmenter(augmentation=Augmentation(), crop=(1.0, 1.0), horizontal_flip=0.0)
    history = still.fit(images, masks).history_
    assert history["within"].shape == history["across"].shape == (2,)


def test_what_it_learned_is_handed_on():
    images, _, masks = colors()
    source = segmenter().fit(images)
    heir = SupervisedSegmenter(encoder="tiny", pretrainer=FrozenEstimator(source), max_epochs=1)
    assert "encoder.stages.0.0.weight" in heir.fit(images, masks).transferred_["taken"]
    assert clone(source).fit(images).n_iter_ == 2
