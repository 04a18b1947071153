import numpy as np
import pytest

from segclf.displays.montages import montage


def mask_of(depth, *found):
    mask = np.zeros((depth, 8, 8), dtype=np.uint8)
    for number, n_rows in found:
        mask[number, :n_rows] = 1
    return mask


def test_a_few_slices_of_a_deep_volume_show_its_findings():
    mask = mask_of(400, (200, 1), (201, 3), (202, 2), (203, 1))
    chosen = montage(mask, None, mask.shape, 12)
    assert chosen.numbers[chosen.largest] == 201
    assert {200, 201, 202, 203} < set(chosen.numbers.tolist())
    assert chosen.numbers[[0, -1]].tolist() == [0, 399]
    assert len(chosen.numbers) == 12
    assert np.diff(chosen.numbers).max() < 80
    assert (chosen.n_rows, chosen.n_columns) == (3, 4)


def test_what_was_missed_is_shown_too():
    predicted, true = mask_of(50, (10, 1)), mask_of(50, (30, 4))
    chosen = montage(predicted, true, true.shape, 5)
    assert {10, 30} < set(chosen.numbers.tolist())
    assert chosen.numbers[chosen.largest] == 10
    alone = montage(predicted * 0, true, true.shape, 1)
    assert alone.numbers.tolist() == [30]


def test_without_findings_slices_are_spread():
    chosen = montage(None, None, (9, 8, 8), 3)
    assert chosen.numbers.tolist() == [0, 4, 8]
    assert chosen.numbers[chosen.largest] == 4


@pytest.mark.parametrize("n_slices", [7, 50])
def test_a_volume_of_few_slices_is_shown_whole(n_slices):
    mask = mask_of(7, (2, 1))
    assert montage(mask, mask, mask.shape, n_slices).numbers.tolist() == list(range(7))


@pytest.mark.parametrize("size", [(12, 8, 64), (12, 64, 8), (12, 8, 8)])
def test_it_is_about_as_high_as_wide(size):
    chosen = montage(None, None, size, 12)
    ratio = chosen.n_rows * size[1] / (chosen.n_columns * size[2])
    assert 0.5 <= ratio <= 1.5


def test_what_is_left_of_the_grid_is_dark():
    chosen = montage(None, None, (3, 2, 2), 3)
    image = chosen.image(np.full((3, 2, 2, 1), -1000, dtype=np.int16))
    assert image.shape == (4, 4, 1)
    assert (image == -1000).all()
    assert image.dtype == np.int16
    channels = chosen.mask(np.ones((5, 3, 2, 2), dtype=np.uint8))
    assert channels.shape == (5, 4, 4)


def test_captions():
    mask = mask_of(40, (7, 1))
    captions = [montage(mask, None, mask.shape, n).caption for n in (1, 2, 10)]
    assert captions == ["slice 7", "slices 0, 7", "10 slices, most in 7"]
