from itertools import product

import numpy as np
import pytest
from scipy.stats import binomtest, permutation_test, rankdata
from sklearn.metrics import accuracy_score

from segclf.metrics import confidence_interval, paired_test


def mean_score(y_true, y_score):
    return float(np.mean(y_score))


def auroc(y_true, y_score):
    return float(np.mean(y_score[y_true == 1][:, None] > y_score[y_true == 0]))


@pytest.fixture
def case():
    random = np.random.default_rng(0)
    y_true = np.arange(40) % 2
    noise = random.normal(size=(2, 40)) * [[1.0], [3.0]]
    return y_true, *(y_true + noise)


def test_all_sign_flips_of_a_mean():
    random = np.random.default_rng(0)
    y_true, first, second = np.arange(9) % 2, random.random(9) + 0.2, random.random(9)
    signs = np.array(list(product((-1, 1), repeat=9)))
    null = np.abs((signs * (first - second)).mean(axis=1))
    observed = (first - second).mean()
    with pytest.warns(UserWarning, match="resamples held one class"):
        result = paired_test(mean_score, y_true, first, second, n_resamples=512, random_state=0)
    assert result.difference == pytest.approx(observed)
    assert result.p_value == np.mean(null >= abs(observed) - 1e-12)
    expected = permutation_test(
        (first, second),
        lambda a, b: np.mean(a) - np.mean(b),
        permutation_type="samples",
        n_resamples=512,
    )
    assert result.p_value == pytest.approx(expected.pvalue)


@pytest.mark.filterwarnings("ignore:.* of 256 resamples held one class")
def test_accuracy_is_mcnemar_s_exact_test():
    y_true = np.arange(40) % 2
    first, second = y_true.copy(), y_true.copy()
    first[0] ^= 1
    second[1:7] ^= 1
    groups = np.minimum(np.arange(40), 7)  # the samples that agree decide nothing
    result = paired_test(
        accuracy_score, y_true, first, second, groups=groups, n_resamples=256, random_state=0
    )
    assert result.p_value == pytest.approx(binomtest(1, 7).pvalue)


def test_many_swaps_come_near_to_scipy(case):
    y_true, first, second = case
    result = paired_test(auroc, *case, n_resamples=500, random_state=0)
    expected = permutation_test(
        (first, second),
        lambda a, b: auroc(y_true, a) - auroc(y_true, b),
        permutation_type="samples",
        vectorized=False,
        n_resamples=500,
        rng=0,
    )
    assert 0.01 < expected.pvalue < 0.2
    assert result.p_value == pytest.approx(expected.pvalue, abs=0.03)


def test_groups_are_swapped_together():
    random = np.random.default_rng(0)
    y_true, groups = np.arange(24) % 2, np.repeat(np.arange(6), 4)
    first, second = random.random(24) + 0.3, random.random(24)
    sums = (first - second).reshape(6, 4).sum(axis=1)
    null = [abs(np.dot(signs, sums)) for signs in product((-1, 1), repeat=6)]
    expected = np.mean(np.array(null) >= abs(sums.sum()) - 1e-9)
    order = random.permutation(24)
    shuffled = [values[order] for values in (y_true, first, second)]
    result = paired_test(mean_score, *shuffled, groups=groups[order], n_resamples=100)
    assert result.p_value == expected


def test_the_interval_is_the_bootstrap_s_of_the_difference(case):
    y_true, first, second = case
    result = paired_test(mean_score, *case, n_resamples=50, random_state=3)
    difference = confidence_interval(
        mean_score, y_true, first - second, n_resamples=50, random_state=3
    )
    np.testing.assert_allclose(result[:3], difference)


def test_the_other_way_round(case):
    y_true, first, second = case
    one = paired_test(auroc, y_true, first, second, n_resamples=50, random_state=0)
    other = paired_test(auroc, y_true, second, first, n_resamples=50, random_state=0)
    assert other == pytest.approx((-one.difference, -one.high, -one.low, one.p_value))


def test_ranks_take_away_the_scale(case):
    y_true, first, second = case
    options = {"n_resamples": 50, "random_state": 0}
    expected = paired_test(auroc, y_true, rankdata(first), rankdata(second), **options)
    scaled = paired_test(auroc, y_true, rankdata(first), rankdata(np.exp(second) / 100), **options)
    assert scaled == expected


def test_the_same_model_is_no_better(case):
    y_true, first, _ = case
    result = paired_test(auroc, y_true, first, first, n_resamples=20, random_state=0)
    assert result == (0, 0, 0, 1)


def test_the_smallest_p_value_is_that_of_the_observation():
    y_true = np.arange(60) % 2
    result = paired_test(accuracy_score, y_true, y_true, 1 - y_true, n_resamples=99, random_state=0)
    assert result.p_value == 1 / 100


def test_masks_are_compared_too():
    masks = np.random.default_rng(0).integers(2, size=(6, 4, 4))
    agreement = paired_test(
        lambda y_true, y_pred: float(np.mean(y_true == y_pred)),
        masks,
        masks,
        1 - masks,
        n_resamples=64,
        random_state=0,
    )
    assert agreement == (1, 1, 1, 2 / 64)


def test_undefined_scores_are_nan():
    with pytest.warns(UserWarning, match="4 of 4"):
        result = paired_test(lambda *_: float("nan"), [0, 1], [0, 1], [1, 0], n_resamples=4)
    assert np.isnan(result).all()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"second": [1]}, r"equal shapes, got \(2,\) and \(1,\)"),
        ({"y_true": [1]}, "equal lengths, got 1 and 2"),
        ({"groups": [1]}, "groups must be of shape"),
        ({"n_resamples": 0}, "at least 1, got 0"),
    ],
)
def test_what_does_not_fit_is_named(changed, message):
    given = {"y_true": [0, 1], "first": [0, 1], "second": [1, 0]}
    with pytest.raises(ValueError, match=message):
        paired_test(accuracy_score, **given | changed)
