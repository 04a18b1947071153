import numpy as np
import pytest
from scipy import ndimage
from sklearn.base import clone

from segclf.data import MaskCleaner

EIGHT = np.ones((3, 3))
RANDOM = np.random.default_rng(0)
MASKS = [RANDOM.choice(3, size=(24, 31), p=(0.45, 0.35, 0.2)) for _ in range(20)]


def sizes_of(finding):
    """Labels of the components, and each one's number of pixels."""
    labels, count = ndimage.label(finding, EIGHT)
    return labels, ndimage.sum_labels(finding, labels, np.arange(1, count + 1))


def cleaned(mask, ids, **settings):
    found = MaskCleaner(**settings)(mask)
    assert found.dtype == mask.dtype
    assert set(np.unique(found)) <= {0, *ids}
    return found


@pytest.mark.parametrize("mask", MASKS[:8])
def test_holes_of_one_finding_are_those_of_scipy(mask):
    finding = (mask == 1).astype(np.uint8)
    expected = ndimage.binary_fill_holes(finding)
    assert expected.sum() > finding.sum()
    np.testing.assert_array_equal(cleaned(finding, [1], fill_holes=True), expected)


@pytest.mark.parametrize("mask", MASKS[:8])
def test_holes_take_background_alone(mask):
    found = cleaned(mask, [1, 2], fill_holes=True)
    np.testing.assert_array_equal(found[mask > 0], mask[mask > 0])
    holes = [ndimage.binary_fill_holes(mask == one) & (mask == 0) for one in (1, 2)]
    np.testing.assert_array_equal(found > 0, (mask > 0) | holes[0] | holes[1])
    for one, hole, other in ((1, *holes), (2, *holes[::-1])):
        assert (found[hole & ~other] == one).all()


def test_what_two_findings_enclose_becomes_the_innermost():
    rings = np.zeros((15, 15), dtype=np.uint8)
    rings[1:14, 1:14], rings[2:13, 2:13] = 1, 0
    rings[4:11, 4:11], rings[6:9, 6:9] = 2, 0
    expected = rings.copy()
    expected[2:13, 2:13], expected[4:11, 4:11] = 1, 2
    np.testing.assert_array_equal(MaskCleaner(fill_holes=True)(rings), expected)
    swapped = np.array([0, 2, 1], dtype=np.uint8)
    found = MaskCleaner(fill_holes=True)(swapped[rings])
    np.testing.assert_array_equal(found, swapped[expected])


@pytest.mark.parametrize("mask", MASKS[:4])
@pytest.mark.parametrize("min_size", [2, 5, 0.01])
def test_small_components_are_those_of_scipy(mask, min_size):
    found = cleaned(mask, [1, 2], min_size=min_size)
    smallest = min_size if min_size >= 1 else min_size * mask.size
    expected = np.zeros_like(mask)
    for one in (1, 2):
        labels, sizes = sizes_of(mask == one)
        assert (sizes < smallest).any()
        expected[np.isin(labels, 1 + np.flatnonzero(sizes >= smallest))] = one
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("mask", MASKS)
def test_the_largest_component_of_each_finding_is_that_of_scipy(mask):
    found = cleaned(mask, [1, 2], largest=True)
    for one in (1, 2):
        labels, sizes = sizes_of(mask == one)
        kept = np.unique(labels[found == one])
        assert len(kept) == 1
        assert sizes[kept[0] - 1] == sizes.max()
        np.testing.assert_array_equal(found == one, labels == kept[0])


def test_holes_count_for_the_size_and_dropped_components_leave_none():
    mask = np.zeros((12, 20), dtype=np.uint8)
    mask[1:8, 1:8], mask[2:7, 2:7] = 1, 0  # 24 pixels around 25
    mask[4, 4] = 2
    mask[1:11, 12:16] = 1  # 40 pixels
    found = MaskCleaner(fill_holes=True, min_size=2, largest=True)(mask)
    assert (found[1:8, 1:8] == 1).all()
    assert found.sum() == 49


@pytest.mark.parametrize("mask", MASKS[:8])
@pytest.mark.parametrize("largest", [False, True])
def test_what_is_clean_stays(mask, largest):
    cleaner = MaskCleaner(fill_holes=True, min_size=3, largest=largest)
    once = cleaner(mask)
    np.testing.assert_array_equal(cleaner(once), once)
    assert not np.array_equal(once, mask)


def test_each_channel_is_cleaned_by_itself_and_the_mask_given_stays():
    channels = np.stack(MASKS[:2]) > 0
    before = channels.copy()
    cleaner = MaskCleaner(fill_holes=True, min_size=4, largest=True)
    found = cleaner(channels)
    np.testing.assert_array_equal(channels, before)
    np.testing.assert_array_equal(found, [cleaner(channel) for channel in channels])
    np.testing.assert_array_equal(MaskCleaner()(MASKS[0]), MASKS[0])


def test_what_nobody_labeled_stays_so():
    mask = np.ones((5, 5), dtype=np.int8)
    mask[2, 2], mask[3, 3] = -1, 0
    expected = np.where(mask == 0, 1, mask)
    np.testing.assert_array_equal(MaskCleaner(fill_holes=True, largest=True)(mask), expected)
    np.testing.assert_array_equal(MaskCleaner(min_size=99)(mask), np.where(mask < 0, -1, 0))


def test_empty_masks_and_clones():
    cleaner = clone(MaskCleaner(fill_holes=True, largest=True, min_size=7))
    given = {"fill_holes": True, "largest": True, "min_size": 7}
    assert cleaner.get_params() == {**given, "n_spatial": 2, "spacing": None}
    empty = np.zeros((6, 7), dtype=np.uint8)
    np.testing.assert_array_equal(cleaner(empty), empty)


@pytest.mark.parametrize("min_size", [-1, 1.5, True, "small", np.nan])
def test_sizes_that_are_none_are_refused(min_size):
    with pytest.raises(ValueError, match=r"min_size=.* expected a number of pixels as an int"):
        MaskCleaner(min_size=min_size)(MASKS[0])


@pytest.mark.parametrize("mask", [np.zeros(3, dtype=int), np.zeros((2, 2))])
def test_what_is_no_mask_is_refused(mask):
    with pytest.raises(ValueError, match=r"The mask is \(.* expected \(h, w\) of ids"):
        MaskCleaner()(mask)


def test_volumes_are_cleaned_whole():
    mask = np.zeros((7, 8, 8), dtype=np.uint8)
    mask[1:6, 1:6, 1:6] = 1
    mask[3, 3, 3] = 0  # a hole
    mask[6, 6, 6] = 1  # touches at a corner
    mask[0, 7, 0] = 1  # by itself
    cleaned = MaskCleaner(n_spatial=3, fill_holes=True, min_size=2)(mask)
    expected = mask.copy()
    expected[3, 3, 3], expected[0, 7, 0] = 1, 0
    np.testing.assert_array_equal(cleaned, expected)
    # Of images, each slice has its own holes and components.
    channels = MaskCleaner(min_size=2)(mask)
    assert channels[6].sum() == channels[0].sum() == 0
    np.testing.assert_array_equal(
        MaskCleaner(n_spatial=3, largest=True)(np.stack([mask, mask]))[1, 0], np.zeros((8, 8))
    )


def test_a_tunnel_through_a_volume_is_no_hole():
    mask = np.ones((5, 5, 5), dtype=np.uint8)
    mask[2:, 2, 2] = 0
    np.testing.assert_array_equal(MaskCleaner(n_spatial=3, fill_holes=True)(mask), mask)


def test_sizes_in_millimeters():
    mask = np.zeros((4, 4, 4), dtype=np.uint8)
    mask[0, 0, :3], mask[3, 3, :2] = 1, 1
    cleaner = MaskCleaner(n_spatial=3, min_size=25.0, spacing=(5.0, 2.0, 1.0))
    cleaned = cleaner(mask)  # a voxel is 10 mm3: 30 stay, 20 go
    assert cleaned[0].sum() == 3
    assert cleaned[3].sum() == 0
    with pytest.raises(ValueError, match="expected 3 lengths above 0"):
        MaskCleaner(n_spatial=3, min_size=2, spacing=(1.0, 1.0))(mask)
