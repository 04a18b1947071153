from functools import partial

import numpy as np
import pytest

from segclf.metrics import average_surface_distance, hausdorff_distance, surface_dice

SCORES = [hausdorff_distance, average_surface_distance, partial(surface_dice, tolerance=1)]
scores = pytest.mark.parametrize("score", SCORES)


def square(start, size=(6, 12)):
    mask = np.zeros(size, dtype=int)
    mask[2:4, start : start + 2] = 1
    return mask


EMPTY = np.zeros((6, 12), dtype=int)


def test_images_are_averaged():
    y_true, y_pred = [square(0), square(0)], [square(1), square(5)]
    assert hausdorff_distance(y_true, y_pred) == (1 + 5) / 2
    assert hausdorff_distance(y_true, y_pred, spacing=(1, 0.5)) == 1.5
    assert average_surface_distance(y_true, y_pred) == (0.5 + 4.5) / 2
    assert surface_dice(y_true, y_pred, tolerance=1) == 0.5
    assert surface_dice(y_true, y_pred, tolerance=0.5) == 0.25


def test_a_percentile_leaves_out_stray_pixels():
    truth = np.zeros((2, 400), dtype=int)
    truth[0, :200] = 1
    stray = truth.copy()
    stray[1, 399] = 1
    assert hausdorff_distance([truth], [stray]) > 199
    assert hausdorff_distance([truth], [stray], percentile=95) == 0


def test_classes_of_an_image_are_averaged():
    truth, predicted = square(0), square(2)
    truth[5], predicted[5] = 2, 2
    assert hausdorff_distance([truth], [predicted]) == 1
    assert hausdorff_distance([truth], [predicted], n_classes=4, empty="ignore") == 1
    assert hausdorff_distance([truth], [predicted], n_classes=4) == pytest.approx(2 / 3)


@scores
def test_what_no_mask_shows(score):
    y_true, y_pred = [square(0), EMPTY, None], [square(5), EMPTY, EMPTY]
    alone = score(y_true[:1], y_pred[:1])
    nothing = score(y_true[1:2], y_pred[1:2])
    assert nothing == (1 if isinstance(score, partial) else 0)
    assert score(y_true, y_pred) == pytest.approx((alone + nothing) / 2)
    assert score(y_true, y_pred, empty="ignore") == alone
    assert score(y_true, y_pred, empty=7) == pytest.approx((alone + 7) / 2)
    assert np.isnan(score(y_true[2:], y_pred[2:]))
    with pytest.raises(ValueError, match="empty must be 'ignore' or a number, got 'none'"):
        score(y_true, y_pred, empty="none")


def test_what_one_mask_shows():
    y_true, y_pred = [square(0), square(0)], [square(1), EMPTY]
    for distance in (hausdorff_distance, average_surface_distance):
        assert distance(y_true, y_pred) == np.inf
        alone = distance(y_true[:1], y_pred[:1])
        assert distance(y_true, y_pred, missing=13.0) == pytest.approx((alone + 13) / 2)
        assert distance(y_true, y_pred, missing=np.nan) == alone
    assert surface_dice(y_true, y_pred, tolerance=1) == 0.5


def test_of_volumes():
    y_true, y_pred = np.zeros((2, 1, 6, 6, 6), dtype=int)
    y_true[:, :2, 2:4, 2:4], y_pred[:, 1:3, 2:4, 2:4] = 1, 1
    assert hausdorff_distance(y_true, y_pred, spacing=(5.0, 0.7, 0.7), n_spatial=3) == 5.0
