import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from segclf.metrics.balanced_accuracy import balanced_accuracy

RANDOM = np.random.default_rng(0)
TRUTH, DECIDED = RANDOM.integers(0, 2, (2, 40, 3))


def test_of_classes_is_the_mean_recall():
    truth, decided = RANDOM.integers(0, 3, (2, 40))
    one_hot = np.eye(3, dtype=int)
    found = balanced_accuracy(one_hot[truth], one_hot[decided], exclusive=True)
    assert found == pytest.approx(balanced_accuracy_score(truth, decided))


def test_of_labels_is_the_mean_over_them():
    expected = np.mean([*map(balanced_accuracy_score, TRUTH.T, DECIDED.T)])
    assert balanced_accuracy(TRUTH, DECIDED, exclusive=False) == pytest.approx(expected)


def test_what_nobody_said_does_not_count():
    truth = np.vstack([TRUTH, np.full((5, 3), -1)])
    decided = np.vstack([DECIDED, np.ones((5, 3), int)])
    same = balanced_accuracy(TRUTH, DECIDED, exclusive=False)
    assert balanced_accuracy(truth, decided, exclusive=False) == same


def test_nothing_to_average():
    assert np.isnan(balanced_accuracy(np.zeros((3, 2)), np.ones((3, 2)), exclusive=False))
