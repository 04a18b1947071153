import numpy as np
import pytest
from segclf_plugins.summarizers.maps import check_maps

MAPS = np.random.default_rng(0).random((3, 2, 4, 5))


def test_maps_are_taken_as_they_are():
    assert check_maps(MAPS) is MAPS
    listed = check_maps([MAPS[0], MAPS[1, :, :2]], n_channels=2)
    assert [each.shape for each in listed] == [(2, 4, 5), (2, 2, 5)]


@pytest.mark.parametrize(
    ("P", "message"),
    [
        (MAPS[0], r"P has shape \(2, 4, 5\); expected \(n, k, h, w\)"),
        (MAPS[:0], "P is empty"),
        ([], "P is empty"),
        ([MAPS[0], MAPS[1, :1]], r"shape \(1, 4, 5\) at sample 1; expected .* with k = 2"),
        ([MAPS[0], MAPS[1, 0]], r"shape \(4, 5\) at sample 1"),
        ([np.zeros(3)], r"shape \(3,\) at sample 0"),
        (MAPS[..., :0], r"shape \(2, 4, 0\) at sample 0"),
        (np.where(np.arange(3)[:, None, None, None] == 2, np.nan, MAPS), "NaN or .* at sample 2"),
    ],
)
def test_what_is_no_map(P, message):
    with pytest.raises(ValueError, match=message):
        check_maps(P)


def test_other_channels_than_learned():
    with pytest.raises(ValueError, match=r"shape \(2, 4, 5\) at sample 0; expected .* k = 3"):
        check_maps(MAPS, n_channels=3)
