import numpy as np
import pytest
from matplotlib.path import Path
from pycocotools import mask as coco

from segclf.datasets.polygon_filling import fill_polygon

# From pycocotools' own code.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
RNG = np.random.default_rng(0)


def _filled(points, size):
    top, left, patch = fill_polygon(np.asarray(points, dtype=float), size)
    mask = np.zeros(size, dtype=bool)
    mask[top : top + patch.shape[0], left : left + patch.shape[1]] = patch
    return mask


def _star(n, low=0.3):
    """A simple polygon around a point in the middle."""
    angles = np.sort(RNG.random(n)) * 2 * np.pi
    radii = RNG.uniform(low, 1, n) * 30
    return np.c_[np.cos(angles), np.sin(angles)] * radii[:, None] + RNG.uniform(20, 40, 2)


@pytest.mark.parametrize("n", [3, 4, 7, 30])
def test_a_pixel_is_inside_if_its_middle_is(n):
    points = _star(n)
    middles = np.stack(np.meshgrid(np.arange(60), np.arange(50)), axis=-1).reshape(-1, 2) + 0.5
    expected = Path(points).contains_points(middles).reshape(50, 60)
    np.testing.assert_array_equal(_filled(points, (50, 60)), expected)


@pytest.mark.parametrize("n", [3, 5, 9, 40])
def test_it_agrees_with_cocos_tools(n):
    """Which round to a fifth of a pixel: what differs has its middle that close to the border."""
    for _ in range(20):
        points = _star(n)
        given = [points.ravel().tolist()]
        theirs = coco.decode(coco.frPyObjects(given, 60, 64))[..., 0].astype(bool)
        ours = _filled(points, (60, 64))
        for x, y in np.argwhere(ours != theirs)[:, ::-1] + 0.5:
            ends = np.roll(points, -1, axis=0)
            assert _distance(np.array([x, y]), points, ends).min() < 0.3
        if theirs.sum() > 100:
            assert (ours & theirs).sum() / (ours | theirs).sum() > 0.97


def test_it_is_exactly_cocos_for_boxes_along_pixels():
    for _ in range(20):
        (x0, x1), (y0, y1) = (np.sort(RNG.choice(30, 2, replace=False)) for _ in range(2))
        box = [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]
        theirs = coco.decode(coco.frPyObjects([np.ravel(box).tolist()], 30, 30))[..., 0]
        np.testing.assert_array_equal(_filled(box, (30, 30)), theirs)
        assert theirs.sum() == (x1 - x0) * (y1 - y0)


def test_neighbors_share_no_pixel_and_leave_none_out():
    for _ in range(20):
        middle = RNG.integers(1, 19, 2) + 0.5 * RNG.integers(0, 2, 2)
        corners = np.array([[0, 0], [20, 0], [20, 20], [0, 20]])
        parts = [_filled([corners[k], corners[(k + 1) % 4], middle], (20, 20)) for k in range(4)]
        np.testing.assert_array_equal(np.sum(parts, axis=0), 1)


def test_parts_beyond_the_image_are_cut_off():
    points = _star(12) - 25
    whole = _filled(points + 50, (120, 120))
    np.testing.assert_array_equal(_filled(points, (40, 30)), whole[50:90, 50:80])
    for nowhere in ([[-5, -5], [-1, -5], [-1, -1]], [[70, 1], [80, 1], [80, 9]], [[3, 3.5]] * 3):
        assert not _filled(nowhere, (40, 30)).any()
    assert _filled([[-1e6, -1e6], [1e6, -1e6], [1e6, 1e6], [-1e6, 1e6]], (40, 30)).all()


def test_what_is_wound_twice_is_outside():
    bow = [[0, 0], [10, 10], [10, 0], [0, 10]]
    square = [[0, 0], [10, 0], [10, 10], [0, 10]] * 2
    assert _filled(bow, (10, 10)).sum() == pytest.approx(50, abs=10)
    assert not _filled(square, (10, 10)).any()


def _distance(point, starts, ends):
    along = ends - starts
    share = np.clip(((point - starts) * along).sum(1) / (along**2).sum(1), 0, 1)
    return np.linalg.norm(starts + share[:, None] * along - point, axis=1)
