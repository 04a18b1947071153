import numpy as np
import pytest
import torch
from monai.metrics import DiceMetric, MeanIoU
from sklearn.metrics import f1_score, jaccard_score

from segclf.metrics import dice_score, mean_iou

both_scores = pytest.mark.parametrize("score", [mean_iou, dice_score])


def random_masks(upper=4, shape=(6, 8, 9), seed=0):
    random = np.random.default_rng(seed)
    y_true, y_pred = random.integers(upper, size=(2, *shape))
    y_true[0][y_true[0] == upper - 1] = 0  # a class that is absent from one image
    y_pred[0][y_pred[0] == upper - 1] = 0
    return y_true, y_pred


@pytest.mark.parametrize(("score", "oracle"), [(mean_iou, jaccard_score), (dice_score, f1_score)])
def test_sums_over_the_data_set_equal_scikit_learn(score, oracle):
    y_true, y_pred = random_masks()
    y_true[2] = -1
    y_true[1, :3] = -1
    labeled = y_true >= 0
    flat = y_true[labeled], y_pred[labeled]
    expected = oracle(*flat, labels=[1, 2, 3], average="macro")
    assert score(y_true, y_pred) == pytest.approx(expected)
    expected = oracle(*flat, average="macro")
    assert score(y_true, y_pred, include_background=True) == pytest.approx(expected)


@pytest.mark.parametrize(("score", "oracle"), [(mean_iou, MeanIoU), (dice_score, DiceMetric)])
@pytest.mark.parametrize("include_background", [True, False])
@pytest.mark.parametrize("empty", ["ignore", 1.0])
def test_mean_of_images_equals_monai(score, oracle, include_background, empty):
    y_true, y_pred = random_masks()
    one_hot = [np.moveaxis(np.eye(4)[ids], -1, 1) for ids in (y_pred, y_true)]
    metric = oracle(include_background=include_background, ignore_empty=empty == "ignore")
    metric(*(torch.as_tensor(masks) for masks in one_hot))
    value = score(
        y_true, y_pred, per_image=True, empty=empty, include_background=include_background
    )
    assert value == pytest.approx(metric.aggregate().item())


@pytest.mark.parametrize(("score", "oracle"), [(mean_iou, jaccard_score), (dice_score, f1_score)])
def test_channels_equal_scikit_learn(score, oracle):
    y_true, y_pred = random_masks(upper=2, shape=(5, 3, 8, 9))
    columns = [np.moveaxis(masks, 1, -1).reshape(-1, 3) for masks in (y_true, y_pred)]
    assert score(y_true, y_pred) == pytest.approx(oracle(*columns, average="macro"))


@both_scores
@pytest.mark.parametrize("per_image", [True, False])
def test_ids_equal_their_channels(score, per_image):
    y_true, y_pred = random_masks()
    channels = [np.moveaxis(np.eye(4, dtype=bool)[ids], -1, 1) for ids in (y_true, y_pred)]
    expected = score(*channels, per_image=per_image)
    value = score(y_true, y_pred, per_image=per_image, include_background=True)
    assert value == pytest.approx(expected)


@both_scores
def test_lists_of_different_sizes_and_without_some_masks(score):
    big, small = random_masks(3, (1, 7, 9)), random_masks(3, (1, 4, 2), seed=1)
    y_true = [big[0][0], None, small[0][0]]
    y_pred = [big[1][0], np.ones((3, 3)), small[1][0]]
    flat = [
        np.concatenate([one.ravel(), other.ravel()]) for one, other in zip(big, small, strict=True)
    ]
    assert score(y_true, y_pred) == score(*(ids.reshape(1, 1, -1) for ids in flat))


@both_scores
@pytest.mark.parametrize("per_image", [True, False])
def test_ignored_pixels_equal_cutting_them_out(score, per_image):
    y_true, y_pred = random_masks()
    y_true[:, :, 5:] = -1
    cut = score(y_true[:, :, :5], y_pred[:, :, :5], per_image=per_image, empty=0.0)
    assert score(y_true, y_pred, per_image=per_image, empty=0.0) == pytest.approx(cut)


@both_scores
@pytest.mark.parametrize("per_image", [True, False])
@pytest.mark.parametrize("empty", ["ignore", 0.0, 1.0])
def test_unlabeled_images_equal_leaving_them_out(score, per_image, empty):
    y_true, y_pred = random_masks()
    y_true[3] = -1
    kept = [0, 1, 2, 4, 5]
    options = {"per_image": per_image, "empty": empty}
    expected = score(y_true[kept], y_pred[kept], **options)
    assert score(y_true, y_pred, **options) == pytest.approx(expected)
    without = [None if (mask < 0).all() else mask for mask in y_true]
    assert score(without, y_pred, **options) == pytest.approx(expected)


@both_scores
def test_empty_classes(score):
    y_true = np.array([[[1, 1]], [[0, 0]]])
    y_pred = np.array([[[1, 1]], [[0, 0]]])
    assert score(y_true, y_pred, per_image=True) == 1.0
    assert score(y_true, y_pred, per_image=True, empty=0.0) == 0.5
    assert score(y_true, y_pred, n_classes=3) == 1.0
    assert score(y_true, y_pred, n_classes=3, empty=0.0) == 0.5
    assert score(y_true, y_pred, n_classes=3, empty=1) == 1.0


@both_scores
def test_a_channel_that_nobody_labeled_is_not_empty_but_unknown(score):
    y_true = np.array([[[[1, 0]], [[-1, -1]]]])
    assert score(y_true, np.array([[[[1, 0]], [[1, 0]]]]), empty=0.0) == 1.0


@both_scores
def test_nothing_to_score_is_nan(score):
    assert np.isnan(score([None], [None]))
    assert np.isnan(score(np.zeros((1, 2, 2)), np.zeros((1, 2, 2))))
    assert np.isnan(score(np.zeros((0, 2, 2)), np.zeros((0, 2, 2))))


def test_all_foreground_scores_the_share_of_foreground():
    y_true = np.random.default_rng(0).integers(2, size=(3, 8, 8))
    assert mean_iou(y_true, np.ones_like(y_true)) == pytest.approx(y_true.mean())


def test_unknown_rule_for_empty_classes():
    with pytest.raises(ValueError, match="'ignore' or a number, got 'drop'"):
        mean_iou(np.zeros((1, 2, 2)), np.zeros((1, 2, 2)), empty="drop")


@both_scores
@pytest.mark.parametrize("per_image", [False, True])
def test_weights_equal_repeating_images(score, per_image):
    y_true, y_pred = random_masks()
    weights = np.array([1, 0, 3, 2, 0, 1])
    rows = np.repeat(np.arange(6), weights)
    expected = score(y_true[rows], y_pred[rows], n_classes=4, per_image=per_image)
    given = score(y_true, y_pred, per_image=per_image, sample_weight=weights)
    assert given == pytest.approx(expected, abs=1e-12)
    same = score(y_true, y_pred, per_image=per_image, sample_weight=np.full(6, 0.3))
    assert same == pytest.approx(score(y_true, y_pred, per_image=per_image), abs=1e-12)


@both_scores
def test_weights_of_other_images(score):
    with pytest.raises(ValueError, match=r"sample_weight has shape \(3,\); expected one weight"):
        score(*random_masks(), sample_weight=[1, 1, 1])


def test_masks_of_volumes_are_counted_by_voxels():
    random = np.random.default_rng(0)
    truth, predicted = (random.integers(low, 3, (3, 4, 5, 6)) for low in (-1, 0))
    flat = dice_score(truth.reshape(3, 4, 30), predicted.reshape(3, 4, 30))
    assert dice_score(truth, predicted, n_spatial=3) == flat
    listed = mean_iou(list(truth), list(predicted), n_spatial=3, per_image=True)
    assert listed == mean_iou(truth.reshape(3, 4, 30), predicted.reshape(3, 4, 30), per_image=True)
    channels = (random.random((2, 2, 3, 4, 5)) > 0.5).astype(int)
    assert mean_iou(channels, channels, n_spatial=3) == 1
    with pytest.raises(ValueError, match="n_spatial=3"):
        mean_iou(channels, channels)
