import numpy as np
import pytest
from segclf_plugins.pseudo_labelers.inter_pixel import half_disc, straight_path
from segclf_plugins.pseudo_labelers.random_walk import random_walk, transition_matrix


def dense_matrix(edge, radius, beta):
    """IRNet's own, of all pixels by all: column j holds from where pixel j takes its value."""
    height, width = edge.shape
    affinity = np.eye(edge.size)
    for y, x in np.ndindex(edge.shape):
        for dy, dx in half_disc(radius):
            if y + dy < height and 0 <= x + dx < width:
                strongest = max(edge[y + i, x + j] for i, j in straight_path((dy, dx)))
                one, other = y * width + x, (y + dy) * width + x + dx
                affinity[one, other] = affinity[other, one] = (1 - strongest) ** beta
    return affinity / affinity.sum(axis=0)


@pytest.mark.parametrize("shape", [(7, 6), (2, 9), (9, 2), (1, 5), (4, 1), (1, 1)])
def test_equal_to_the_dense_walk(shape):
    generator = np.random.default_rng(0)
    maps, edge = generator.random((3, *shape)), generator.random(shape) ** 2
    matrix = dense_matrix(edge, radius=4, beta=3)
    for _ in range(3):
        matrix = matrix @ matrix  # exp_times = 3
    expected = (maps * (1 - edge)).reshape(3, -1) @ matrix
    walked = random_walk(maps, edge, radius=4, beta=3, n_steps=2**3)
    np.testing.assert_allclose(walked.reshape(3, -1), expected, rtol=1e-12, atol=1e-15)


def test_weights_sum_to_1():
    edge = np.random.default_rng(0).random((11, 8))
    matrix = transition_matrix(edge, radius=5, beta=10)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=1e-14)
    np.testing.assert_allclose(matrix.toarray().T, dense_matrix(edge, 5, 10), atol=1e-15)


def test_a_constant_stays():
    walked = random_walk(np.full((1, 9, 9), 0.3), np.zeros((9, 9)))
    np.testing.assert_allclose(walked, 0.3, rtol=1e-13)


def test_edges_everywhere_let_nothing_move():
    matrix = transition_matrix(np.ones((6, 7)), radius=5, beta=10)
    np.testing.assert_array_equal(matrix.toarray(), np.eye(42))


def test_a_wall_leaks_nothing():
    maps, edge = np.zeros((1, 10, 10)), np.zeros((10, 10))
    edge[:, 5] = 1
    maps[0, 3, 2] = 1
    walked = random_walk(maps, edge)[0]
    assert (walked[:, 5:] == 0).all()
    assert (walked[:, :5] > 0).all()


@pytest.mark.parametrize(
    ("start", "everywhere"),
    [((3, 3), 0.00853587962963), ((5, 5), 0.00998263888889), ((0, 0), 0.00318287037037)],
)
def test_without_edges_a_point_becomes_its_share_of_all_pairs(start, everywhere):
    maps = np.zeros((1, 12, 12))
    maps[0][start] = 1
    walked = random_walk(maps, np.zeros((12, 12)), radius=5)[0]
    np.testing.assert_allclose(walked, everywhere, rtol=1e-11)
    degree = dense_matrix(np.zeros((12, 12)), 5, 1) > 0
    share = degree.sum(axis=0).reshape(12, 12)[start] / degree.sum()
    np.testing.assert_allclose(walked, share, rtol=1e-12)


def test_precision_and_arguments_stay():
    generator = np.random.default_rng(0)
    maps, edge = generator.random((2, 1, 8, 8), dtype=np.float32)
    copies = maps.copy(), edge.copy()
    walked = random_walk(maps, edge[0])
    assert walked.dtype == np.float32
    np.testing.assert_array_equal(maps, copies[0])
    np.testing.assert_array_equal(edge, copies[1])
    exact = random_walk(maps.astype(np.float64), edge[0].astype(np.float64))
    np.testing.assert_allclose(walked, exact, rtol=1e-3)


def test_classes_walk_by_themselves():
    generator = np.random.default_rng(0)
    maps, edge = generator.random((3, 6, 6)), generator.random((6, 6))
    together = random_walk(maps, edge)
    alone = np.concatenate([random_walk(each[None], edge) for each in maps])
    np.testing.assert_array_equal(together, alone)


def test_no_steps_leave_only_the_boundaries_out():
    maps, edge = np.random.default_rng(0).random((2, 1, 5, 5))
    np.testing.assert_array_equal(random_walk(maps, edge[0], n_steps=0), maps * (1 - edge[0]))
