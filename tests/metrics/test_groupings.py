import numpy as np
import pytest
from scipy.ndimage import center_of_mass

from segclf.metrics import group_by_area, group_by_region


def masks_with(*n_pixels, size=10):
    masks = np.zeros((len(n_pixels), size * size), dtype=int)
    for mask, n in zip(masks, n_pixels, strict=True):
        mask[:n] = 1
    return masks.reshape(-1, size, size)


def test_quantiles_of_the_images_that_have_a_target():
    grouping = group_by_area(masks_with(0, 6, 1, 5, 0, 2, 4, 3))
    assert grouping.group.tolist() == [-1, 2, 0, 2, -1, 0, 1, 1]
    assert grouping.names == ["below 2.67%", "2.67% to 4.33%", "from 4.33%"]


def test_a_target_at_a_cut_is_large():
    grouping = group_by_area(masks_with(4, 5, 6, 50, 100), bins=[0.05, 0.5])
    assert grouping.group.tolist() == [0, 1, 1, 2, 2]


def test_targets_as_large_make_fewer_groups():
    assert group_by_area(masks_with(7, 7, 7)).group.tolist() == [1, 1, 1]
    assert group_by_area(masks_with(7, 7, 7)).names == ["below 7%", "from 7%"]
    assert group_by_area(masks_with(7, 8), bins=1).names == ["all"]


def test_sizes_of_images_and_unlabeled_pixels_are_seen_through():
    small, large = masks_with(1, size=5)[0], np.ones((40, 40), dtype=int)
    large[:, 4:] = 0
    half = masks_with(5)[0]
    half[5:] = -1  # 5 of 50
    assert group_by_area([small, large, half, None], bins=[0.05]).group.tolist() == [0, 1, 1, -1]


@pytest.mark.parametrize("group", [group_by_area, group_by_region])
def test_no_mask_no_target_no_image(group):
    empty = np.zeros((3, 3), dtype=int)
    assert group([None, empty, empty - 1]).group.tolist() == [-1, -1, -1]
    assert group([]).group.tolist() == []


@pytest.mark.parametrize("group", [group_by_area, group_by_region])
def test_ids_channels_and_order(group):
    random = np.random.default_rng(0)
    ids = random.integers(-1, 3, (12, 6, 6)) * (random.random((12, 6, 6)) < 0.2)
    channels = np.stack([np.where(ids < 0, -1, ids == id_) for id_ in (1, 2)], axis=1)
    found = group(ids)
    np.testing.assert_array_equal(group(channels).group, found.group)
    order = random.permutation(12)
    np.testing.assert_array_equal(group(list(ids[order])).group, found.group[order])
    assert len(np.unique(found.group)) > 2


@pytest.mark.parametrize("grid", [(3, 3), (2, 2), (4, 5), (1, 1)])
def test_regions_hold_their_centroids(grid):
    random = np.random.default_rng(0)
    masks = np.zeros((60, 8, 13), dtype=int)
    for mask in masks:
        top, left = random.integers(0, 7), random.integers(0, 12)
        mask[top : top + random.integers(1, 9), left : left + random.integers(1, 9)] = 1
    centers = (np.array([center_of_mass(mask) for mask in masks]) + 0.5) / (8, 13)
    edges = [np.arange(1, n) / n for n in grid]
    row, column = (np.digitize(c, e) for c, e in zip(centers.T, edges, strict=True))
    grouping = group_by_region(masks, grid=grid)
    np.testing.assert_array_equal(grouping.group, row * grid[1] + column)
    assert len(set(grouping.names)) == len(grouping.names) == grid[0] * grid[1]


def test_names_of_regions():
    corner = np.zeros((1, 9, 9), dtype=int)
    corner[0, 8, 0] = 1
    for grid, name in {
        (3, 3): "lower left",
        (2, 3): "lower left",
        (1, 2): "left",
        (1, 1): "all",
        (4, 2): "row 4, left",
        (2, 4): "lower, column 1",
    }.items():
        grouping = group_by_region(corner, grid=grid)
        assert grouping.names[grouping.group[0]] == name


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: group_by_area(masks_with(1), bins=0), "at least 1, got 0"),
        (lambda: group_by_area(masks_with(1), bins=[0.5, 0.2]), "increase in"),
        (lambda: group_by_area(masks_with(1), bins=[0.0, 0.2]), "increase in"),
        (lambda: group_by_region(masks_with(1), grid=(0, 2)), "two positive numbers"),
        (lambda: group_by_region([None, np.zeros(3)]), r"sample 1: \(3,\)"),
    ],
)
def test_arguments_out_of_range(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def volumes(*sizes):
    """Targets of so many voxels in their second slice, above the first of 4 slices of 10 x 10."""
    masks = np.zeros((len(sizes), 4, 10, 10), dtype=int)
    masks[:, 1] = masks_with(*sizes)
    return masks


def test_volumes_by_their_share_and_their_place_in_the_slice():
    masks = volumes(4, 40, 0)
    by_area = group_by_area(masks, bins=[0.05], n_spatial=3)
    assert by_area.group.tolist() == [0, 1, -1]
    assert group_by_region(masks, n_spatial=3).group.tolist() == [0, 1, -1]
    channels = np.stack([masks, np.zeros_like(masks)], axis=1)
    np.testing.assert_array_equal(
        group_by_region(channels, n_spatial=3).group, group_by_region(masks, n_spatial=3).group
    )
    with pytest.raises(ValueError, match=r"must be \(d, h, w\) or \(k, d, h, w\)"):
        group_by_area(masks[:, 0], n_spatial=3)


def test_sizes_in_millimeters():
    masks = volumes(4, 40, 0)
    alike = group_by_area(masks, bins=[15, 1500], spacing=(5, 0.5, 0.5), n_spatial=3)
    assert alike.group.tolist() == [0, 1, -1]  # 5 and 50 mm³
    assert alike.names == ["below 15 mm³", "15 to 1,500 mm³", "from 1,500 mm³"]
    spacing = [(5, 1, 1), (0.1, 1, 1), (1, 1, 1)]
    each = group_by_area(masks, bins=[15], spacing=spacing, n_spatial=3)
    assert each.group.tolist() == [1, 0, -1]
    flat = group_by_area(masks[:, 1], bins=[1.5], spacing=(0.5, 0.5))
    assert flat.names == ["below 1.5 mm²", "from 1.5 mm²"]
    assert flat.group.tolist() == [0, 1, -1]
    with pytest.raises(ValueError, match=r"increase in .0, inf"):
        group_by_area(masks, bins=[2, 1], spacing=(1, 1, 1), n_spatial=3)
