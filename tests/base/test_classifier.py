import numpy as np
import pytest

from segclf.base.classifier import Classifier, check_labels


def test_labels_become_positions_and_minus_one_stays():
    labels = check_labels(np.array([5, -1, 2, 5]), 4)
    assert labels.classes.tolist() == [2, 5]
    assert labels.encoded.tolist() == [1, -1, 0, 1]
    assert not labels.multilabel


def test_strings_have_no_unknown():
    labels = check_labels(["b", "a", "-1"], 3)
    assert labels.classes.tolist() == ["-1", "a", "b"]


def test_minus_one_and_one_alone_are_two_classes_with_a_warning():
    with pytest.warns(UserWarning, match="read as two classes"):
        labels = check_labels([-1, 1, 1], 3)
    assert labels.classes.tolist() == [-1, 1]
    assert labels.encoded.tolist() == [0, 1, 1]


def test_indicators_pass_with_minus_one():
    labels = check_labels([[0, 1], [-1, 0]], 2)
    assert labels.multilabel
    assert labels.encoded.tolist() == [[0, 1], [-1, 0]]


def test_mask_ids_of_labels():
    labels = check_labels(np.array([5, -1, 2, 5]), 4)
    assert labels.mask_ids("first").tolist() == [1, -1, 0, 1]
    assert labels.mask_ids(None).tolist() == [2, -1, 1, 2]
    indicator = check_labels([[0, 1], [-1, 0]], 2)
    assert indicator.mask_ids(None).tolist() == [[0, 1], [-1, 0]]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "requires y to be passed"),
        ([0, 0], "only one class"),
        ([-1, -1], "0 class"),
        ([0.5, 1.5], "Unknown label type"),
        ([[0, 2], [1, 0]], "Unknown label type"),
        ([0, 1, 0], "inconsistent numbers of samples"),
        ([0, np.inf], "infinity"),
    ],
)
def test_wrong_labels_say_what_is_wrong(y, message):
    with pytest.raises(ValueError, match=message):
        check_labels(y, 2)


def test_balanced_weights_count_the_known_only():
    labels = check_labels([0, 0, 0, 1, -1, -1], 6)
    np.testing.assert_allclose(labels.weights("balanced"), [4 / 6, 2])
    np.testing.assert_allclose(labels.weights({1: 3}), [1, 3])
    assert labels.weights(None) is None


class Given(Classifier):
    """Answers with the probabilities that it is asked about."""

    def __init__(self, multilabel=False):
        self._multilabel = multilabel

    def predict_proba(self, X):
        return np.asarray(X, dtype=float)


def test_log_odds_of_two_classes():
    probabilities = np.array([[0.25, 0.75], [0.5, 0.5], [1, 0], [0, 1]])
    odds = Given().decision_function(probabilities)
    np.testing.assert_allclose(odds[:2], [np.log(3), 0])
    assert odds.shape == (4,)
    assert np.isfinite(odds).all()
    assert (odds[2] < -700) & (odds[3] > 700)


def test_log_odds_of_many_classes_and_labels():
    probabilities = np.array([[0.1, 0.3, 0.6], [1, 0, 0]])
    for multilabel in (False, True):
        odds = Given(multilabel).decision_function(probabilities)
        np.testing.assert_allclose(odds[0], np.log(probabilities[0] / (1 - probabilities[0])))
        assert np.isfinite(odds).all()
    assert Given(True).decision_function(probabilities[:, :2]).shape == (2, 2)


def test_log_probabilities():
    logarithms = Given().predict_log_proba([[0.25, 0.75], [0, 1]])
    np.testing.assert_array_equal(logarithms, [np.log([0.25, 0.75]), [-np.inf, 0]])
