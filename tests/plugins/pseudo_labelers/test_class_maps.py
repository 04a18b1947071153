import numpy as np
import pytest
import torch
from segclf_plugins.pseudo_labelers.class_maps import ClassMaps, log_odds
from torch import nn

from segclf import ImageClassifier
from segclf.data import as_images
from segclf.networks import grad_cam


def test_log_odds_of_exclusive_classes():
    output = torch.randn(5, 4, dtype=torch.float64, generator=torch.manual_seed(0))
    p = output.softmax(1)[:, 1:]
    torch.testing.assert_close(log_odds(output, 3), (p / (1 - p)).log())
    torch.testing.assert_close(log_odds(output[:, :2], 1)[:, 0], output[:, 1] - output[:, 0])
    assert log_odds(output, 4) is output


@pytest.mark.parametrize("n_classes", [1, 2, 5])
def test_other_numbers_of_logits_are_refused(n_classes):
    with pytest.raises(ValueError, match=rf"shape \(5, 4\).*expected \(n, {n_classes}\)"):
        log_odds(torch.zeros(5, 4), n_classes)


@pytest.mark.parametrize("probability", [True, False])
def test_maps_are_grad_cam_s_at_the_images_own_size(probability):
    rng = np.random.default_rng(0)
    images = [rng.random(size) for size in ((32, 32), (24, 40), (32, 32))]
    classifier = ImageClassifier(encoder="tiny", max_epochs=1, random_state=0, image_size=48)
    classifier.fit(images, [0, 1, 1])
    asked = ClassMaps(classifier=classifier, n_classes=1, probability=probability, normalize=False)
    found = dict(asked.maps(as_images(images)))
    assert [found[i].shape for i in range(3)] == [(1, 32, 32), (1, 24, 40), (1, 32, 32)]

    def score(output):
        odds = output[:, 1:] - output[:, :1]
        return odds.sigmoid() if probability else odds

    network = classifier.network_
    small = torch.from_numpy(images[1]).float()[None, None]
    large = nn.functional.interpolate(small, (48, 48), mode="bilinear")
    maps = nn.functional.interpolate(
        grad_cam(network, large, score=score), (24, 40), mode="bilinear"
    )
    torch.testing.assert_close(torch.from_numpy(found[1]), maps[0], atol=1e-6, rtol=1e-4)


def test_maps_reach_to_one_or_are_zero():
    rng = np.random.default_rng(0)
    images = rng.random((12, 32, 32))
    targets = rng.integers(0, 2, (12, 3))
    classifier = ImageClassifier(encoder="tiny", max_epochs=1, random_state=0).fit(images, targets)
    head = classifier.network_.head
    head.weight.data[1] = -head.weight.data[1].abs()  # maps are not negative, so class 1 has none
    asked = ClassMaps(classifier=classifier, n_classes=3)
    maps = np.stack([maps for _, maps in asked.maps(as_images(images))])
    assert maps.dtype == np.float32
    np.testing.assert_array_equal(maps.max((0, 2, 3)), [1, 0, 1])
    assert set(np.unique(maps.max((2, 3)))) == {0, 1}
    shown = asked.shown(as_images(images))
    np.testing.assert_array_equal(shown, classifier.predict_proba(images) >= 0.5)


def test_memory_is_a_batch_s():
    lengths = []

    class Counting(nn.Module):
        def forward(self, image):
            lengths.append(len(image))
            return image.mean((2, 3))

    module = nn.Sequential(nn.Identity(), Counting())
    asked = ClassMaps(classifier=module, n_classes=1, layer="0")
    assert len(list(asked.maps(as_images(np.ones((40, 4, 4)))))) == 40
    assert lengths == [16] * 3
