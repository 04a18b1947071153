import pytest
import torch

from segclf.data.random_choices import RandomChoices, random_placement, random_recoloring


@pytest.fixture
def choices():
    return RandomChoices(40_000, torch.Generator().manual_seed(0))


def spread(values):
    return values.quantile(torch.tensor([0.0, 0.5, 1.0]))


def close(values, expected):
    torch.testing.assert_close(values, torch.tensor(expected), rtol=0.02, atol=0.03)


@pytest.fixture
def placement(choices):
    return random_placement(
        choices, rotation=2.0, scale=(0.5, 2.0), translation=0.3, shear=1.0, crop=(0.2, 0.6)
    )


@pytest.fixture
def recoloring(choices):
    return random_recoloring(
        choices, brightness=0.4, contrast=0.5, saturation=0.6, hue=0.7, noise=0.8, probability=1.0
    )


def test_movements_fill_their_ranges(placement):
    close(spread(placement.angle), [-2.0, 0.0, 2.0])
    close(spread(placement.shear), [-1.0, 0.0, 1.0])
    close(spread(placement.scale.log2()), [-1.0, 0.0, 1.0])
    close(spread(placement.shift[:, 0]), [-0.3, 0.0, 0.3])
    close(spread(placement.shift[:, 1]), [-0.3, 0.0, 0.3])
    close(spread(placement.window.prod(dim=1)), [0.2, 0.4, 0.6])


def test_colors_fill_their_ranges(recoloring):
    close(spread(recoloring.brightness), [-0.4, 0.0, 0.4])
    close(spread(recoloring.contrast), [0.5, 1.0, 1.5])
    close(spread(recoloring.saturation), [0.4, 1.0, 1.6])
    close(spread(recoloring.hue), [-0.7, 0.0, 0.7])
    close(spread(recoloring.noise), [0.0, 0.4, 0.8])


def test_choices_are_independent(placement, recoloring):
    angle, shear, scale, shift, window, _ = placement
    area, ratio = window.prod(dim=1), window[:, 0] / window[:, 1]
    rows = torch.stack([angle, shear, scale, *shift.T, area, ratio, *recoloring])
    correlation = torch.corrcoef(rows) - torch.eye(len(rows))
    assert correlation.abs().max() < 0.025


def test_an_image_samples_the_same_in_larger_batches(choices):
    few = RandomChoices(3, torch.Generator().manual_seed(0))
    assert torch.equal(few.between("rotation", 0, 1), choices.between("rotation", 0, 1)[:3])


def test_probabilities_zero_and_one_are_certain(choices):
    assert choices.happens("affine", 1.0).all()
    assert not choices.happens("affine", 0.0).any()


def test_filters_are_independent(choices):
    rows = [choices.between(name, 0, 1) for name in ("grayscale", "blur", "blur_deviation")]
    rows += [choices.between(name, 0, 1) for name in ("solarize", "horizontal_flip", "noise")]
    correlation = torch.corrcoef(torch.stack(rows)) - torch.eye(len(rows))
    assert correlation.abs().max() < 0.025


def test_a_seed_gives_the_same_whether_or_not_filters_are_sampled(choices):
    again = RandomChoices(40_000, torch.Generator().manual_seed(0))
    again.happens("blur", 0.5)
    assert torch.equal(again.between("noise", 0, 1), choices.between("noise", 0, 1))
