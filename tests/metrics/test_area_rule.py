import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score

from segclf.metrics import best_area_rule

GRID = np.array([0.2, 0.4, 0.5, 0.7])


def random_maps(n=25, size=6, seed=0, dtype=np.float64):
    """Maps that are surer, and larger, for positives."""
    random = np.random.default_rng(seed)
    y = np.arange(n) % 2
    maps = np.clip(random.random((n, size, size)) * 0.9 + 0.05 * y[:, None, None], 0, 1)
    return y, maps.round(1).astype(dtype)


def predict(maps, threshold, min_area):
    return [np.mean(each >= each.dtype.type(threshold)) >= min_area for each in maps]


def brute_force(y, maps, score):
    """Every threshold, every number of pixels."""
    shares = (np.arange(37) + 0.5) / 36
    return max(score(y, predict(maps, t, area)) for t in GRID for area in shares)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(4))
def test_balanced_accuracy_against_brute_force(seed, dtype):
    y, maps = random_maps(seed=seed, dtype=dtype)
    rule = best_area_rule(y, maps, grid=GRID)
    assert rule.score == pytest.approx(brute_force(y, maps, balanced_accuracy_score))
    reached = balanced_accuracy_score(y, predict(maps, rule.threshold, rule.min_area))
    assert rule.score == pytest.approx(reached)
    assert 0.6 < rule.score < 1


def test_another_objective_against_brute_force():
    y, maps = random_maps(seed=1)

    def f1(tp, fp, fn, tn):
        return 2 * tp / (2 * tp + fp + fn)

    rule = best_area_rule(y, maps, grid=GRID, objective=f1)
    assert rule.score == pytest.approx(brute_force(y, maps, f1_score))
    never = best_area_rule(y, maps, grid=GRID, objective=lambda tp, fp, fn, tn: -fp)
    assert not any(predict(maps[y == 0], never.threshold, never.min_area))


def test_images_of_many_sizes():
    y, maps = random_maps()
    enlarged = [np.kron(each, np.ones((1 + i % 3, 2))) for i, each in enumerate(maps)]
    assert best_area_rule(y, enlarged) == pytest.approx(best_area_rule(y, maps))


def test_order_and_what_nobody_said_do_not_matter():
    y, maps = random_maps()
    expected = best_area_rule(y, maps)
    order = np.random.default_rng(1).permutation(len(y))
    assert best_area_rule(y[order], maps[order]) == expected
    longer = np.concatenate([maps, np.full((1, 6, 6), 0.99)])
    assert best_area_rule(np.append(y, -1), longer) == expected


def test_of_equals_the_middle_of_the_range_and_of_the_areas():
    maps = np.zeros((2, 1, 10))
    maps[0, 0, :2], maps[1, 0, :4] = 0.45, 0.45  # from 3 of 10
    maps[1, 0, 4:8] = 0.25  # from 5 of 10
    assert best_area_rule([0, 1], maps, grid=[0.1, 0.2, 0.4]) == pytest.approx((0.2, 0.5, 1.0))
    plateau = np.full((4, 1, 10), 0.02)
    plateau[2:, 0, :5] = 0.82
    assert best_area_rule([0, 0, 1, 1], plateau) == pytest.approx((0.42, 0.25, 1.0))
    grid = np.arange(1, 20) / 20
    assert best_area_rule([0, 0, 1, 1], plateau, grid=grid).threshold == pytest.approx(0.45)


def test_the_widest_of_several_ranges():
    maps = np.zeros((3, 1, 4))
    maps[0, 0], maps[1, 0], maps[2, 0] = 0.1, [0.12, 0.7, 0.7, 0.7], [0.8, 0.8, 0.8, 0.1]
    rule = best_area_rule([0, 0, 1], maps, grid=[0.11, 0.2, 0.3, 0.72, 0.78, 0.9])
    assert rule == pytest.approx((0.72, 0.375, 1.0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(3))
def test_thresholds_are_where_the_scores_are(seed, dtype):
    """Below .05, where a plain grid has none; no rule whatsoever is better."""
    y, maps = random_maps(seed=seed)
    maps = (maps / 30).astype(dtype)
    assert maps.max() < 0.05
    values = np.unique(maps).astype(np.float64)
    best = max(
        balanced_accuracy_score(y, predict(maps, t, (n + 0.5) / 36))
        for t in (values[1:] + values[:-1]) / 2
        for n in range(37)
    )
    rule = best_area_rule(y, maps)
    assert rule.threshold < 0.05
    assert rule.score == pytest.approx(best)
    assert best > 0.6
    reached = balanced_accuracy_score(y, predict(maps, rule.threshold, rule.min_area))
    assert rule.score == pytest.approx(reached)


def test_of_many_scores_ranks_are_enough():
    """Two hundred pixels above .013 part the images, among a million that say nothing."""
    random = np.random.default_rng(0)
    y = np.arange(20) % 2
    maps = random.random((20, 128, 128)) * 0.01
    for each, label in zip(maps, y, strict=True):
        each[:10, :20] = 0.014 + 0.004 * label + random.random((10, 20)) * 0.002
    rule = best_area_rule(y, maps)
    assert rule.score == 1
    assert 0.016 <= rule.threshold <= 0.02


def test_maps_that_tell_nothing():
    for value in (0.0, 1.0):
        rule = best_area_rule([0, 1], np.full((2, 3, 3), value))
        assert rule.score == 0.5
        assert 0 < rule.min_area < 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"y_true": [0, 1, 1]}, r"y_true has shape \(3,\) but there are 2 scores"),
        ({"y_true": [1, -1]}, r"both 0 and 1 .* got \[-1, 1\]"),
        ({"y_true": [1, 2]}, r"got \[1, 2\]"),
        ({"scores": np.zeros((2, 1, 3, 3))}, r"got \(1, 3, 3\) for sample 0"),
        ({"scores": [np.zeros((3, 3)), np.full((2, 2), np.nan)]}, "sample 1 hold NaN"),
        ({"grid": [0.5, 0.2]}, "grid must increase"),
        ({"grid": [0.0, 0.2]}, "grid must increase"),
        ({"grid": []}, "grid must increase"),
    ],
)
def test_what_does_not_fit_is_named(changed, message):
    given = {"y_true": [0, 1], "scores": np.zeros((2, 3, 3))}
    with pytest.raises(ValueError, match=message):
        best_area_rule(**given | changed)


def test_a_sensitivity_is_an_objective():
    scores = [np.full((2, 2), value) for value in (0.9, 0.3, 0.5, 0.1)]

    def specificity(tp, fp, fn, tn):
        return np.where(tp >= 0.95 * (tp + fn), tn, np.nan)

    rule = best_area_rule([1, 1, 0, 0], scores, objective=specificity)
    assert (0.1 < rule.threshold <= 0.3, rule.score) == (True, 1)
