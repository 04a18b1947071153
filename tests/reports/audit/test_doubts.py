import numpy as np
import pytest

from segclf.reports.audit.doubts import SelfConfidence, as_questions, doubts


def test_thresholds_are_mean_self_confidences():
    """By hand: class 0 gets .8 and .6 where it is given, class 1 gets .5, class 2 is never."""
    given = np.array([[0, 1, -1, 0]])
    chances = np.array([[[0.8, 0.3, 0.9, 0.6], [0.1, 0.5, 0.1, 0.4], [0.1, 0.2, 0.0, 0.0]]])
    confidence = SelfConfidence()
    confidence.add(given[:, :2], chances[..., :2])
    confidence.add(given[:, 2:], chances[..., 2:])
    assert confidence.thresholds() == pytest.approx(np.array([[0.7, 0.5, np.inf]]))


def test_doubt_by_hand():
    thresholds = np.array([[0.8, 0.5]])
    chances = np.array([[[0.9, 0.4, 0.4, 0.55, 0.4], [0.1, 0.6, 0.6, 0.45, 0.6]]])
    given = np.array([[1, 0, 1, 0, -1]])
    doubt, rival = doubts(given, chances, thresholds)
    # .1 / .5 against .9 / .8; .4 / .8 against .6 / .5; right; .55 / .8 against .45 / .5; unknown
    expected = [1 - 0.2 / 1.125, 1 - 0.5 / 1.2, 0, 1 - 0.6875 / 0.9, 0]
    assert doubt == pytest.approx(np.array([expected]))
    assert rival[0, :4].tolist() == [0, 1, 1, 1]


def test_timid_models_are_judged_by_their_own_measure():
    """No pixel is more likely class 1 than not, yet .3 is much where .3 is what class 1 gets."""
    given = np.array([[1, 1, 0, 0, 0, 0]])
    chances = np.array([[[0.7, 0.7, 0.7, 0.99, 0.99, 0.99], [0.3, 0.3, 0.3, 0.01, 0.01, 0.01]]])
    confidence = SelfConfidence()
    confidence.add(given, chances)
    doubt, _ = doubts(given, chances, confidence.thresholds())
    assert (doubt > 0).tolist() == [[False, False, True, False, False, False]]


def test_the_likeliest_rival_stands_against_an_answer():
    chances = np.array([[[0.1], [0.4], [0.5]]])
    assert doubts(np.array([[0]]), chances, np.array([[0.5, 0.3, 0.3]]))[1] == [[2]]
    assert doubts(np.array([[0]]), chances, np.array([[0.5, 0.3, 0.6]]))[1] == [[1]]


def test_labels_and_maps_of_many_are_questions_of_yes_or_no():
    given = np.array([[1, 0], [0, -1]])
    questions, chances = as_questions(given, np.array([[0.9, 0.2], [0.3, 0.4]]), multilabel=True)
    assert questions.tolist() == given.tolist()
    assert chances[0] == pytest.approx(np.array([[0.1, 0.8], [0.9, 0.2]]))
    one, chances = as_questions(given, np.zeros((3, 2, 2)), multilabel=False)
    assert (one.shape, chances.shape) == ((1, 2, 2), (1, 3, 2, 2))
