import numpy as np
import pytest
import torch
from torch import nn
from torchvision import transforms as first_transforms
from torchvision.transforms import v2

from segclf import ImageClassifier, SimSiamPretrainer, SupervisedSegmenter
from segclf.data import as_augmentation
from segclf.datasets import make_shapes

IMAGE = torch.rand(6, 3, 8, 9, generator=torch.Generator().manual_seed(0))
IMAGE = IMAGE.contiguous(memory_format=torch.channels_last)
MASK = (IMAGE[:, 0] > 0.5).long()
MASK[0, :2] = -1
SHAPES = make_shapes(6, image_size=16, n_objects=2, target_radius=4, random_state=0)
TINY = {"encoder": "tiny", "max_epochs": 1, "random_state": 0}


def applied(spec, mask=MASK, seed=0):
    return as_augmentation(spec)(IMAGE, mask, torch.Generator().manual_seed(seed))


def darker(image):
    return image * torch.rand(len(image), 1, 1, 1)


def mirrored(image, mask=None):
    return image.flip(-1), None if mask is None else mask.flip(-1)


class Darker(nn.Module):
    def forward(self, image):
        return darker(image)


def test_torchvision_moves_masks_along():
    image, mask = applied(v2.Compose([v2.RandomHorizontalFlip(), v2.RandomVerticalFlip(1.0)]))
    for i in range(6):
        options = [(IMAGE[i].flip(1), MASK[i].flip(0)), (IMAGE[i].flip(1, 2), MASK[i].flip(0, 1))]
        assert any(torch.equal(image[i], a) and torch.equal(mask[i], b) for a, b in options)
    assert not torch.equal(image, IMAGE.flip(2))
    assert not torch.equal(image, IMAGE.flip(2, 3))
    assert (type(image), type(mask), mask.dtype) == (torch.Tensor, torch.Tensor, torch.int64)
    assert image.is_contiguous(memory_format=torch.channels_last)


def test_torchvision_keeps_ids_and_takes_channels_and_no_mask():
    turned = v2.RandomAffine(30, translate=(0.1, 0.1))
    _, mask = applied(turned)
    assert set(mask.unique().tolist()) == {-1, 0, 1}
    image, channels = applied(turned, torch.stack([MASK, 1 - MASK], dim=1))
    assert torch.equal(channels[:, 0], mask)
    alone, nothing = applied(turned, None)
    assert nothing is None
    assert torch.equal(alone, image)


@pytest.mark.parametrize("spec", [v2.RandomRotation(90), darker, Darker(), v2.GaussianNoise()])
def test_the_generator_decides_and_torchs_own_stays(spec):
    before = torch.get_rng_state()
    first, again, other = (applied(spec, seed=seed)[0] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("spec", [darker, Darker(), lambda image: image + 1])
def test_a_callable_of_images_leaves_masks_alone(spec):
    image, mask = applied(spec)
    assert torch.equal(mask, MASK)
    assert not torch.equal(image, IMAGE)


def test_a_callable_of_images_and_masks():
    image, mask = applied(mirrored)
    assert torch.equal(image, IMAGE.flip(-1))
    assert torch.equal(mask, MASK.flip(-1))
    assert applied(mirrored, None)[1] is None


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        (first_transforms.RandomRotation(9), TypeError, r"v2\.RandomRotation, which moves both"),
        (v2.RandomResize(4, 9), ValueError, r"returns images of sizes .* end it with"),
        (v2.ToDtype(torch.uint8, scale=True), ValueError, r"torch.uint8; expected .*float32"),
        (lambda image: image[0], ValueError, r"returns an invalid batch: image is \(3, 8, 9\)"),
        (lambda image: image[..., :4], ValueError, r"mask is \(6, 8, 9\) .*expected \(6, 8, 4\)"),
        (lambda image: None, ValueError, "returns an invalid batch"),
    ],
)
def test_what_goes_wrong_says_so(spec, error, message):
    with pytest.raises(error, match=message):
        applied(spec)


@pytest.mark.parametrize("spec", [v2.RandomHorizontalFlip(), mirrored, darker])
def test_estimators_take_them(spec):
    segmenter = SupervisedSegmenter(augmentation=spec, **TINY)
    proba = segmenter.fit(SHAPES.images, SHAPES.masks).predict_proba(SHAPES.images)
    again = segmenter.fit(SHAPES.images, SHAPES.masks).predict_proba(SHAPES.images)
    np.testing.assert_array_equal(again, proba)
    plain = SupervisedSegmenter(**TINY).fit(SHAPES.images, SHAPES.masks)
    assert not np.array_equal(plain.predict_proba(SHAPES.images), proba)
    ImageClassifier(augmentation=spec, **TINY).fit(SHAPES.images, SHAPES.target)


@pytest.mark.filterwarnings("ignore::segclf.objectives.CollapseWarning")
def test_views_may_be_torchvisions():
    transform = v2.RandomResizedCrop(16)
    SimSiamPretrainer(augmentation=transform, **TINY).fit(SHAPES.images)
