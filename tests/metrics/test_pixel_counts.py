import numpy as np
import pytest

from segclf.metrics.pixel_counts import count_pixels


def test_counts_of_ids():
    counts = count_pixels(np.array([[[0, 1, 2, -1]]]), np.array([[[0, 2, 2, 1]]]), n_classes=4)
    assert counts.both.tolist() == [[1, 0, 1, 0]]
    assert counts.true.tolist() == [[1, 1, 1, 0]]
    assert counts.predicted.tolist() == [[1, 0, 2, 0]]
    assert counts.labeled.tolist() == [[3, 3, 3, 3]]
    assert not counts.multilabel


def test_counts_of_channels():
    y_true = np.array([[[[1, 1, 0, -1]], [[0, 0, 0, 0]]]])
    counts = count_pixels(y_true, np.ones_like(y_true))
    assert counts.both.tolist() == [[2, 0]]
    assert counts.true.tolist() == [[2, 0]]
    assert counts.predicted.tolist() == [[3, 4]]
    assert counts.labeled.tolist() == [[3, 4]]
    assert counts.multilabel


def test_number_of_classes_is_that_of_the_greatest_id_and_at_least_2():
    zeros = np.zeros((2, 1, 2), dtype=np.uint8)
    assert count_pixels(zeros, zeros).true.tolist() == [[2, 0], [2, 0]]
    assert count_pixels(zeros, np.array([[[0, 0]], [[0, 5]]])).true.shape == (2, 6)


def test_foreground_and_total():
    y_true = np.array([[[0, 1]], [[1, 1]]])
    counts = count_pixels(y_true, y_true)
    assert counts.foreground().true.tolist() == [[1], [2]]
    assert counts.total().true.tolist() == [[1, 3]]


def test_masks_need_no_array_to_hold_them_all():
    class Lazy:
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return np.full((index + 1, 3), index)

    assert count_pixels(Lazy(), Lazy()).both.tolist() == [[3, 0], [0, 6]]


@pytest.mark.parametrize(
    ("y_true", "y_pred", "message"),
    [
        (np.zeros((2, 3, 3)), np.zeros((1, 3, 3)), "Numbers of masks differ: 2 true, 1 pred"),
        ([np.zeros((3, 3))], [np.zeros((3, 4))], r"\(3, 3\) \(true\).*\(3, 4\).*sample 0"),
        (np.zeros((2, 3)), np.zeros((2, 3)), r"got \(3,\)"),
        ([np.zeros((3, 3))], [None], "Sample 0 has a true mask but its predicted mask is None"),
        (np.zeros((1, 3, 3)), np.full((1, 3, 3), 0.4), "predicted mask of sample 0 does not"),
        (np.zeros((1, 3, 3)), np.full((1, 3, 3), -1), "predicted mask of sample 0 has neg"),
        (np.zeros((1, 2, 3, 3)), np.full((1, 2, 3, 3), 2), "0 and 1; sample 0 has other"),
        (np.full((1, 2, 3, 3), 2), np.zeros((1, 2, 3, 3)), "0 and 1; sample 0 has other"),
        (np.zeros((1, 3, 3)), np.full((1, 3, 3), 4), "Expected 3 classes, got id 4 in sample 0"),
        (np.zeros((1, 2, 3, 3)), np.zeros((1, 2, 3, 3)), "Expected 3 classes, got 2 channels"),
        (np.full((1, 3, 3), 255), np.ones((1, 3, 3)), "holds 255; expected ids up to 254.*void"),
        ([np.zeros((3, 3)), np.zeros((1, 3, 3))],) * 2 + ("some of each",),
    ],
)
def test_what_does_not_fit_is_named(y_true, y_pred, message):
    with pytest.raises(ValueError, match=message):
        count_pixels(y_true, y_pred, n_classes=3)
