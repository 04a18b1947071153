import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from segclf.metrics.mean_auroc import mean_auroc


@pytest.mark.parametrize("shape", [(40, 1), (40, 3)])
def test_auroc_is_that_of_scikit_learn(shape):
    random = np.random.RandomState(0)
    truth = random.randint(2, size=shape)
    scores = random.randint(5, size=shape)  # with ties
    expected = roc_auc_score(truth, scores, average="macro")
    assert mean_auroc(truth, scores) == pytest.approx(expected)


def test_auroc_leaves_out_classes_that_nobody_or_everybody_shows():
    truth = np.array([[1, 0, 1], [1, 0, 0]])
    scores = np.array([[0, 0, 0.9], [0, 0, 0.1]])
    assert mean_auroc(truth, scores) == 1
    assert np.isnan(mean_auroc(truth[:, :2], scores[:, :2]))


def test_images_of_which_nobody_said_a_class_do_not_count_for_it():
    truth = np.array([[1, 1], [0, -1], [-1, 0], [1, 0]])
    scores = np.array([[0.9, 0.2], [0.5, 0.9], [0.0, 0.1], [0.4, 0.4]])
    assert mean_auroc(truth, scores) == 0.5
