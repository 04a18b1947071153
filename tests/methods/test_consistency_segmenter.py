import numpy as np
import pytest
import torch
from torch import nn

from segclf import ConsistencySegmenter
from segclf.base import supervise
from segclf.data import Augmentation
from segclf.datasets import make_shapes
from segclf.losses import cross_entropy
from segclf.methods.consistency_segmenter import PhotometricConsistency, mean_cosine_distance
from segclf.networks import segmentation_network
from segclf.objectives import Progress

SHAPES = make_shapes(12, image_size=16, n_objects=2, target_radius=4, random_state=0)
START = Progress(0, 0, 0.0)


@pytest.mark.parametrize(
    ("other", "expected"), [([3.0, 4.0], 0), ([6.0, 8.0], 0), ([-4.0, 3.0], 1), ([-3.0, -4.0], 2)]
)
def test_distance_of_equal_orthogonal_and_opposed_features(other, expected):
    one, other = (torch.tensor(v)[None, :, None, None] for v in ([3.0, 4.0], other))
    torch.testing.assert_close(mean_cosine_distance(one, other), torch.tensor(float(expected)))


def test_distance_is_that_of_torch():
    one, other = torch.randn(2, 3, 8, 5, 4, generator=torch.Generator().manual_seed(0))
    pixels = (features.permute(0, 2, 3, 1).reshape(-1, 8) for features in (one, other))
    expected = nn.CosineEmbeddingLoss()(*pixels, torch.ones(60))
    torch.testing.assert_close(mean_cosine_distance(one, other), expected)


def test_weights_of_images():
    one = torch.tensor([[1.0, 0.0], [1.0, 0.0]])[..., None, None]
    other = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])[..., None, None]
    weighted = mean_cosine_distance(one, other, sample_weight=torch.tensor([3.0, 1.0]))
    torch.testing.assert_close(weighted, torch.tensor(1.25))


class Darker:
    """Halves the images, and remembers them."""

    def __call__(self, image, mask, generator):
        self.given = image
        return image / 2, mask


def objective(photometric=None, n_classes=2):
    torch.manual_seed(0)
    network = segmentation_network(encoder="tiny", in_channels=3, n_classes=n_classes)
    return PhotometricConsistency(
        network,
        loss="cross_entropy",
        consistency_weight=2.0,
        photometric=photometric or Darker(),
        label_weight=1.0,
    )


def batch(n_labeled):
    generator = torch.Generator().manual_seed(1)
    mask = torch.randint(0, 2, (4, 16, 16), generator=generator)
    mask[n_labeled:] = -1
    return {"image": torch.rand(4, 3, 16, 16, generator=generator), "mask": mask}


def features_of(network, image):
    prepared = network.prepare(image)
    return network.decoder(network.encoder(prepared))


def test_terms_are_those_of_the_two_parts():
    made, given = objective(), batch(n_labeled=1)
    made.eval()
    terms = made(given, START)
    logits = made.network(given["image"])
    torch.testing.assert_close(terms["segmentation"], cross_entropy(logits[:1], given["mask"][:1]))
    image = given["image"][1:]
    assert torch.equal(made.photometric.given, image)
    expected = mean_cosine_distance(
        features_of(made.network, image), features_of(made.network, image / 2)
    )
    assert expected > 0
    torch.testing.assert_close(terms["consistency"], 2 * expected)


def test_no_change_is_consistent():
    made = objective(Augmentation())
    torch.testing.assert_close(
        made(batch(n_labeled=0), START)["consistency"], torch.tensor(0.0), atol=1e-5, rtol=0
    )


def test_where_all_have_masks_there_is_no_consistency():
    assert objective()(batch(n_labeled=4), START)["consistency"] == 0


def test_gradients_flow_through_both_branches_and_not_into_the_classifier():
    class Leaf(Darker):
        """Cuts the second input off from the first, so that each has a gradient of its own."""

        def __call__(self, image, mask, generator):
            self.changed = (image.detach() / 2).requires_grad_()
            return self.changed, mask

    made, given = objective(Leaf()), batch(n_labeled=0)
    given["image"].requires_grad_()
    made(given, START)["consistency"].backward()
    assert given["image"].grad.abs().sum() > 0
    assert made.photometric.changed.grad.abs().sum() > 0
    assert all(p.grad.abs().sum() > 0 for p in made.network.encoder.parameters() if p.ndim > 1)
    assert all(p.grad is None or p.grad.eq(0).all() for p in made.network.head.parameters())


@pytest.mark.parametrize(("n_labeled", "share"), [(None, 2), (4, 4), (10, 10)])
def test_a_fifth_of_each_batch_has_masks(n_labeled, share):
    segmenter = ConsistencySegmenter(encoder="tiny", batch_size=10, n_labeled=n_labeled)
    masks = [*SHAPES.masks[:4], *[None] * 8]
    images = segmenter._open(SHAPES.images)
    samples = segmenter._check_targets(supervise(SHAPES.images, images=images, masks=masks))
    for indices in segmenter._make_sampler(samples).batches(10, seed=0, epoch=0):
        assert (indices < 4).sum() == share


def test_more_images_with_masks_than_a_batch_holds():
    segmenter = ConsistencySegmenter(encoder="tiny", batch_size=4, n_labeled=5)
    with pytest.raises(ValueError, match="n_labeled=5 is more than batch_size=4"):
        segmenter.fit(SHAPES.images, [*SHAPES.masks[:4], *[None] * 8])


def test_images_labeled_negative_have_masks_and_positives_have_not():
    segmenter = ConsistencySegmenter(encoder="tiny")
    labels = np.array([-1, 0, 1] * 4)
    masks = [SHAPES.masks[0], *[None] * 11]
    supervision = supervise(
        SHAPES.images, images=segmenter._open(SHAPES.images), masks=masks, labels=labels
    )
    samples = segmenter._check_targets(supervision)
    sampler = segmenter._make_sampler(samples)
    assert np.flatnonzero(sampler.labeled).tolist() == [0, 1, 4, 7, 10]


@pytest.mark.parametrize("augmentation", [None, "light"])
def test_consistency_makes_features_consistent(augmentation):
    masks = [*SHAPES.masks[:4], *[None] * 8]
    settings = {"encoder": "tiny", "max_epochs": 12, "learning_rate": 1e-2, "random_state": 0}
    distances = []
    for weight in (0.0, 10.0):
        segmenter = ConsistencySegmenter(
            consistency_weight=weight, augmentation=augmentation, **settings
        ).fit(SHAPES.images, masks)
        image = torch.from_numpy(SHAPES.images).permute(0, 3, 1, 2) / 255
        with torch.no_grad():
            features = (features_of(segmenter.network_, i) for i in (image, 0.7 * image))
            distances.append(mean_cosine_distance(*features).item())
    assert distances[1] < distances[0] / 2
