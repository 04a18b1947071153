import numpy as np
import pytest
from sklearn.model_selection import KFold, ShuffleSplit

from segclf.reports.folds import split_folds

STRATA = np.array([0, 0, 0, 0, 1, 1, 1, 1, -1, -1])


def test_folds_are_stratified_and_unlabeled_images_train_only():
    folds = split_folds(2, STRATA, None, seed=0)
    for train, test in folds:
        assert np.bincount(STRATA[test]).tolist() == [2, 2]
        assert {8, 9} <= set(train.tolist())


def test_groups_stay_together():
    groups = np.array([0, 0, 1, 1, 2, 2, 3, 3, 0, 2])
    for train, test in split_folds(2, STRATA, groups, seed=0):
        assert not set(groups[train]) & set(groups[test])


def test_splitters_are_taken_as_they_are():
    tests = [test.tolist() for _, test in split_folds(KFold(2), STRATA, None, seed=0)]
    assert tests == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_every_image_is_tested_once():
    with pytest.raises(ValueError, match="test every image once; it tests sample"):
        split_folds(ShuffleSplit(2, test_size=0.5, random_state=0), STRATA, None, seed=0)
