import pytest

from segclf.networks.strides import check_strides, choose_kernels, choose_strides, total_stride


@pytest.mark.parametrize(
    ("size", "spacing", "expected"),
    [
        # nnU-Net's network of the prostate: slices 3.6 mm apart, pixels of .62 mm
        (
            (20, 320, 256),
            (3.6, 0.62, 0.62),
            [[1, 2, 2], [1, 2, 2], [2, 2, 2], [2, 2, 2], [1, 2, 2], [1, 2, 2]],
        ),
        ((64, 64, 64), (1, 1, 1), [[2, 2, 2]] * 4),
        ((64, 64, 64), None, [[2, 2, 2]] * 4),
        ((64, 64, 64), (1, 1, 2), [[2, 2, 1], [2, 2, 2], [2, 2, 2], [2, 2, 2]]),
        ((16, 64, 64), None, [[1, 2, 2], [1, 2, 2], [2, 2, 2], [2, 2, 2]]),
        ((5, 16, 16), (1, 1, 1), [[1, 2, 2], [1, 2, 2]]),
        ((3, 4, 5), None, [[1, 1, 1]] * 2),
    ],
)
def test_long_and_short_axes_wait(size, spacing, expected):
    assert choose_strides(size, spacing, depth=max(4, len(expected))) == expected


def test_no_axis_is_halved_to_less_than_four_voxels():
    for size in ((8, 9, 100), (31, 33, 64), (7, 200, 15)):
        total = total_stride(choose_strides(size, depth=6))
        assert all(n // t >= 4 for n, t in zip(size, total, strict=True) if t > 1)


def test_depth_is_the_most():
    assert len(choose_strides((64, 64, 64), depth=2)) == 2
    assert len(choose_strides((16, 16, 16), depth=6)) == 2


def test_kernels_are_flat_where_an_axis_waits():
    assert choose_kernels([[1, 2, 2], [1, 2, 2], [2, 2, 2]]) == [
        [1, 3, 3],
        [1, 3, 3],
        [3, 3, 3],
        [3, 3, 3],
    ]
    assert choose_kernels([[2, 2, 2]]) == [[3, 3, 3]] * 2
    assert choose_kernels([[1, 2, 2], [1, 2, 2]]) == [[3, 3, 3]] * 3  # short, and never halved


@pytest.mark.parametrize("wrong", [(), 2, ((2, 2),), ((2, 2, 3),), ((2, 2, 2),) * 7, "unet"])
def test_what_are_no_strides_is_refused(wrong):
    with pytest.raises(
        ValueError, match="expected the factors of slices, rows and columns, 1 or 2"
    ):
        check_strides(wrong)
