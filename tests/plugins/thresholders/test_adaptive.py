import cv2
import numpy as np
import pytest
from segclf_plugins.thresholders import AdaptiveGaussianThresholder, AdaptiveMeanThresholder

METHODS = {
    AdaptiveMeanThresholder: cv2.ADAPTIVE_THRESH_MEAN_C,
    AdaptiveGaussianThresholder: cv2.ADAPTIVE_THRESH_GAUSSIAN_C,
}


@pytest.fixture(params=METHODS)
def kind(request):
    return request.param


def opencv(kind, image, block_size, offset):
    mask = cv2.adaptiveThreshold(image, 1, METHODS[kind], cv2.THRESH_BINARY, block_size, offset)
    return mask == 1


@pytest.mark.parametrize("block_size", [3, 11, 57])
@pytest.mark.parametrize("offset", [0, 2, 2.5, -4, 300])
def test_8_bit_images_equal_opencv(kind, images, block_size, offset):
    few = images[:50]
    masks = kind(block_size=block_size, offset=offset).transform(few)
    np.testing.assert_array_equal(masks, [opencv(kind, i, block_size, offset) for i in few])


@pytest.mark.parametrize("block_size", [3, 11, 57])
def test_other_images_follow_the_same_formula(kind, images, block_size):
    """Between 0 and 65535 levels are the values themselves, so OpenCV's formula can be asked."""
    generator = np.random.default_rng(0)
    levels = generator.integers(0, 2**16, images[:20].shape, dtype=np.uint16)
    levels[:, 0, 0], levels[:, 0, 1] = 0, 2**16 - 1
    weights = cv2.getGaussianKernel(block_size, 0)
    if kind is AdaptiveMeanThresholder:
        weights = np.full((block_size, 1), 1 / block_size)
    pad = block_size // 2
    padded = np.pad(levels.astype(float), ((0, 0), (pad, pad), (pad, pad)), mode="edge")
    for axis in (1, 2):
        windows = np.lib.stride_tricks.sliding_window_view(padded, block_size, axis=axis)
        padded = windows @ weights[:, 0]
    expected = levels - padded > -514  # two gray levels of 8 bit
    masks = kind(block_size=block_size, offset=2).transform(levels)
    unsure = np.abs(levels - padded + 514) < 1  # both round
    assert unsure.mean() < 1e-3
    np.testing.assert_array_equal(masks[~unsure], expected[~unsure])
    for same in (levels / 7 - 5000, (levels / 65535).astype(np.float64), levels.astype(np.int64)):
        np.testing.assert_array_equal(kind(block_size=block_size, offset=2).transform(same), masks)


def test_flat_regions_of_float_images_are_not_speckled(kind):
    image = np.full((60, 60), 0.1)
    image[20:25, 20:25] = 0.7
    np.testing.assert_array_equal(kind(block_size=31)(image), image == 0.7)


def test_a_block_size_may_be_a_fraction_of_the_shorter_side(kind, images):
    image = images[1]
    assert image.shape == (40, 56)
    for fraction, pixels in ((0.25, 11), (0.5, 21), (0.01, 3)):
        mask = kind(block_size=fraction)(image)
        np.testing.assert_array_equal(mask, kind(block_size=pixels)(image))


def test_an_even_block_size_has_no_middle(kind, images):
    with pytest.raises(ValueError, match="block_size=8 is not odd; expected an odd int"):
        kind(block_size=8).transform(images)
    with pytest.raises(ValueError, match="block_size"):
        kind(block_size=1).fit(images)
