import cv2
import numpy as np
import pytest
import skimage.data
from segclf_plugins.thresholders import OtsuThresholder
from skimage.filters import threshold_otsu

# METHODS: thresholds of OpenCV and scikit-image, which agree on these pictures
PICTURES = {
    "brick": 131,
    "camera": 102,
    "cell": 122,
    "clock": 174,
    "coins": 107,
    "moon": 87,
    "page": 157,
    "text": 109,
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures(name):
    try:
        picture = getattr(skimage.data, name)()
    except Exception as error:
        pytest.skip(f"scikit-image has not bundled it: {error}")
    assert OtsuThresholder().thresholds([picture]) == PICTURES[name]


def test_a_color_picture_is_made_gray_in_the_order_of_rgb():
    astronaut = skimage.data.astronaut()
    order = [astronaut, astronaut[..., ::-1]]
    np.testing.assert_array_equal(OtsuThresholder().thresholds(order), [100, 103])


def test_8_bit_images_equal_opencv_and_scikit_image(images):
    thresholds = OtsuThresholder().thresholds(images)
    np.testing.assert_array_equal(thresholds, [threshold_otsu(image) for image in images])
    opencv = [cv2.threshold(image, 0, 1, cv2.THRESH_OTSU) for image in images]
    np.testing.assert_array_equal(thresholds, [level for level, _ in opencv])
    masks = OtsuThresholder().transform(images)
    np.testing.assert_array_equal(masks, [mask == 1 for _, mask in opencv])


def test_16_bit_images_equal_opencv_and_scikit_image(images):
    generator = np.random.default_rng(0)
    deep = images[:20] * np.uint16(97) + generator.integers(0, 97, images[:20].shape, np.uint16)
    thresholds = OtsuThresholder().thresholds(deep)
    np.testing.assert_array_equal(thresholds, [threshold_otsu(image) for image in deep])
    np.testing.assert_array_equal(
        thresholds, [cv2.threshold(image, 0, 1, cv2.THRESH_OTSU)[0] for image in deep]
    )
    signed = (deep.astype(np.int32) - 2**14).astype(np.int16)
    np.testing.assert_array_equal(OtsuThresholder().thresholds(signed), thresholds - 2**14)
    masks = OtsuThresholder().transform(deep)
    np.testing.assert_array_equal(masks, deep > thresholds[:, None, None])
    np.testing.assert_array_equal(OtsuThresholder().transform(signed), masks)


@pytest.mark.parametrize("n_bins", [64, 256, 1000])
def test_float_images_equal_scikit_image(images, n_bins):
    generator = np.random.default_rng(0)
    floats = images[:40] / 7 - 11 + generator.normal(size=images[:40].shape)
    theirs = [threshold_otsu(image, nbins=n_bins) for image in floats]
    thresholder = OtsuThresholder(n_bins=n_bins)
    np.testing.assert_allclose(thresholder.thresholds(floats), theirs, rtol=1e-12)
    masks = [image > t for image, t in zip(floats, theirs, strict=True)]
    differ = thresholder.transform(floats) != masks  # in the bin that the threshold is in
    widths = np.ptp(floats, axis=(1, 2)) / n_bins
    distance = np.abs(floats - np.reshape(theirs, (-1, 1, 1))) / widths[:, None, None]
    assert distance[differ].max() <= 0.5 + 1e-9


def test_the_same_picture_in_other_types_has_the_same_mask(images):
    whole = images.copy()
    whole[:, 0, :2] = 0, 255
    masks = OtsuThresholder().transform(whole)
    for same in (
        whole / 255,
        whole / np.float32(255),
        1024 * (whole / 255) - 3,
        whole.astype(np.int64),
        whole.astype(np.int16) - 300,
        whole * np.uint16(257),
    ):
        np.testing.assert_array_equal(OtsuThresholder().transform(same), masks)
