from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics.cluster import contingency_matrix

from segclf.metrics.matching import class_shares, count_agreement, match_clusters

GENERATOR = np.random.default_rng(0)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_hungarian_is_the_best_of_all_ways(n):
    agreement = GENERATOR.integers(0, 50, (n, n)).astype(float)
    members = match_clusters(agreement, matching="hungarian")
    best = max(agreement[range(n), order].sum() for order in permutations(range(n)))
    assert (agreement.T * members).sum() == best
    assert (members.sum(0) == 1).all()
    assert (members.sum(1) == 1).all()


@pytest.mark.parametrize("matching", ["hungarian", "majority"])
@pytest.mark.parametrize("shape", [(3, 3), (7, 3), (2, 4)])
def test_the_numbers_of_clusters_do_not_matter(matching, shape):
    agreement = GENERATOR.random(shape)
    order = GENERATOR.permutation(shape[0])
    members = match_clusters(agreement, matching=matching)
    renumbered = match_clusters(agreement[order], matching=matching)
    np.testing.assert_array_equal(renumbered, members[:, order])


def test_clusters_left_over_go_to_their_majority():
    agreement = np.array([[90, 9], [80, 1], [5, 2], [1, 4], [0, 0]], dtype=float)
    hungarian = match_clusters(agreement, matching="hungarian")
    assert hungarian.argmax(axis=0).tolist() == [0, 0, 0, 1, 0]
    agreement[3] = 0
    hungarian = match_clusters(agreement, matching="hungarian")
    assert hungarian.argmax(axis=0).tolist() == [0, 0, 1, 0, 0]  # 90 + 2 > 80 + 9
    majority = match_clusters(agreement, matching="majority")
    assert majority.argmax(axis=0).tolist() == [0, 0, 0, 0, 0]


def test_fewer_clusters_than_classes_leave_classes_without():
    members = match_clusters(np.array([[1.0, 5, 3], [2, 6, 1]]), matching="hungarian")
    assert members.astype(int).tolist() == [[0, 0], [0, 1], [1, 0]]  # 6 + 3 > 5 + 2


def test_agreement_is_scikit_learns_contingency():
    clusters = GENERATOR.integers(0, 4, (3, 5, 6))
    masks = GENERATOR.integers(0, 3, (3, 5, 6))
    agreement = count_agreement(clusters, class_shares(masks, None, 3), 4)
    np.testing.assert_array_equal(agreement, contingency_matrix(clusters.ravel(), masks.ravel()))


def test_pixels_that_nobody_labeled_agree_with_nothing():
    masks = np.array([[[-1, 0], [1, -1]]])
    assert class_shares(masks, None, 2).sum((0, 2, 3)).tolist() == [1, 1]


def test_an_image_label_is_half_of_the_background():
    masks = np.full((3, 1, 2), -1)
    masks[0] = 0
    shares = class_shares(masks, np.array([0, 2, -1]), 3)
    np.testing.assert_array_equal(shares[:, :, 0, 0], [[1, 0, 0], [0.5, 0, 0.5], [0, 0, 0]])


def test_a_class_that_is_not_there_counts_against_it():
    masks = np.array([[[[1, 0, -1]], [[1, 1, 0]]]])
    shares = class_shares(masks, np.array([[1, 1]]), 2)
    np.testing.assert_array_equal(shares[0, :, 0], [[1, -1, 0], [1, 1, -1]])
