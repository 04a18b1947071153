import numpy as np
import torch
import torch.nn.functional as F
from segclf_plugins.pseudo_labelers.activation_maps import activation_maps

from segclf import ImageClassifier
from segclf.data import as_images


def fitted(n_classes, **settings):
    """A classifier that has not learned to ignore anything: one step, from random weights."""
    generator = np.random.default_rng(0)
    images = generator.random((6, 16, 32, 3), dtype=np.float32)
    y = np.arange(6) % 2 if n_classes == 1 else generator.integers(0, 2, (6, n_classes))
    classifier = ImageClassifier(encoder="tiny", max_epochs=1, random_state=0, **settings)
    return classifier.fit(images, y), as_images(images)


def maps_of(classifier, images, n_classes, scales=(1.0,), stride=4, layer=None):
    found = activation_maps(
        classifier, images, n_classes=n_classes, scales=scales, stride=stride, layer=layer
    )
    numbers, maps = zip(*found, strict=True)
    assert list(numbers) == list(range(len(images)))
    return np.stack(maps)


# Sizes of which the encoder's stride leaves no rest, so that places are as many as pixels say.
def test_equal_to_class_activation_maps_in_closed_form():
    classifier, images = fitted(3)
    network = classifier.network_
    total = 0
    for scale in (1.0, 0.5):
        image = torch.from_numpy(images.take(range(6))).movedim(-1, 1)
        size = [round(scale * side) for side in image.shape[2:]]
        image = F.interpolate(image, size, mode="bilinear")
        for flip in (False, True):
            view = image.flip(-1) if flip else image
            with torch.no_grad():
                deepest = network.features(view)[-1]
                scores = torch.einsum("ck,nkhw->nchw", network.head.weight, deepest).relu()
            scores = scores.flip(-1) if flip else scores
            total = total + F.interpolate(scores, (4, 8), mode="bilinear")
    expected = total / (total.amax((2, 3), keepdim=True) + 1e-5)
    maps = maps_of(classifier, images, 3, scales=(1.0, 0.5))
    # The largest value is other than here by a factor, so 1e-5 weighs more.
    np.testing.assert_allclose(maps, expected, atol=1e-2)
    assert maps.shape == (6, 3, 4, 8)


def test_of_two_exclusive_classes_the_difference_counts():
    classifier, images = fitted(1)
    before = maps_of(classifier, images, 1)
    with torch.no_grad():
        classifier.network_.head.weight += torch.randn(64)
    after = maps_of(classifier, images, 1)
    np.testing.assert_allclose(after, before, atol=1e-4)
    assert before.any()


def test_maps_of_another_layer():
    classifier, images = fitted(3)
    stages = [f"encoder.stages.{i}" for i in range(len(classifier.network_.encoder.stages))]
    maps = [maps_of(classifier, images, 3, layer=layer) for layer in (None, stages[-1], stages[-2])]
    np.testing.assert_array_equal(maps[0], maps[1])
    assert np.abs(maps[0] - maps[2]).max() > 0.1


def test_a_map_of_zeros_stays():
    classifier, images = fitted(3)
    with torch.no_grad():
        classifier.network_.head.weight[1] = -1
    maps = maps_of(classifier, images, 3)
    assert not maps[:, 1].any()
    assert np.isfinite(maps).all()


def test_sizes_follow_the_images():
    classifier, _ = fitted(2, image_size=(16, 16))
    several = as_images([np.ones((8, 30, 3)), np.ones((40, 9, 3))])
    found = activation_maps(classifier, several, n_classes=2, scales=(1.0,), stride=4)
    assert [maps.shape for _, maps in found] == [(2, 4, 4)] * 2
