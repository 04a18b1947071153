import math

import numpy as np
import pytest

from segclf.metrics import conformal_sets, conformal_threshold


def world(n, random, k=3):
    """Images whose classes are as probable as an unsure, biased classifier says nothing of."""
    y = random.randint(0, k, n)
    odds = np.eye(k)[y] * 1.5 + random.normal(size=(n, k)) + np.arange(k)
    return y, np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)


def covered(y, sets):
    return sets[np.arange(len(y)), y]


def assert_near(hits, low, high):
    """Between two shares, but for four standard errors."""
    error = 4 * np.sqrt(0.25 / len(hits))
    assert low - error <= np.mean(hits) <= high + error


@pytest.mark.parametrize(("n", "level"), [(30, 0.9), (99, 0.8), (25, 0.5)])
def test_sets_hold_the_true_label_as_often_as_asked(n, level):
    random, hits = np.random.RandomState(0), []
    for _ in range(2000):
        y, proba = world(n + 1, random)
        threshold = conformal_threshold(y[:-1], proba[:-1], level=level)
        hits.append(covered(y[-1:], conformal_sets(proba[-1:], threshold))[0])
    rank = math.ceil(round((n + 1) * level, 9))
    assert_near(hits, rank / (n + 1), rank / (n + 1))  # exactly, where no scores are tied
    assert level <= rank / (n + 1) <= level + 1 / (n + 1)


def test_aps_covers_too():
    random, hits = np.random.RandomState(1), []
    for _ in range(2000):
        y, proba = world(51, random)
        threshold = conformal_threshold(y[:-1], proba[:-1], level=0.8, method="aps")
        hits += [covered(y[-1:], conformal_sets(proba[-1:], threshold, method="aps"))[0]]
    assert_near(hits, 0.8, 1)


def test_each_class_is_covered_by_its_own_threshold():
    random = np.random.RandomState(2)
    hits = {True: [[], [], []], False: [[], [], []]}
    for _ in range(300):
        y, proba = world(130, random)
        for per_class, of_class in hits.items():
            threshold = conformal_threshold(y[:100], proba[:100], level=0.8, per_class=per_class)
            sets = conformal_sets(proba[100:], threshold)
            for label in range(3):
                of_class[label].append(covered(y[100:], sets)[y[100:] == label].mean())
    assert all(0.79 < np.mean(label) < 0.87 for label in hits[True])
    assert np.mean(hits[False][0]) < 0.7  # which on average over all classes nobody sees


def test_labels_of_an_indicator_are_covered_each():
    random, hits = np.random.RandomState(3), [[], []]
    for _ in range(300):
        y = random.randint(0, 2, (200, 2))
        proba = np.clip(y * [0.3, 0.1] + random.random_sample((200, 2)) * 0.6, 0, 1)
        threshold = conformal_threshold(y[:100], proba[:100], level=0.9)
        assert threshold.shape == (2,)
        sets = conformal_sets(proba[100:], threshold)
        for label in range(2):
            hits[label].append(sets[:, label][y[100:, label] == 1].mean())
    assert all(0.89 < np.mean(label) < 0.94 for label in hits)


def test_all_images_of_a_new_patient_are_right_together():
    random = np.random.RandomState(4)
    single, whole = [], []
    for _ in range(800):
        patient = np.repeat(random.normal(size=41), 5)
        groups = np.repeat(np.arange(41), 5)
        proba = 1 / (1 + np.exp(-patient - 0.3 * random.normal(size=205)))
        proba, y = np.stack([proba, 1 - proba], axis=1), np.zeros(205, dtype=int)
        for hits, of in ((whole, groups), (single, None)):
            known = slice(0, 200)
            by = None if of is None else of[known]
            threshold = conformal_threshold(y[known], proba[known], level=0.8, groups=by)
            hits.append(conformal_sets(proba[200:], threshold)[:, 0].all())
    assert_near(whole, 33 / 41, 33 / 41)
    assert np.mean(single) < 0.76


@pytest.mark.parametrize(("level", "least"), [(0.9, 9), (0.95, 19), (0.7, 3), (0.99, 99)])
def test_too_few_images_say_nothing(level, least):
    proba = np.full((least, 2), 0.5)
    y = np.zeros(least, dtype=int)
    assert conformal_threshold(y, proba, level=level) == 0.5
    assert conformal_threshold(y[1:], proba[1:], level=level) == math.inf
    assert conformal_sets(proba, math.inf).all()
    assert conformal_threshold(y, proba, level=level, per_class=True).tolist() == [0.5, math.inf]


def test_the_rank_is_not_moved_by_rounding():
    """.55 of 100 is a little more than 55 in floating point."""
    of_true = np.linspace(0.9, 0.1, 99)
    proba = np.stack([of_true, 1 - of_true], axis=1)
    threshold = conformal_threshold(np.zeros(99, int), proba, level=0.55)
    assert threshold == np.sort(1 - of_true)[54]


def test_images_that_nobody_labeled_do_not_count():
    y, proba = world(40, np.random.RandomState(5))
    more = np.append(y, [-1] * 10), np.concatenate([proba, proba[:10]])
    assert conformal_threshold(*more) == conformal_threshold(y, proba)
    groups = np.arange(40) // 2
    more_groups = np.append(groups, [99] * 10)
    expected = conformal_threshold(y, proba, groups=groups)
    assert conformal_threshold(*more, groups=more_groups) == expected


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"level": 90}, "between 0 and 1, got 90"),
        ({"y_true": [0, 1]}, "numbers of 2 classes"),
        ({"y_true": [0, 1, 2]}, "numbers of 2 classes"),
        ({"y_proba": [0.1, 0.2, 0.3]}, "got shape"),
        ({"y_proba": [[1.1, 0.2]] * 3}, "probabilities"),
        ({"y_proba": [[np.nan, 0.2]] * 3}, "probabilities"),
        ({"method": "raps"}, "No method named 'raps'; known: lac, aps"),
        ({"groups": [0, 1]}, "groups must be of shape"),
    ],
)
def test_refusals(changed, words):
    given = {"y_true": [0, 1, 0], "y_proba": [[0.5, 0.5]] * 3}
    with pytest.raises(ValueError, match=words):
        conformal_threshold(**{**given, **changed})


def test_thresholds_of_another_number_of_classes():
    with pytest.raises(ValueError, match=r"number or of shape \(2,\), got \(3,\)"):
        conformal_sets([[0.5, 0.5]], [0.1, 0.2, 0.3])
