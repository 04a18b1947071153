import pytest
import torch
from torch.nn import functional

from segclf.data.affine import (
    Placement,
    crop_window,
    oriented_matrix,
    resample,
    sampling_grid,
    sampling_matrix,
)
from segclf.data.orientation import orientation, reorient


def placement(*, angle=0.0, shear=0.0, scale=1.0, shift=(0, 0), window=(1, 1), center=(0, 0)):
    values = (angle, shear, scale, shift, window, center)
    return Placement(*(torch.tensor([value], dtype=torch.float32) for value in values))


def moved(image, **movement):
    size = tuple(image.shape[-2:])
    return resample(image, sampling_grid(sampling_matrix(placement(**movement), size), size))


@pytest.fixture
def square():
    return torch.rand(1, 2, 12, 12, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def wide():
    return torch.rand(1, 2, 8, 20, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("turns", [-1, 0, 1, 2])
def test_right_angles_turn_squares_as_rot90_does(square, turns):
    expected = torch.rot90(square, turns, (-2, -1))
    torch.testing.assert_close(moved(square, angle=90.0 * turns), expected, atol=1e-4, rtol=0)
    ids = (square * 9).long()
    assert torch.equal(moved(ids, angle=90.0 * turns), torch.rot90(ids, turns, (-2, -1)))


def test_wide_images_turn_without_distortion(wide):
    middle = wide[..., 6:14]
    turned = moved(wide, angle=90.0)[..., 6:14]
    torch.testing.assert_close(turned, torch.rot90(middle, 1, (-2, -1)), atol=1e-4, rtol=0)


def test_a_disc_stays_a_disc():
    y, x = torch.meshgrid(torch.arange(40) - 19.5, torch.arange(80) - 39.5, indexing="ij")
    disc = ((x**2 + y**2) < 12**2).long()[None]
    assert (moved(disc, angle=33.0) != disc).float().mean() < 0.01


def test_a_shift_is_a_fraction_of_the_size(wide):
    right = moved(wide, shift=(0.25, 0.5))
    torch.testing.assert_close(right[..., 4:, 5:], wide[..., :4, :15], atol=1e-4, rtol=0)


def test_what_lies_beyond_the_edge_is_mirrored(wide):
    right = moved(wide, shift=(0.25, 0.0))
    torch.testing.assert_close(right[..., :5], wide[..., :5].flip(-1), atol=1e-4, rtol=0)


def test_scale_magnifies_around_the_center():
    dot = torch.zeros(1, 12, 18, dtype=torch.int64)
    dot[:, 5:7, 8:10] = 1
    assert moved(dot, scale=3.0)[0, 3:9, 6:12].sum() == moved(dot, scale=3.0).sum() == 36


def test_shear_moves_rows_sideways():
    image = torch.zeros(1, 11, 21, dtype=torch.int64)
    image[:, :, 10] = 1
    columns = moved(image, shear=45.0)[0].argmax(dim=1)
    assert torch.equal(columns, torch.arange(11) + 5)


def test_a_crop_is_enlarged(wide):
    window = moved(wide, window=(0.5, 0.5), center=(-0.5, 0.5))
    expected = functional.interpolate(wide[..., 4:, :10], scale_factor=2, mode="bilinear")
    torch.testing.assert_close(window[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1])


def test_a_crop_comes_last(square):
    half = {"window": (1, 0.5), "center": (0, 0.25)}
    in_turn = moved(moved(square, angle=90.0), **half)
    torch.testing.assert_close(moved(square, angle=90.0, **half), in_turn, atol=1e-4, rtol=0)


def test_orientation_comes_first(square):
    layout = orientation(*(torch.tensor([v]) for v in (True, False, 1)))
    matrix = sampling_matrix(placement(angle=25.0, shift=(0.1, 0.2), scale=1.3), (12, 12))
    at_once = resample(square, sampling_grid(oriented_matrix(matrix, layout), (12, 12)))
    in_turn = resample(reorient(square, layout), sampling_grid(matrix, (12, 12)))
    torch.testing.assert_close(at_once, in_turn, atol=1e-4, rtol=0)


def test_grid_agrees_with_torch():
    matrix = torch.randn(3, 2, 3, generator=torch.Generator().manual_seed(0))
    expected = functional.affine_grid(matrix, (3, 1, 5, 8), align_corners=False)
    torch.testing.assert_close(sampling_grid(matrix, (5, 8)), expected)


def test_crop_windows_have_their_area_and_stay_inside():
    uniform = torch.rand(2000, 4, generator=torch.Generator().manual_seed(0))
    area = 0.1 + 0.9 * uniform[:, 0]
    window, center = crop_window(area, uniform[:, 1], uniform[:, 2:])
    torch.testing.assert_close(window.prod(dim=1), area)
    assert ((center.abs() + window) <= 1 + 1e-5).all()
    ratio = window[:, 0] / window[:, 1]
    assert 3 / 4 - 1e-4 < ratio.min() < 0.77
    assert 1.3 < ratio.max() < 4 / 3 + 1e-4
    assert abs(center.mean()) < 0.02
    assert center.max() > 0.5


def test_the_whole_image_is_a_crop():
    ones = torch.ones(1)
    window, center = crop_window(ones, ones, torch.ones(1, 2))
    assert torch.equal(window, torch.ones(1, 2))
    assert torch.equal(center, torch.zeros(1, 2))
