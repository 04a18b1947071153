import cv2
import numpy as np
import pytest
from segclf_plugins.thresholders.gray import to_gray, to_levels

COLORS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def test_color_is_luma():
    exact = COLORS @ [0.299, 0.587, 0.114]
    gray = to_gray(COLORS)
    np.testing.assert_array_equal(gray, cv2.cvtColor(COLORS, cv2.COLOR_RGB2GRAY))
    np.testing.assert_allclose(gray, exact, atol=0.51)
    np.testing.assert_allclose(to_gray(COLORS.astype(np.uint16) * 257), exact * 257, atol=2)
    for dtype in (np.int16, np.int64, np.float16, np.float32, np.float64):
        np.testing.assert_allclose(to_gray(COLORS.astype(dtype)), exact, rtol=1e-6)


def test_two_or_many_channels_are_averaged():
    five = np.concatenate([COLORS, COLORS[..., :2]], axis=2)
    for image in (COLORS[..., :2], five):
        np.testing.assert_allclose(to_gray(image), image.mean(axis=2))


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (bool, np.uint8),
        (np.uint8, np.uint8),
        (np.int8, np.int8),
        (np.uint16, np.uint16),
        (np.int16, np.int16),
        (np.int32, np.float64),
        (np.uint64, np.float64),
        (np.float16, np.float64),
        (np.float32, np.float32),
        (np.float64, np.float64),
    ],
)
def test_dtypes_of_gray(dtype, expected):
    image = np.array([[[0], [1]]], dtype=dtype)
    gray = to_gray(image)
    assert gray.dtype == expected
    np.testing.assert_array_equal(gray, [[0, 1]])


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16])
def test_small_integers_have_a_bin_for_each_value(dtype):
    limits = np.iinfo(dtype)
    gray = np.array([[limits.min, limits.min + 1, limits.max]], dtype=dtype)
    levels, low, step, _ = to_levels(gray, 16)
    np.testing.assert_array_equal(low + step * levels, gray)


@pytest.mark.parametrize("n_bins", [2, 256, 1000])
def test_floats_are_binned_as_by_numpy(n_bins):
    gray = np.random.default_rng(0).normal(size=(50, 60)) * 1e5
    levels, low, step, _ = to_levels(gray, n_bins)
    counts, edges = np.histogram(gray, n_bins)
    np.testing.assert_array_equal(np.bincount(levels.ravel(), minlength=n_bins), counts)
    np.testing.assert_allclose(low + step * np.arange(n_bins), (edges[1:] + edges[:-1]) / 2)


def test_a_gray_level_of_8_bit_in_bins():
    ends = np.array([[0, 51, 255]])
    for gray in (ends.astype(np.uint8), (ends - 128).astype(np.int8), ends / 255):
        assert to_levels(gray, 256).gray_level == 1
    for gray in (ends.astype(np.uint16) * 257, (ends * 257 - 2**15).astype(np.int16)):
        assert to_levels(gray, 256).gray_level == 257
    assert to_levels(ends / 255, 511).gray_level == 2
