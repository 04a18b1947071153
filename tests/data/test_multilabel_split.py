from fractions import Fraction

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_val_score
from sklearn.multiclass import OneVsRestClassifier

from segclf import MultilabelStratifiedGroupKFold, SemiSupervisedSplit, load, save

RARITIES = [0.5, 0.2, 0.1, 0.04]


def indicators(seed, n=120):
    return (np.random.default_rng(seed).random((n, 4)) < RARITIES).astype(int)


def in_groups(seed, n=300):
    """Return indicators that go with their groups, which are of many sizes, and the groups."""
    random = np.random.default_rng(seed)
    groups = random.integers(0, 60, n) ** 2 // 60
    odds = random.gamma(1, 1, (60, 4))[groups] * RARITIES
    return (random.random((n, 4)) < odds).astype(int), groups


def folds_of(splitter, y, groups=None):
    folds = np.full(len(y), -1)
    for fold, (train, test) in enumerate(splitter.split(y, y, groups)):
        assert sorted([*train, *test]) == list(range(len(y)))
        assert (folds[test] == -1).all()
        folds[test] = fold
    return folds


def unevenness(folds, y):
    """How far the share of a label in a fold is from its share in all, on the mean."""
    shares = np.array([y[folds == fold].mean(axis=0) for fold in range(folds.max() + 1)])
    return np.abs(shares - y.mean(axis=0)).mean()


def algorithm_1(y, k):
    """Deal samples as the paper's algorithm says, word by word; ties go to the first."""
    data = list(range(len(y)))
    c = [Fraction(len(data), k) for _ in range(k)]
    c_label = [[Fraction(int(y[:, i].sum()), k) for i in range(y.shape[1])] for _ in range(k)]
    subsets = [[] for _ in range(k)]
    while data:
        with_label = {i: [x for x in data if y[x, i]] for i in range(y.shape[1])}
        there = [i for i in with_label if with_label[i]]
        rarest = min(there, key=lambda i: len(with_label[i])) if there else None
        for x in list(data) if rarest is None else with_label[rarest]:
            wish = [c if rarest is None else c_label[j][rarest] for j, c in enumerate(c)]
            best = [j for j in range(k) if wish[j] == max(wish)]
            m = max(best, key=lambda j: (c[j], -j))
            subsets[m].append(x)
            data.remove(x)
            for i in range(y.shape[1]):
                c_label[m][i] -= int(y[x, i])
            c[m] -= 1
    return subsets


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("k", [2, 3, 5])
def test_samples_are_dealt_as_in_the_paper(seed, k):
    y = indicators(seed)
    folds = folds_of(MultilabelStratifiedGroupKFold(k), y)
    for fold, expected in enumerate(algorithm_1(y, k)):
        assert np.flatnonzero(folds == fold).tolist() == sorted(expected)


@pytest.mark.parametrize("shuffle", [False, True])
def test_one_label_a_sample_is_dealt_evenly(shuffle):
    y = np.array(["ill"] * 7 + ["well"] * 13 + ["unsure"] * 4)
    splitter = MultilabelStratifiedGroupKFold(
        4, shuffle=shuffle, random_state=0 if shuffle else None
    )
    folds = folds_of(splitter, y)
    for name in np.unique(y):
        assert np.ptp(np.bincount(folds[y == name], minlength=4)) <= 1
    assert np.bincount(folds).tolist() == [6] * 4


def test_folds_are_more_even_than_by_chance():
    ours, chance = (
        np.mean(
            [
                unevenness(folds_of(make(seed), indicators(seed)), indicators(seed))
                for seed in range(10)
            ]
        )
        for make in (
            lambda seed: MultilabelStratifiedGroupKFold(5, shuffle=True, random_state=seed),
            lambda seed: KFold(5, shuffle=True, random_state=seed),
        )
    )
    assert ours < chance / 3


def test_groups_stay_together_and_labels_even():
    ours, chance = [], []
    for seed in range(10):
        y, groups = in_groups(seed)
        folds = folds_of(MultilabelStratifiedGroupKFold(5), y, groups)
        assert all(len(set(folds[groups == group])) == 1 for group in groups)
        ours.append(unevenness(folds, y))
        chance.append(unevenness(folds_of(GroupKFold(5), y, groups), y))
    assert np.mean(ours) < 0.8 * np.mean(chance)


def test_seeds_decide():
    y, groups = in_groups(0)
    splitters = [
        MultilabelStratifiedGroupKFold(3, shuffle=True, random_state=seed) for seed in (0, 0, 1)
    ]
    first, same, other = (folds_of(clone(each, safe=False), y, groups) for each in splitters)
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


def test_in_searches_and_files(tmp_path):
    y, groups = in_groups(0)
    X = y + np.random.default_rng(0).normal(size=y.shape)
    cv = MultilabelStratifiedGroupKFold(3)
    search = GridSearchCV(
        OneVsRestClassifier(LogisticRegression()), {"estimator__C": [0.1, 1.0]}, cv=cv
    ).fit(X, y, groups=groups)
    assert search.n_splits_ == cv.get_n_splits() == 3
    scores = cross_val_score(search.best_estimator_, X, y, cv=cv, groups=groups)
    with config_context(enable_metadata_routing=True):
        routed = cross_val_score(search.best_estimator_, X, y, cv=cv, params={"groups": groups})
    np.testing.assert_array_equal(scores, routed)
    save(search, tmp_path / "search.safetensors")
    found = load(tmp_path / "search.safetensors")
    assert vars(found.cv) == vars(cv)
    np.testing.assert_array_equal(found.predict(X), search.predict(X))


def test_of_the_labeled_samples_alone():
    y, groups = in_groups(0)
    y[::3] = -1
    split = SemiSupervisedSplit(MultilabelStratifiedGroupKFold(4)).split(y, y, groups)
    tested = np.concatenate([test for _, test in split])
    assert sorted(tested) == np.flatnonzero(y[:, 0] >= 0).tolist()


@pytest.mark.parametrize(
    ("n_splits", "y", "groups", "message"),
    [
        (
            1,
            indicators(0),
            None,
            "n_splits=1; expected an int from 2 to the number of samples, 120",
        ),
        (3, indicators(0), np.arange(120) % 2, "n_splits=3; .* number of groups, 2"),
        (2, None, None, "needs y"),
        (2, indicators(0)[1:], None, "inconsistent numbers of samples"),
    ],
)
def test_refusals(n_splits, y, groups, message):
    with pytest.raises(ValueError, match=message):
        next(MultilabelStratifiedGroupKFold(n_splits).split(np.zeros(120), y, groups))
