import pytest
import torch
from torchvision.transforms.v2 import functional as torchvision

from segclf.data.color import (
    Recoloring,
    add_noise,
    chroma_matrix,
    extremes,
    grayscale,
    moments,
    recolor,
    solarize,
)


def change(*, brightness=0.0, contrast=1.0, saturation=1.0, hue=0.0, noise=0.0):
    values = (brightness, contrast, saturation, hue, noise)
    return Recoloring(*(torch.tensor([value]) for value in values))


@pytest.fixture
def image():
    return 50 + 20 * torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def recolored(image, **changes):
    return recolor(image, change(**changes), *moments(image), chroma=True)


def test_moments_agree_with_torch(image):
    mean, deviation = moments(torch.cat([image, 3 * image]))
    assert mean.shape == deviation.shape == (2, 1, 1, 1)
    expected = torch.std_mean(image, correction=0)
    torch.testing.assert_close((deviation[0].squeeze(), mean[0].squeeze()), expected)


def test_brightness_is_in_deviations(image):
    torch.testing.assert_close(
        recolored(image, brightness=0.5), image + 0.5 * image.std(correction=0)
    )


def test_contrast_keeps_the_mean(image):
    changed = recolored(image, contrast=0.5)
    torch.testing.assert_close(changed, (image + image.mean()) / 2)


def test_chroma_changes_nothing_by_default(image):
    torch.testing.assert_close(recolored(image), image)
    plain = recolor(image, change(contrast=0.7), *moments(image), chroma=False)
    torch.testing.assert_close(recolored(image, contrast=0.7), plain)


@pytest.mark.parametrize("changes", [{"saturation": 0.3}, {"hue": 77.0}])
def test_gray_stays_what_it_is(image, changes):
    changed = recolored(image, **changes)
    torch.testing.assert_close(changed.mean(dim=1), image.mean(dim=1))
    assert (changed - image).abs().max() > 1


def test_without_saturation_all_is_gray(image):
    torch.testing.assert_close(
        recolored(image, saturation=0.0), image.mean(dim=1, keepdim=True).expand_as(image)
    )


def test_a_third_of_the_circle_puts_red_in_the_place_of_green(image):
    torch.testing.assert_close(recolored(image, hue=120.0), image[:, [2, 0, 1]])


def test_hues_add_up():
    one = torch.ones(1)
    both = chroma_matrix(one, 70 * one)
    torch.testing.assert_close(chroma_matrix(one, 30 * one) @ chroma_matrix(one, 40 * one), both)


def test_noise_has_its_deviation_in_each_image():
    deviation = torch.tensor([0.0, 3.0]).reshape(2, 1, 1, 1)
    noisy = add_noise(torch.zeros(2, 1, 64, 64), deviation, torch.Generator().manual_seed(0))
    assert noisy[0].abs().max() == 0
    assert noisy[1].std() == pytest.approx(3.0, rel=0.05)


def test_gray_is_the_mean_of_the_channels(image):
    gray = grayscale(image)
    assert gray.shape == image.shape
    assert torch.equal(gray, gray.flip(1))
    torch.testing.assert_close(gray[:, 0], image.mean(1))
    torch.testing.assert_close(gray, recolored(image, saturation=0.0))


def test_extremes_are_those_of_each_image(image):
    low, high = extremes(torch.cat([image, -image]))
    assert low.shape == high.shape == (2, 1, 1, 1)
    assert low.flatten().tolist() == [image.min(), -image.max()]
    assert high.flatten().tolist() == [image.max(), -image.min()]


def test_solarization_is_that_of_torchvision_from_0_to_1():
    values = torch.linspace(0, 1, 48).reshape(1, 3, 4, 4)
    solarized = solarize(values, *extremes(values))
    torch.testing.assert_close(solarized, torchvision.solarize(values, 0.5))


def test_solarization_inverts_what_is_above_the_middle():
    values = torch.tensor([-10.0, 0.0, 9.0, 10.0, 11.0, 30.0]).reshape(1, 1, 2, 3)
    expected = torch.tensor([-10.0, 0.0, 9.0, 10.0, 9.0, -10.0]).reshape(1, 1, 2, 3)
    assert torch.equal(solarize(values, *extremes(values)), expected)
