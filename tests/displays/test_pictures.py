import numpy as np
import pytest

from segclf.displays.pictures import as_picture, as_regions, faded

RAMP = np.linspace(0, 1, 256).reshape(16, 16, 1)


@pytest.mark.parametrize("image", [(RAMP * 255).round().astype(np.uint8), RAMP, RAMP.astype("f4")])
def test_eight_bits_and_fractions_look_as_they_are(image):
    np.testing.assert_allclose(as_picture(image), RAMP[..., 0], atol=1e-6)


@pytest.mark.parametrize("scale", [65535, 4095, 300])
def test_other_ranges_are_stretched_whatever_their_unit(scale):
    image = (1000 + RAMP * scale).astype(np.int32)
    np.testing.assert_allclose(as_picture(image), RAMP[..., 0], atol=0.02)


def test_an_outlier_does_not_darken_the_rest():
    image = np.linspace(0, 1, 10_000).reshape(100, 100, 1) * 300
    image[0, 0] = 1e6
    np.testing.assert_allclose(as_picture(image)[50], image[50, :, 0] / 300, atol=0.02)


def test_broken_numbers_and_constants_are_drawn():
    image = np.full((4, 4, 1), 700.0)
    assert not as_picture(image).any()
    image[0] = [[np.nan], [np.inf], [-np.inf], [900]]
    assert as_picture(image)[0].tolist() == [0, 1, 0, 1]
    assert not as_picture(np.full((2, 2, 1), np.nan)).any()


@pytest.mark.parametrize(("n_channels", "shape"), [(1, ()), (2, ()), (3, (3,)), (4, (3,)), (9, ())])
def test_any_number_of_channels_becomes_gray_or_color(n_channels, shape):
    image = np.full((8, 6, n_channels), 51, dtype=np.uint8)
    picture = as_picture(image)
    assert picture.shape == (8, 6, *shape)
    np.testing.assert_allclose(picture, 0.2, rtol=1e-6)


def test_image_and_mask_are_thinned_out_alike():
    ids = np.zeros((2000, 1000), dtype=int)
    ids[600:900, 300:600] = 1
    picture = as_picture(ids[..., None].astype(np.uint8) * 255)
    assert picture.shape == (667, 334)
    np.testing.assert_array_equal(as_regions(ids)[1], picture == 1)


def test_regions_of_ids_and_of_channels():
    ids = np.array([[0, 1, 3], [-1, 3, 0]])
    regions = as_regions(ids)
    assert sorted(regions) == [1, 3]
    np.testing.assert_array_equal(regions[3], ids == 3)
    channels = np.stack([ids == 3, np.zeros_like(ids), -(ids == 0).astype(int)])
    assert list(as_regions(channels)) == [1]


def test_fading_keeps_brightness_and_takes_color():
    picture = np.array([[[0.9, 0.3, 0.0]]], dtype=np.float32)
    pale = faded(picture)
    np.testing.assert_allclose(pale.mean(), picture.mean(), rtol=1e-6)
    assert np.ptp(pale) == pytest.approx(np.ptp(picture) / 4)
    np.testing.assert_array_equal(faded(picture[..., 0]), picture[..., 0])
