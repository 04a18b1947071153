import numpy as np
import pytest

from segclf.data import as_masks, keep_labels, label_fraction

Y = np.repeat([0, 1, 2], [60, 30, 10])


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5, 0.73, 1.0])
def test_stratified(fraction):
    for seed in range(5):
        rows = label_fraction(Y, fraction, random_state=seed)
        assert np.bincount(Y[rows]) == pytest.approx(fraction * np.array([60, 30, 10]), abs=1)
        assert len(rows) == pytest.approx(100 * fraction, abs=1)
        assert (np.diff(rows) > 0).all()


def test_every_class_has_a_sample():
    for seed in range(5):
        assert sorted(Y[label_fraction(Y, 0.001, random_state=seed)]) == [0, 1, 2]


def test_every_label_is_there_and_is_not():
    y = np.zeros((50, 3), int)
    y[:2, 0] = 1
    y[:, 1] = np.arange(50) < 49  # absent from one
    y[10:30, 2] = 1
    for seed in range(5):
        chosen = y[label_fraction(y, 0.04, random_state=seed)]
        assert (chosen.max(axis=0) == 1).all()
        assert (chosen.min(axis=0) == 0).all()


def test_groups_are_whole():
    groups = np.random.default_rng(0).integers(0, 30, 100)
    for seed in range(5):
        rows = label_fraction(Y, 0.3, groups=groups, random_state=seed)
        assert set(rows) == set(np.flatnonzero(np.isin(groups, groups[rows])))
        assert set(Y[rows]) == {0, 1, 2}
        assert len(rows) == pytest.approx(30, abs=6)


def test_large_groups_are_chosen_as_often_as_small_ones():
    groups = np.concatenate([np.repeat(np.arange(20), 4), np.arange(20, 100)])
    y = np.zeros(len(groups))
    times = np.zeros(100)
    for seed in range(100):
        times[np.unique(groups[label_fraction(y, 0.25, groups=groups, random_state=seed)])] += 1
    assert times[:20].mean() / 100 == pytest.approx(0.25, abs=0.04)
    assert times[20:].mean() / 100 == pytest.approx(0.25, abs=0.04)


@pytest.mark.parametrize("nobody", [-1, None, float("nan")])
def test_unlabeled_samples_are_never_chosen(nobody):
    names = ["ill", nobody, "well", nobody] * 10
    rows = label_fraction(names, 0.5, random_state=0)
    assert sorted(names[row] for row in rows) == ["ill"] * 5 + ["well"] * 5
    indicator = np.array([[1, 0], [-1, -1], [0, 1], [-1, -1]] * 10)
    assert len(label_fraction(indicator, 0.5, random_state=0)) == 10


def test_seeds_decide():
    first, same, other = (label_fraction(Y, 0.2, random_state=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, same)
    assert set(first) != set(other)


@pytest.mark.parametrize(
    ("y", "fraction", "message"),
    [
        (Y, 0, r"fraction=0; expected a number above 0 and at most 1\."),
        (Y, 1.5, "fraction=1.5"),
        ([-1, None], 0.5, "None of the 2 samples has a label"),
    ],
)
def test_refusals(y, fraction, message):
    with pytest.raises(ValueError, match=message):
        label_fraction(y, fraction)


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (np.array([3, 4, 5]), [-1, 4, -1]),
        (np.array([1, 0, 1], np.uint8), [-1, 0, -1]),
        (np.array([True, False, True]), [-1, 0, -1]),
        (np.array(["a", "b", "c"]), [None, "b", None]),
        (["a", "b", "c"], [None, "b", None]),
        (np.array([[1, 0], [0, 1], [1, 1]]), [[-1, -1], [0, 1], [-1, -1]]),
    ],
)
def test_hidden_labels(y, expected):
    before = np.array(y)
    found = keep_labels(y, [1])
    assert (found if isinstance(found, list) else found.tolist()) == expected
    np.testing.assert_array_equal(y, before)


def test_hidden_masks():
    masks = np.ones((3, 4, 4), np.uint8)
    for given in (masks, list(masks)):
        hidden = as_masks(keep_labels(given, [2]), 3)
        assert hidden.labeled.tolist() == [False, False, True]
