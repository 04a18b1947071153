import numpy as np
import pytest
from segclf_plugins.pseudo_labelers.cuts import best_cuts, cut
from sklearn.metrics import jaccard_score

from segclf.data import as_masks


def best_iou(truth, scores):
    """Try every number that decides anything; pixels of -1 are none."""
    truth, scores = truth[truth >= 0], scores[truth >= 0]
    tried = [-1.0, *np.unique(scores)]
    return max(jaccard_score(truth, scores > threshold) for threshold in tried)


def iou(truth, scores, threshold):
    return jaccard_score(truth[truth >= 0], scores[truth >= 0] > threshold)


@pytest.mark.parametrize("seed", range(5))
def test_no_threshold_fits_better(seed):
    random = np.random.default_rng(seed)
    truth = random.choice([-1, 0, 1, 2], p=[0.1, 0.7, 0.1, 0.1], size=(4, 9, 8))
    maps = random.dirichlet([6, 1, 1], size=(4, 9, 8)).transpose(0, 3, 1, 2).astype(np.float32)
    for number in (1, 2):  # a class is seen by its map, though not surely
        maps[:, number] = np.where(truth == number, maps[:, number] + 0.2, maps[:, number])
    cuts = best_cuts(as_masks(truth, 4), dict(enumerate(maps)))
    for number, found in enumerate(cuts, start=1):
        binary = np.where(truth < 0, -1, truth == number)
        expected = best_iou(binary, maps[:, number])
        assert iou(binary, maps[:, number], found) == pytest.approx(expected)


def test_channels_are_tuned_each_by_itself():
    truth = np.array([[[[1, 1, 0, 0]], [[0, 1, -1, 0]], [[0, 0, 0, 0]]]])
    maps = np.array([[[[0.4, 0.2, 0.1, 0.0]], [[0.1, 0.6, 0.9, 0.5]], [[0.9, 0.1, 0.1, 0.1]]]])
    cuts = best_cuts(as_masks(truth, 1), {0: maps[0]})
    assert 0.1 <= cuts[0] < 0.2
    assert 0.5 <= cuts[1] < 0.6
    assert cuts[2] == 0.5  # nobody has shown it
    predicted = cut(maps[0], cuts, None, multilabel=True)
    assert predicted.tolist() == [[[1, 1, 0, 0]], [[0, 1, 1, 0]], [[1, 0, 0, 0]]]


def test_only_the_images_with_maps_count():
    truth = np.array([[[1, 0]], [[1, 0]]])
    maps = np.array([[[0.1, 0.9]], [[0.9, 0.1]]])
    assert 0.1 <= best_cuts(as_masks(truth, 2), {1: maps})[0] < 0.9


def test_teachers_that_are_hardly_sure_of_anything_do_not_lower_it_without_end():
    truth = np.array([[[1, 1, 0, 0]]])
    maps = np.array([[[0.9, 0.998, 0.999, 0.999]], [[0.1, 0.002, 0.001, 0.001]]])
    found = best_cuts(as_masks(truth, 1), {0: maps})
    np.testing.assert_allclose(found, 0.1)
    assert cut(maps, found, None, multilabel=False).tolist() == [[1, 0, 0, 0]]


def test_of_exclusive_classes_the_one_that_exceeds_its_threshold_most():
    maps = np.array([[[0.3, 0.5, 0.9]], [[0.45, 0.3, 0.1]], [[0.25, 0.2, 0.0]]])
    assert cut(maps, np.array([0.4, 0.1]), None, multilabel=False).tolist() == [[2, 2, 0]]
    assert cut(maps, np.array([0.2]), None, multilabel=False).tolist() == [[1, 1, 0]]


def test_the_margin_lies_around_the_threshold():
    maps = np.array([[[0.9, 0.75, 0.65, 0.5]], [[0.1, 0.25, 0.35, 0.5]]])
    assert cut(maps, np.array([0.3]), 0.1, multilabel=False).tolist() == [[0, -1, -1, 1]]
    assert cut(maps, np.array([0.3]), 0.1, multilabel=True)[1].tolist() == [[0, -1, -1, 1]]
