"""Nothing moves and nothing thin is lost, whatever each axis does: shrink, keep or grow."""

from itertools import product

import cv2
import numpy as np
import pytest
import torch

from segclf.data.resize import resize_image, resize_maps, resize_mask

OLD = 30
PAIRS = list(product((10, 13, OLD, 71, 90), repeat=2))


def ramp(axis):
    """Number the rows or the columns."""
    return np.indices((OLD, OLD))[axis]


@pytest.mark.parametrize("size", PAIRS)
def test_a_ramp_stays_where_its_mask_stays(size):
    for axis, new in enumerate(size):
        image = resize_image(ramp(axis).astype(np.float32)[..., None], size)[..., 0]
        exact = (np.indices(size)[axis] + 0.5) * OLD / new - 0.5
        inside = (exact >= 0) & (exact <= OLD - 1)
        pixel = OLD / new  # of the result, in pixels of the original
        assert np.abs(image - exact)[inside].max() < 0.05 * pixel
        mask = resize_mask(ramp(axis), size)
        assert abs((image - mask).mean()) < 0.05 * pixel
        assert np.abs(exact - mask).max() <= max(pixel, 1) / 2


@pytest.mark.parametrize("size", PAIRS)
def test_a_thin_line_keeps_its_place_and_weight(size):
    for axis, new in enumerate(size):
        line = (ramp(axis) == 17).astype(np.float32)
        image = resize_image(line[..., None], size)[..., 0]
        assert image.mean() == pytest.approx(line.mean(), rel=0.05)
        center = (image * (np.indices(size)[axis] + 0.5)).sum() / image.sum()
        # an area mean spreads the line over the cell that it lies in
        assert abs(center - 17.5 * new / OLD) < 0.05 + max(0, 1 - new / OLD) / 2


@pytest.mark.parametrize(
    ("size", "method"),
    [((10, 13), cv2.INTER_AREA), ((10, OLD), cv2.INTER_AREA), ((71, OLD), cv2.INTER_LINEAR)],
)
def test_one_direction_is_one_step_of_opencv(size, method):
    image = np.random.default_rng(0).random((OLD, OLD, 3), dtype=np.float32)
    expected = cv2.resize(image, size[::-1], interpolation=method)
    np.testing.assert_array_equal(resize_image(image, size), expected)


@pytest.mark.parametrize("size", [(13, 13), (10, 10), (13, 71)])
def test_many_channels(size):
    """OpenCV itself takes area means of four at most."""
    image = np.random.default_rng(0).random((OLD, OLD, 11), dtype=np.float32)
    single = [resize_image(image[..., [c]], size) for c in range(11)]
    np.testing.assert_allclose(resize_image(image, size), np.concatenate(single, 2), atol=1e-6)


@pytest.mark.parametrize("size", [*PAIRS, (7, 90), (7, 7)])
def test_maps_stay_where_they_are_and_keep_thin_lines(size):
    for axis, new in enumerate(size):
        exact = (np.indices(size)[axis] + 0.5) * OLD / new - 0.5
        margin = OLD / new if 2 * new < OLD else 0
        inside = (exact >= margin) & (exact <= OLD - 1 - margin)
        both = np.stack([ramp(axis), ramp(axis) == 17]).astype(np.float32)
        slope, line = resize_maps(torch.from_numpy(both)[None], size)[0].numpy()
        assert np.abs(slope - exact)[inside].max() < 0.05 * OLD / new
        assert line.mean() > 0.6 / OLD
        center = (line * (np.indices(size)[axis] + 0.5)).sum() / line.sum()
        assert abs(center - 17.5 * new / OLD) < 0.1
