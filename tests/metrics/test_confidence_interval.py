import warnings

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, recall_score, roc_auc_score

from segclf import metrics
from segclf.metrics import confidence_interval


@pytest.fixture
def scores():
    random = np.random.default_rng(0)
    y_true = random.integers(2, size=120)
    return y_true, y_true + random.normal(size=120)


def test_interval_holds_the_estimate(scores):
    estimate, low, high = confidence_interval(
        roc_auc_score, *scores, n_resamples=100, random_state=0
    )
    assert estimate == roc_auc_score(*scores)
    assert low < estimate < high


def test_accuracy_has_the_quantiles_of_the_binomial_distribution():
    y_true = np.tile([0, 1], 200)
    y_pred = np.where(np.arange(400) < 100, 1 - y_true, y_true)
    interval = confidence_interval(
        lambda y_true, y_pred: np.mean(y_true == y_pred),
        y_true,
        y_pred,
        n_resamples=4000,
        level=0.9,
        random_state=0,
    )
    low, high = stats.binom(400, 0.75).ppf([0.05, 0.95]) / 400
    assert interval == pytest.approx((0.75, low, high), abs=0.003)


def test_same_seed_same_interval(scores):
    first, second, other = (
        confidence_interval(roc_auc_score, *scores, n_resamples=20, random_state=seed)
        for seed in (1, 1, 2)
    )
    assert first == second
    assert first != other


def test_a_higher_level_is_wider(scores):
    narrow, wide = (
        confidence_interval(roc_auc_score, *scores, n_resamples=100, level=level, random_state=0)
        for level in (0.5, 0.95)
    )
    assert wide.low < narrow.low < narrow.high < wide.high


def test_whole_groups_are_sampled():
    y_true, groups = np.tile([0, 1], 30), np.repeat(np.arange(12), 5)
    counts = []

    def scorer(y_true, index):
        counts.append(np.bincount(groups[index], minlength=12))
        return 0.0

    confidence_interval(
        scorer, y_true, np.arange(60), groups=groups, n_resamples=20, random_state=0
    )
    assert len(counts) == 21
    assert all((count % 5 == 0).all() and count.sum() == 60 for count in counts)


def test_copies_in_one_group_change_nothing_but_copies_alone_narrow(scores):
    copied = [np.repeat(values, 4) for values in scores]
    options = {"n_resamples": 60, "random_state": 0}
    single = confidence_interval(roc_auc_score, *scores, **options)
    grouped = confidence_interval(
        roc_auc_score, *copied, groups=np.repeat(np.arange(120), 4), **options
    )
    alone = confidence_interval(roc_auc_score, *copied, **options)
    assert grouped == pytest.approx(single)
    assert alone.high - alone.low < 0.7 * (single.high - single.low)


def test_resamples_of_one_class_are_skipped_and_counted():
    y_true, y_score = [0, 0, 0, 1], [0.1, 0.2, 0.3, 0.9]
    with pytest.warns(UserWarning, match=r"^(\d+) of 100 resamples .* were skipped") as caught:
        result = confidence_interval(
            roc_auc_score, y_true, y_score, n_resamples=100, random_state=0
        )
    assert result == (1.0, 1.0, 1.0)
    assert 15 < int(str(caught[0].message).split()[0]) < 50  # (3/4)^4 = 32 %
    assert caught[0].filename == __file__


def test_no_warning_when_none_is_skipped(scores):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        confidence_interval(roc_auc_score, *scores, n_resamples=20, random_state=0)


def test_all_skipped_is_nan():
    with pytest.warns(UserWarning, match="10 of 10"):
        result = confidence_interval(lambda *_: float("nan"), [0, 1], [1, 0], n_resamples=10)
    assert np.isnan(result).all()


def test_a_sample_of_one_class_has_an_interval_where_the_score_needs_no_other():
    y_pred = [0, 1, 1, 1] * 10
    interval = confidence_interval(recall_score, np.ones(40), y_pred, random_state=0)
    assert interval.low < interval.estimate == 0.75 < interval.high


def test_scores_that_are_nan_are_skipped():
    y_true = np.eye(3, dtype=int)[[0, 1, 2, 0, 1, 2]]
    with pytest.warns(UserWarning, match="resamples held one class only, or had no score"):
        result = confidence_interval(
            roc_auc_score, y_true, y_true * 0.5, n_resamples=50, random_state=0
        )
    assert result == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"y_score": [0.1]}, "equal lengths, got 2 and 1"),
        ({"groups": [1, 2, 3]}, r"shape \(2,\), got \(3,\)"),
        ({"level": 95}, "between 0 and 1, got 95"),
        ({"n_resamples": 0}, "at least 1, got 0"),
        ({"y_true": [], "y_score": []}, "got 0 and 0"),
    ],
)
def test_arguments_out_of_range(options, message):
    arguments = {"y_true": [0, 1], "y_score": [0.1, 0.2], **options}
    with pytest.raises(ValueError, match=message):
        confidence_interval(accuracy_score, **arguments)


def test_exports_are_sorted():
    assert metrics.__all__ == sorted(metrics.__all__)
