import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import cross_validate

from segclf import ImageClassifier
from segclf.base import Classifier
from segclf.base.classifier import check_labels


def test_labels_become_positions_and_minus_one_stays():
    labels = check_labels(np.array([5, -1, 2, 5]), 4)
    assert labels.classes.tolist() == [2, 5]
    assert labels.encoded.tolist() == [1, -1, 0, 1]
    assert not labels.multilabel


UNKNOWN_AMONG_TEXT = {
    "list": ["b", "a", -1, None, np.nan, pd.NA],
    "array of objects": np.array(["b", "a", -1, None, np.nan, pd.NA], dtype=object),
    "array of text": np.array(["b", "a", -1, np.nan, -1.0, -1]),
    "series of text": pd.Series(["b", "a", None, None, None, None], dtype="string"),
    "categories": pd.Categorical(["b", "a", None, None, None, None]),
    "column": pd.DataFrame({"y": ["b", "a", -1, None, np.nan, pd.NA]})["y"],
}
UNKNOWN_AMONG_NUMBERS = {
    "list": [7, 3, -1, None, np.nan, pd.NA],
    "array of objects": np.array([7, 3, -1, None, np.nan, pd.NA], dtype=object),
    "nullable": pd.Series([7, 3, None, -1, None, None], dtype="Int64"),
    "categories": pd.Series(pd.Categorical([7, 3, None, -1, None, None])),
}


@pytest.mark.parametrize("form", UNKNOWN_AMONG_TEXT)
def test_nobody_said_among_text(form):
    labels = check_labels(UNKNOWN_AMONG_TEXT[form], 6)
    assert (labels.classes.tolist(), labels.classes.dtype.kind) == (["a", "b"], "U")
    assert labels.encoded.tolist() == [1, 0, -1, -1, -1, -1]


@pytest.mark.parametrize("form", UNKNOWN_AMONG_NUMBERS)
def test_nobody_said_among_numbers(form):
    labels = check_labels(UNKNOWN_AMONG_NUMBERS[form], 6)
    assert (labels.classes.tolist(), labels.classes.dtype.kind) == ([3, 7], "i")
    assert labels.encoded.tolist() == [1, 0, -1, -1, -1, -1]


def test_nobody_said_among_floats_and_bools():
    floats = check_labels(np.array([2.0, np.nan, 1.0]), 3)
    assert (floats.classes.dtype, floats.encoded.tolist()) == (np.float64, [1, -1, 0])
    bools = check_labels([True, None, False], 3)
    assert (bools.classes.dtype, bools.encoded.tolist()) == (bool, [1, -1, 0])
    indicator = check_labels([[0, 1], [None, 0], [np.nan, -1]], 3)
    assert indicator.encoded.tolist() == [[0, 1], [-1, 0], [-1, -1]]


def test_minus_one_and_one_alone_are_two_classes_where_rows_say_so():
    with pytest.warns(UserWarning, match="read as two classes"):
        labels = check_labels([-1, 1, 1], 3, signs=True)
    assert labels.classes.tolist() == [-1, 1]
    assert labels.encoded.tolist() == [0, 1, 1]
    with pytest.raises(ValueError, match=r"only one class.*If -1 is one of your classes.* 0 and 1"):
        check_labels([-1, 1, 1], 3)
    assert check_labels([-1, 1, 0], 3, signs=True).encoded.tolist() == [-1, 1, 0]


def test_a_fold_without_a_class_makes_none_of_minus_one():
    X = np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3)).astype(np.uint8)
    y = np.array([-1] * 6 + [1] * 4 + [0] * 2)
    folds = [(np.arange(10), np.array([10, 11])), (np.arange(2, 12), np.array([0, 1]))]
    classifier = ImageClassifier(encoder="tiny", max_epochs=1, random_state=0)
    with pytest.warns(FitFailedWarning, match="only one class is present.*write the two as 0 and"):
        done = cross_validate(
            classifier, X, y, cv=folds, return_estimator=True, scoring=lambda *_: 1.0
        )
    assert [each.classes_.tolist() for each in done["estimator"]] == [[1], [0, 1]]
    assert np.isnan(done["test_score"]).tolist() == [True, False]


class Constant(Classifier):
    def __init__(self, classes, says):
        self.classes_, self.says = np.array(classes), says

    def predict(self, X):
        return np.array([self.says] * len(X))


@pytest.mark.parametrize(
    ("classes", "says", "y", "expected"),
    [
        ([0, 1], 1, [1, -1, -1, 1], 1.0),
        ([0, 1], 1, [1, None, -1, 0], 0.5),
        ([-1, 1], 1, [1, -1, -1, 1], 0.5),
        (["a", "b"], "b", ["b", -1, None, "a"], 0.5),
        (["a", "b"], "b", np.array(["b", -1, "b", "a"]), 2 / 3),
        ([0, 1], [1, 0], [[1, 0], [1, -1], [0, 0], [-1, -1]], 0.5),
    ],
)
def test_what_fit_learned_decides_what_a_score_leaves_out(classes, says, y, expected):
    assert Constant(classes, says).score(np.zeros(4), y) == pytest.approx(expected)


def test_nothing_to_score():
    with pytest.raises(ValueError, match="none of the 4 images has a label"):
        Constant([0, 1], 1).score(np.zeros(4), [-1, None, -1, -1])


def test_indicators_pass_with_minus_one():
    labels = check_labels([[0, 1], [-1, 0]], 2)
    assert labels.multilabel
    assert labels.encoded.tolist() == [[0, 1], [-1, 0]]


def test_mask_ids_of_labels():
    labels = check_labels(np.array([5, -1, 2, 5]), 4)
    assert labels.mask_ids(2).tolist() == [1, -1, 0, 1]
    assert labels.mask_ids(5).tolist() == [0, -1, 1, 0]
    assert labels.mask_ids(None).tolist() == [2, -1, 1, 2]
    indicator = check_labels([[0, 1], [-1, 0]], 2)
    assert indicator.mask_ids(None).tolist() == [[0, 1], [-1, 0]]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "requires y to be passed"),
        ([0, 0], "only one class"),
        ([-1, -1], "no label at all"),
        ([0.5, 1.5], "Unknown label type"),
        ([[0, 2], [1, 0]], "Unknown label type"),
        ([0, 1, 0], "inconsistent numbers of samples"),
        ([0, np.inf], "infinity"),
        ([np.nan, None], "no label at all"),
        (["a", 1], "mix text and other values, such as 'a' and 1"),
    ],
)
def test_wrong_labels_say_what_is_wrong(y, message):
    with pytest.raises(ValueError, match=message):
        check_labels(y, 2)


def test_balanced_weights_count_the_labeled_only():
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
