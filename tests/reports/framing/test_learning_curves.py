import numpy as np
import pytest

from segclf.base import supervise
from segclf.data import as_images
from segclf.reports.framing.findings import Findings
from segclf.reports.framing.learning_curves import Contest, Curve, nested_order

LABELS = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1])
ALL = np.arange(10)


def contest(masks=None, labels=LABELS, cost_per_mask=3.0, folds=((ALL, ALL),)):
    X = np.zeros((len(labels), 2, 2))
    masks = [np.eye(2)] * len(labels) if masks is None else masks
    supervision = supervise(X, images=as_images(X), masks=masks, y=labels, target=labels)
    return Contest(Findings(supervision, 1), list(folds), cost_per_mask, 1.0, seed=0)


def test_orders_begin_with_one_of_each_and_stay_in_proportion():
    strata = np.repeat([0, 1, 2], [60, 30, 10])
    order = nested_order(strata, seed=0)
    assert sorted(order) == list(range(100))
    assert sorted(strata[order[:3]]) == [0, 1, 2]
    for size in (20, 50, 80):
        shares = np.bincount(strata[order[:size]]) / size
        np.testing.assert_allclose(shares, [0.6, 0.3, 0.1], atol=0.06)
    assert nested_order(strata, seed=1).tolist() != order.tolist()


def test_images_without_a_needed_mask_train_neither_framing():
    masks = [None] * 6 + [np.eye(2), np.eye(2), None, None]
    assert sorted(contest(masks).orders[0]) == [0, 1, 2, 3, 4, 5, 6, 7]


def test_sizes_are_numbers_or_shares():
    held = contest(folds=[(ALL, ALL), (ALL[:8], ALL)])
    assert held.sizes([0.5, 1.0]).tolist() == [[5, 4], [10, 8]]
    assert held.sizes([2, 8]).tolist() == [[2, 2], [8, 8]]


@pytest.mark.parametrize("sizes", [[1], [11], [5, 3], [0.1], [1.2]])
def test_impossible_sizes(sizes):
    with pytest.raises(ValueError, match="numbers from 2 to 10 images"):
        contest().sizes(sizes)


def test_a_mask_is_paid_for_positive_images_alone():
    held = contest()
    assert held._costs(np.array([0, 6, 1]), masks=True).tolist() == [1, 5, 6]
    assert held._costs(np.array([0, 6, 1]), masks=False).tolist() == [1, 2, 3]


@pytest.mark.parametrize("cost_per_mask", [0.0, 0.5, 1.0, 3.0])
def test_affordable_is_all_that_the_money_buys(cost_per_mask):
    held = contest(cost_per_mask=cost_per_mask)
    n = held.affordable(np.array([10]))[0, 0]
    costs = held._costs(held.orders[0], masks=True)
    assert costs[n - 1] <= 10
    assert n == 10 or costs[n] > 10
    assert (n == 10) == (cost_per_mask == 0)


def test_nothing_is_affordable_without_one_of_each_class():
    assert contest(cost_per_mask=9.0).affordable(np.array([10])) is None


def test_gain_is_averaged_over_folds_and_zero_against_itself():
    folds = [(ALL, ALL[::2]), (ALL, ALL[1::2])]
    held = contest(folds=folds)
    right, empty = np.stack([1 - LABELS, LABELS], axis=1)[None], np.zeros((1, 2))
    offset = (ALL % 2)[None, :, None]  # folds differ in scale, which must not matter

    def curve(probabilities):
        counts = {"n_images": empty, "n_masks": empty, "n_steps": empty}
        return Curve(**counts, cost=empty, auroc=empty, probabilities=probabilities)

    bootstrap = {"n_resamples": 20, "level": 0.9, "random_state": 3}
    same = held.gain(curve(right), curve(right), **bootstrap)
    best = held.gain(curve(right + offset), curve(1.0 - right), **bootstrap)
    assert same == (0, 0, 0)
    assert best == (1, 1, 1)


def test_prices_are_checked():
    with pytest.raises(ValueError, match="got -1 and 1"):
        contest(cost_per_mask=-1)
