import numpy as np
import pytest
from sklearn.metrics import f1_score, jaccard_score

from segclf.metrics import dice_per_class, dice_score, iou_per_class, mean_iou

ORACLES = [(iou_per_class, jaccard_score), (dice_per_class, f1_score)]
MEANS = [(iou_per_class, mean_iou), (dice_per_class, dice_score)]


def random_masks():
    random = np.random.default_rng(0)
    y_true, y_pred = random.integers(4, size=(2, 5, 6, 7))
    y_true[0][y_true[0] == 3] = 0  # a class that is absent from one image
    y_pred[0][y_pred[0] == 3] = 0
    y_true[1, :2] = -1
    return y_true, y_pred


@pytest.mark.parametrize(("score", "oracle"), ORACLES)
def test_sums_over_the_data_set_equal_scikit_learn(score, oracle):
    y_true, y_pred = random_masks()
    flat = y_true[y_true >= 0], y_pred[y_true >= 0]
    expected = oracle(*flat, average=None)
    np.testing.assert_allclose(score(y_true, y_pred), expected[1:])
    np.testing.assert_allclose(score(y_true, y_pred, include_background=True), expected)


@pytest.mark.parametrize(("score", "oracle"), ORACLES)
@pytest.mark.parametrize("empty", ["ignore", 0.0, 1.0])
def test_images_of_a_class_are_averaged(score, oracle, empty):
    y_true, y_pred = random_masks()
    rows = np.array(
        [
            oracle(t[t >= 0], p[t >= 0], labels=[1, 2, 3], average=None, zero_division=0)
            for t, p in zip(y_true, y_pred, strict=True)
        ]
    )
    rows[0, 2] = np.nan if empty == "ignore" else empty
    expected = np.nanmean(rows, axis=0)
    np.testing.assert_allclose(score(y_true, y_pred, per_image=True, empty=empty), expected)


@pytest.mark.parametrize(("score", "mean"), MEANS)
def test_the_mean_over_the_data_set_is_that_of_the_classes(score, mean):
    y_true, y_pred = random_masks()
    assert score(y_true, y_pred).mean() == pytest.approx(mean(y_true, y_pred))


def test_the_order_of_averages_matters_where_a_class_is_absent():
    """CheXseg's test averages images first: class 1 at (1 + 0) / 2, class 2 at 1."""
    y_true = np.array([[[1, 2]], [[1, 0]]])
    y_pred = np.array([[[1, 2]], [[0, 0]]])
    assert np.mean(iou_per_class(y_true, y_pred, per_image=True)) == 0.75
    assert mean_iou(y_true, y_pred, per_image=True) == 0.5
    assert mean_iou(y_true, y_pred) == 0.75


@pytest.mark.parametrize("score", [iou_per_class, dice_per_class])
@pytest.mark.parametrize("per_image", [False, True])
def test_channels_and_what_nobody_labeled(score, per_image):
    y_true = np.array([[[[1, 0]], [[-1, -1]], [[0, 0]]]])
    y_pred = np.array([[[[1, 0]], [[1, 0]], [[0, 0]]]])
    given = score(y_true, y_pred, per_image=per_image)
    np.testing.assert_array_equal(given, [1.0, np.nan, np.nan])
    given = score(y_true, y_pred, per_image=per_image, empty=0.0)
    np.testing.assert_array_equal(given, [1.0, np.nan, 0.0])
    given = score([None, *y_true], [*y_pred, *y_pred], per_image=per_image)
    np.testing.assert_array_equal(given, [1.0, np.nan, np.nan])
    assert np.isnan(score([None], [None])).all()
