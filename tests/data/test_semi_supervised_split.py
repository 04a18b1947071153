from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_validate,
)

from segclf import SemiSupervisedSplit

SEEDS = range(20)
PLAIN = [
    KFold(3),
    KFold(3, shuffle=True, random_state=0),
    StratifiedKFold(3),
    ShuffleSplit(3, test_size=0.3, random_state=0),
]
GROUPED = [GroupKFold(3), StratifiedGroupKFold(3), LeaveOneGroupOut()]


def sample(seed, n_samples=120):
    """Labels of 0, 1, 2 with a random share of -1, and groups of both kinds of samples."""
    random = np.random.default_rng(seed)
    y = random.integers(3, size=n_samples)
    y[random.random(n_samples) < random.uniform(0, 0.7)] = -1
    return y, random.integers(8, size=n_samples)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("inner", PLAIN, ids=repr)
def test_unlabeled_are_always_trained_on_and_never_scored(inner, seed):
    y, _ = sample(seed)
    labeled, unlabeled = np.flatnonzero(y != -1), np.flatnonzero(y == -1)
    expected = list(inner.split(labeled, y[labeled]))
    splits = list(SemiSupervisedSplit(inner).split(y, y))
    assert len(splits) == len(expected) == SemiSupervisedSplit(inner).get_n_splits(y, y)
    for (train, test), (inner_train, inner_test) in zip(splits, expected, strict=True):
        np.testing.assert_array_equal(test, labeled[inner_test])
        np.testing.assert_array_equal(train, np.sort([*labeled[inner_train], *unlabeled]))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("inner", GROUPED, ids=repr)
def test_groups_stay_apart(inner, seed):
    y, groups = sample(seed)
    labeled, unlabeled = np.flatnonzero(y != -1), np.flatnonzero(y == -1)
    expected = list(inner.split(labeled, y[labeled], groups[labeled]))
    split = SemiSupervisedSplit(inner)
    splits = list(split.split(y, y, groups))
    assert len(splits) == len(expected) == split.get_n_splits(y, y, groups)
    for (train, test), (inner_train, inner_test) in zip(splits, expected, strict=True):
        np.testing.assert_array_equal(test, labeled[inner_test])
        assert set(groups[train]).isdisjoint(groups[test])
        others = unlabeled[~np.isin(unlabeled, train)]
        assert set(groups[others]) <= set(groups[test]), "left out without need"
        assert set(labeled[inner_train]) == set(train) - set(unlabeled)


def test_a_number_of_folds_is_stratified():
    y = np.array([0, 1] * 6 + [-1] * 4)
    for _, test in SemiSupervisedSplit(3).split(y, y):
        assert np.bincount(y[test]).tolist() == [2, 2]
    assert SemiSupervisedSplit(3).get_n_splits() == 3
    assert repr(SemiSupervisedSplit(KFold(2))).startswith("SemiSupervisedSplit(cv=KFold(")


def masks():
    masks = np.zeros((6, 2, 2), dtype=int)
    masks[[1, 4]] = -1
    masks[0, 0, 0] = -1  # the rest of it is labeled
    return masks


FORMS = {
    "labels": np.array([0, -1, 1, 0, -1, 1]),
    "floats": np.array([0, -1, 1, 0, -1, 1.0]),
    "list": [0, -1, 1, 0, -1, 1],
    "names": np.array(["no", -1, "yes", "no", -1, "yes"], dtype=object),
    "series": pd.Series([0, -1, 1, 0, -1, 1], index=[9, 8, 7, 6, 5, 4]),
    "tensor": torch.tensor([0, -1, 1, 0, -1, 1]),
    "indicator": np.array([[0, 1], [-1, -1], [-1, 1], [1, 1], [-1, -1], [0, 0]]),
    "masks": masks(),
    "multi-label masks": np.stack([masks(), masks()], axis=1),
    "list of masks": [None if i in (1, 4) else mask for i, mask in enumerate(masks())],
    "list of masks of -1": [np.full((1 + i, 2), -1 if i in (1, 4) else 0) for i in range(6)],
    "array of masks": np.array([Path("a"), None, Path("b"), Path("c"), None, Path("d")]),
    "names of files": ["a.png", None, "b.png", "c.png", None, "d.png"],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_labels_and_masks(form):
    splits = list(SemiSupervisedSplit(2).split(np.zeros((6, 5)), FORMS[form]))
    assert len(splits) == 2
    assert sorted(np.concatenate([test for _, test in splits])) == [0, 2, 3, 5]
    assert all({1, 4} <= set(train) for train, _ in splits)


def test_refusals():
    X, y = np.zeros((4, 1)), np.array([0, 1, -1, -1])
    with pytest.raises(ValueError, match="needs y"):
        next(SemiSupervisedSplit(2).split(X))
    with pytest.raises(ValueError, match="none of the 4 samples has a label"):
        next(SemiSupervisedSplit(2).split(X, np.full(4, -1)))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        next(SemiSupervisedSplit(2).split(X, y[:3]))
    for cv in ("five", None, [([0], [1])]):
        with pytest.raises(TypeError, match="expected a number of folds, or a splitter"):
            next(SemiSupervisedSplit(cv).split(X, y))


Y, GROUPS = sample(0)
X = np.random.default_rng(0).normal(size=(len(Y), 2)) + Y[:, None]


class Witness(LogisticRegression):
    """Learns from labeled samples beside unlabeled ones, and judges labeled ones alone."""

    def fit(self, X, y, groups=None):
        assert (y == -1).any()
        return super().fit(X[y != -1], y[y != -1])

    def score(self, X, y):
        assert (y != -1).all()
        return super().score(X, y)


@pytest.mark.parametrize("labels", [Y, np.stack([Y, Y], axis=1)], ids=["classes", "indicator"])
def test_a_number_of_folds_keeps_groups_together(labels):
    folds = list(SemiSupervisedSplit(3).split(X, labels, GROUPS))
    assert len(folds) == SemiSupervisedSplit(3).get_n_splits(X, labels, GROUPS) == 3
    for train, test in folds:
        assert set(GROUPS[train]).isdisjoint(GROUPS[test])


def test_the_witness_notices():
    with pytest.raises(AssertionError):
        cross_validate(Witness(), X, Y, cv=KFold(3), error_score="raise")


def test_in_a_search():
    grid = {"C": [0.1, 1.0]}
    search = GridSearchCV(Witness(), grid, cv=SemiSupervisedSplit(3), error_score="raise")
    assert search.fit(X, Y).n_splits_ == 3


@pytest.mark.parametrize("inner", [3, KFold(3), GroupKFold(3)], ids=repr)
def test_in_cross_validate_with_routed_groups(inner):
    with sklearn.config_context(enable_metadata_routing=True):
        scores = cross_validate(
            Witness().set_fit_request(groups=True),
            X,
            Y,
            params={"groups": GROUPS},
            cv=SemiSupervisedSplit(inner),
            return_indices=True,
            error_score="raise",
        )
    for train, test in zip(*scores["indices"].values(), strict=True):
        if not isinstance(inner, KFold):
            assert set(GROUPS[train]).isdisjoint(GROUPS[test])
        else:
            assert set(np.flatnonzero(Y == -1)) <= set(train)
