"""Volumes: each slice moves as an image does, and colors change as those of one image."""

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from segclf import SupervisedSegmenter
from segclf.data.augmentation import Augmentation
from segclf.data.orientation import flip_slices
from segclf.data.presets import PRESETS, as_augmentation
from segclf.datasets import make_shapes

N, DEPTH = 4, 3
MOVES = {
    name: PRESETS["strong"][name]
    for name in ("horizontal_flip", "vertical_flip", "rotation", "scale", "shear", "crop")
}
OF_ONE_IMAGE = [
    {"brightness": 0.5, "contrast": 0.5},
    {"saturation": 0.5, "hue": 60.0},
    {"noise": 0.3},
    {"grayscale": 0.5},
    {"solarize": 0.5},
]


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def volumes(n_channels=1, size=(20, 20)):
    return torch.rand(N, n_channels, DEPTH, *size, generator=generator(0))


def masks(*channels, size=(20, 20)):
    return torch.randint(-1, 3, (N, *channels, DEPTH, *size), generator=generator(0))


@pytest.mark.parametrize("n_channels", [1, 3])
@pytest.mark.parametrize(
    "settings",
    [MOVES, {"quarter_turns": 1.0}, {"translation": 0.2, "output_scale": 0.5}, {"blur": (0, 2)}],
)
def test_each_slice_changes_as_an_image_does(settings, n_channels):
    augmentation, image = Augmentation(**settings), volumes(n_channels)
    for mask in (masks(), masks(2)):
        moved, moved_mask = augmentation(image, mask, generator())
        assert not torch.equal(moved, image)
        for z in range(DEPTH):
            expected = augmentation(image[:, :, z], mask[..., z, :, :], generator())
            assert torch.equal(moved[:, :, z], expected[0])
            assert torch.equal(moved_mask[..., z, :, :], expected[1])


@pytest.mark.parametrize("settings", OF_ONE_IMAGE)
def test_colors_change_as_those_of_all_slices_in_one_image(settings):
    augmentation, image = Augmentation(**settings), volumes(3)
    changed, _ = augmentation(image, None, generator())
    expected, _ = augmentation(image.flatten(2, 3), None, generator())
    assert not torch.equal(changed, image)
    torch.testing.assert_close(changed, expected.reshape(image.shape))


def test_slices_are_reversed_in_image_and_mask():
    image, mask = volumes(2), masks()
    moved, moved_mask = Augmentation(slice_flip=0.5)(image, mask, generator())
    chosen = torch.tensor([not torch.equal(*each) for each in zip(moved, image, strict=True)])
    assert 0 < chosen.sum() < N
    assert torch.equal(moved, flip_slices(image, chosen))
    assert torch.equal(moved_mask, flip_slices(mask, chosen))
    assert torch.equal(moved[chosen], image[chosen].flip(2))
    assert torch.equal(moved_mask[chosen], mask[chosen].flip(1))


@pytest.mark.parametrize("settings", [MOVES, {"blur": (0, 2)}, {"noise": 0.3}])
def test_what_only_volumes_have_changes_nothing_of_images(settings):
    image, mask = volumes(3)[:, :, 0], masks()[:, 0]
    plain = Augmentation(**settings)(image, mask, generator())
    with_slices = Augmentation(**settings, slice_flip=1.0)(image, mask, generator())
    assert torch.equal(plain[0], with_slices[0])
    assert torch.equal(plain[1], with_slices[1])


@pytest.mark.parametrize("n_channels", [1, 3])
def test_transforms_of_torchvision_see_a_volume_as_a_video(n_channels):
    image, mask = volumes(n_channels), masks(2)
    transform = v2.Compose([v2.RandomHorizontalFlip(1.0), v2.RandomResizedCrop(12)])
    moved, moved_mask = as_augmentation(transform)(image, mask, generator())
    assert moved.shape == (N, n_channels, DEPTH, 12, 12)
    assert moved_mask.shape == (N, 2, DEPTH, 12, 12)
    flipped, flipped_mask = as_augmentation(v2.RandomHorizontalFlip(1.0))(image, mask, generator())
    assert torch.equal(flipped, image.flip(-1))
    assert torch.equal(flipped_mask, mask.flip(-1))
    dark, _ = as_augmentation(v2.ColorJitter(brightness=(0.5, 0.5)))(image, None, generator())
    torch.testing.assert_close(dark, image / 2)


def test_shapes_that_fit_nobody_are_refused():
    with pytest.raises(ValueError, match=r"expected \(4, 3, 20, 20\) or \(4, k, 3, 20, 20\)"):
        Augmentation()(volumes(), masks()[:, :2], generator())
    with pytest.raises(ValueError, match=r"expected .* or volumes \(n, c, d, h, w\)"):
        Augmentation()(volumes()[0, 0], None, generator())


@pytest.mark.parametrize("encoder_rate", [0.0, 1.0])
@pytest.mark.parametrize("augmentation", ["flips", "strong", Augmentation(slice_flip=0.5)])
def test_networks_of_volumes_learn_from_augmented_ones(augmentation, encoder_rate):
    data = make_shapes(4, image_size=16, depth=4, n_objects=2, target_radius=3, random_state=0)
    settings = {"encoder": "tiny3d", "max_epochs": 2, "encoder_rate": encoder_rate}

    def history(augmentation):
        segmenter = SupervisedSegmenter(**settings, augmentation=augmentation, random_state=0)
        return segmenter.fit(data.images, data.masks).history_["segmentation"]

    assert np.isfinite(history(augmentation)).all()
    assert not np.array_equal(history(augmentation), history(None))
