import numpy as np
import pytest

from segclf.metrics import best_thresholds, mean_iou
from segclf.metrics.thresholds import GRID


def brute_force(y_true, scores, grid):
    """Threshold every channel at every value, and let another function score it."""
    best = []
    for j in range(len(scores[0])):
        truth = [
            t[j, None] if t.ndim == 3 else np.where(t < 0, -1, t == j + 1)[None] for t in y_true
        ]
        ious = [mean_iou(truth, [(s[j, None] > t).astype(int) for s in scores]) for t in grid]
        best.append(grid[int(np.argmax(ious))])
    return best


def noisy(masks, n_classes, rng):
    """Scores in [0, 1] that are higher on the class, on the grid in part."""
    of_class = masks[:, None] == np.arange(1, n_classes + 1)[:, None, None]
    scores = np.clip(0.4 * of_class + rng.normal(0.3, 0.3, of_class.shape), 0, 1)
    return np.where(rng.random(scores.shape) < 0.5, scores.round(1), scores)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("seed", range(3))
def test_ids_against_brute_force(seed, dtype):
    rng = np.random.default_rng(seed)
    masks = rng.integers(-1, 4, (5, 9, 7))
    scores = noisy(masks, 3, rng).astype(dtype)
    found = best_thresholds(masks, scores)
    np.testing.assert_array_equal(found, brute_force(masks, scores, GRID))
    assert len(set(found)) > 1


def test_channels_against_brute_force():
    rng = np.random.default_rng(0)
    masks = rng.integers(-1, 2, (4, 2, 8, 8))
    scores = np.clip(0.3 * masks + rng.random(masks.shape), 0, 1)
    grid = np.array([-0.1, 0.3, 0.31, 0.8])
    found = best_thresholds(masks, scores, grid=grid)
    np.testing.assert_array_equal(found, brute_force(masks, scores, grid))


def test_lists_of_sizes_without_some_masks():
    rng = np.random.default_rng(0)
    masks = [rng.integers(0, 3, size) for size in ((5, 6), (9, 4), (7, 7))]
    scores = [noisy(mask[None], 2, rng)[0] for mask in masks]
    expected = brute_force([masks[0], masks[2]], [scores[0], scores[2]], GRID)
    np.testing.assert_array_equal(best_thresholds([masks[0], None, masks[2]], scores), expected)


def test_the_data_set_s_pixels_are_summed():
    masks = np.array([[[1, 0, 0, 0, 0, 0]], [[1, 1, 1, 1, 0, 0]]])
    scores = np.array([[[[0.9, 0, 0, 0, 0, 0]]], [[[0.2, 0.2, 0.2, 0.2, 0.1, 0.1]]]])
    assert best_thresholds(masks, scores, grid=[0.1, 0.5]) == [0.1]  # 5 / 5, not 1 / 5
    scores[0, 0, 0, 1:] = 0.3
    assert best_thresholds(masks, scores, grid=[0.1, 0.5]) == [0.1]  # 5 / 10, not 1 / 5
    masks[1, 0, 1:] = 0
    assert best_thresholds(masks, scores, grid=[0.1, 0.5]) == [0.5]  # 1 / 2, not 2 / 10


def test_a_score_at_the_threshold_is_not_above_it():
    masks, scores = np.array([[[1, 0]]]), np.array([[[[0.5, 0.25]]]])
    assert best_thresholds(masks, scores, grid=[0.0, 0.25, 0.5]) == [0.25]


def test_the_smallest_of_equals():
    masks, scores = np.array([[[1, 0]]]), np.array([[[[0.9, 0.0]]]])
    assert best_thresholds(masks, scores) == [0.0]


def test_a_class_that_no_mask_shows_has_none():
    masks = [np.array([[1, 0]]), None]
    scores = np.random.default_rng(0).random((2, 2, 1, 2))
    found = best_thresholds(masks, scores)
    np.testing.assert_array_equal(np.isnan(found), [False, True])
    assert np.isnan(best_thresholds([None, None], scores)).all()


@pytest.mark.parametrize(
    ("masks", "scores", "message"),
    [
        (np.zeros((2, 3, 3)), np.zeros((1, 1, 3, 3)), "2 true masks but 1 scores"),
        (
            np.zeros((1, 3, 4)),
            np.zeros((1, 1, 3, 3)),
            r"sample 0 has scores.*\(1, 3, 3\).*\(3, 4\)",
        ),
        (np.zeros((1, 2, 3, 3)), np.zeros((1, 1, 3, 3)), "sample 0 has scores"),
        (
            [None, np.full((3, 3), 2)],
            np.zeros((2, 1, 3, 3)),
            "mask of sample 1 holds 2; .* -1 to 1",
        ),
        (np.full((1, 1, 3, 3), 2), np.zeros((1, 1, 3, 3)), "mask of sample 0 holds 2"),
        (np.zeros((1, 3, 3)), np.full((1, 1, 3, 3), np.nan), "scores of sample 0 hold NaN"),
    ],
)
def test_errors_name_the_sample(masks, scores, message):
    with pytest.raises(ValueError, match=message):
        best_thresholds(masks, scores)


@pytest.mark.parametrize("grid", [[], [0.5, 0.2], 0.5, [0.1, np.nan]])
def test_the_grid_increases(grid):
    with pytest.raises(ValueError, match=r"grid must be .* in increasing order"):
        best_thresholds(np.zeros((1, 3, 3)), np.zeros((1, 1, 3, 3)), grid=grid)
