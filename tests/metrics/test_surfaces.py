import numpy as np
import pytest
import torch
from monai.metrics import (
    compute_average_surface_distance,
    compute_hausdorff_distance,
    compute_surface_dice,
)

from segclf.data import as_masks
from segclf.metrics import surface_distances

SIZES = [((9, 11), None), ((9, 11), (2.0, 0.5)), ((5, 7, 8), None), ((5, 7, 8), (5.0, 0.7, 1.5))]
sizes = pytest.mark.parametrize(("size", "spacing"), SIZES)


def random_masks(size, n_classes=3, n_samples=4):
    """Boxes that touch edges, overlap, lie inside of each other, and have holes."""
    random = np.random.default_rng(len(size))
    masks = np.zeros((2, n_samples, *size), dtype=np.uint8)
    for mask in masks.reshape(-1, *size):
        for one in range(1, n_classes):
            starts = random.integers(0, np.array(size) - 3)
            box = tuple(slice(a, a + length) for a, length in zip(starts, (3, 5, 4), strict=False))
            mask[box] = one
        mask[random.random(size) < 0.05] = 0
        mask[(0,) * len(size)], mask[(-1,) * len(size)] = 1, 2
    return masks


def one_hot(masks):
    return torch.as_tensor(np.moveaxis(np.eye(3)[masks], -1, 1))


@sizes
def test_distances_equal_monai(size, spacing):
    y_true, y_pred = random_masks(size)
    distances = surface_distances(y_true, y_pred, spacing=spacing, n_spatial=len(size))
    given = one_hot(y_pred), one_hot(y_true)
    own = {"spacing": spacing}
    for percentile in (100, 95):
        expected = compute_hausdorff_distance(*given, percentile=percentile, **own)
        np.testing.assert_allclose(distances.hausdorff(percentile), expected, rtol=1e-6)
    expected = compute_average_surface_distance(*given, symmetric=True, **own)
    np.testing.assert_allclose(distances.average(), expected, rtol=1e-6)
    expected = compute_surface_dice(*given, class_thresholds=[1.5, 1.5], **own)
    np.testing.assert_allclose(distances.dice(1.5), expected, rtol=1e-6)


def surface_by_hand(region):
    """Pixels of which a neighbor at a side is outside, one by one."""
    padded = np.pad(region, 1)
    steps = [s * step for step in np.eye(region.ndim, dtype=int) for s in (1, -1)]
    return [
        at for at in np.argwhere(region) if not all(padded[tuple(at + 1 + step)] for step in steps)
    ]


@sizes
def test_distances_equal_those_of_all_pairs(size, spacing):
    y_true, y_pred = random_masks(size)
    y_true = y_true.astype(np.int16)
    y_true[:, 2] = -1
    distances = surface_distances(y_true, y_pred, spacing=spacing, n_spatial=len(size))
    scale = np.ones(len(size)) if spacing is None else np.array(spacing)
    for image in range(len(y_true)):
        for one in (1, 2):
            regions = y_true[image] == one, (y_pred[image] == one) & (y_true[image] >= 0)
            true, predicted = (np.array(surface_by_hand(each)) * scale for each in regions)
            pairs = np.linalg.norm(true[:, None] - predicted, axis=2)
            place = image, one - 1
            np.testing.assert_allclose(np.sort(distances.from_true[place]), np.sort(pairs.min(1)))
            expected = np.sort(pairs.min(0))
            np.testing.assert_allclose(np.sort(distances.from_predicted[place]), expected)


def test_each_volume_has_its_own_spacing():
    y_true, y_pred = np.zeros((2, 2, 4, 4, 9), dtype=int)
    y_true[:, 1:3, 1:3, 2:4], y_pred[:, 1:3, 1:3, 4:6] = 1, 1
    spacing = [(1, 1, 0.5), (1, 1, 3)]
    distances = surface_distances(y_true, y_pred, spacing=spacing, n_spatial=3)
    assert distances.hausdorff().ravel().tolist() == [1.0, 6.0]


def test_what_one_or_no_mask_shows():
    one, none = np.eye(4, dtype=int), np.zeros((4, 4), dtype=int)
    distances = surface_distances([one, none, none, None], [none, one, none, none])
    for scores in (distances.hausdorff(95), distances.average()):
        np.testing.assert_array_equal(scores.ravel(), [np.inf, np.inf, 0.0, np.nan])
    np.testing.assert_array_equal(distances.dice(1).ravel(), [0.0, 0.0, 1.0, np.nan])


def test_what_is_not_labeled_is_of_neither_region():
    truth = np.array([[1, 1, -1, -1, 0]])
    within = surface_distances([truth], [np.array([[1, 1, 1, 1, 0]])])
    assert within.hausdorff().item() == 0
    beyond = surface_distances([truth], [np.array([[0, 0, 1, 1, 0]])])
    assert beyond.hausdorff().item() == np.inf
    nothing = surface_distances([-np.ones((2, 2), int)], [np.ones((2, 2), int)])
    assert np.isnan(nothing.average()).all()


def test_channels_and_the_background():
    y_true, y_pred = random_masks((9, 11))
    expected = surface_distances(y_true, y_pred, include_background=True).average()
    channels = [one_hot(masks).numpy().astype(int) for masks in (y_true, y_pred)]
    np.testing.assert_array_equal(surface_distances(*channels).average(), expected)
    foreground = surface_distances(y_true, y_pred).average()
    np.testing.assert_array_equal(foreground, expected[:, 1:])
    channels[0][1, 2] = -1
    assert np.isnan(surface_distances(*channels).average()[1, 2])


def test_masks_say_whether_they_are_of_volumes():
    y_true, y_pred = random_masks((5, 7, 8))
    expected = surface_distances(y_true, y_pred, n_spatial=3).average()
    given = as_masks(y_true, len(y_true), n_spatial=3)
    np.testing.assert_array_equal(surface_distances(given, y_pred).average(), expected)


@pytest.mark.parametrize("spacing", [(1, 1, 1), (0, 1), (np.nan, 1), 2.0, [(1, 1)] * 3])
def test_a_spacing_that_is_none(spacing):
    masks = np.ones((2, 3, 3), dtype=int)
    with pytest.raises(ValueError, match=r"spacing=.*expected 2 lengths above 0.*2 images"):
        surface_distances(masks, masks, spacing=spacing)


def test_a_percentile_and_a_tolerance_that_are_none():
    distances = surface_distances(*np.ones((2, 1, 3, 3), dtype=int))
    with pytest.raises(ValueError, match="percentile=950; expected"):
        distances.hausdorff(950)
    with pytest.raises(ValueError, match="tolerance=nan; expected a distance"):
        distances.dice(float("nan"))
