from math import pi, sin, sqrt

import numpy as np
import pytest

from segclf.datasets import SHAPES, stamp

UNIT_AREAS = {
    "circle": pi,
    "diamond": 2,
    "octagon": 8 * (sqrt(2) - 1),
    "rectangle": 2,
    "square": 4,
    # Ten triangles with sides 1 and 0.381966 (tip and notch of a pentagram), 36 degrees between.
    "star": 5 * 0.381966 * sin(pi / 5),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_area_is_that_of_the_ideal_shape(shape):
    assert stamp(shape, 200).sum() == pytest.approx(UNIT_AREAS[shape] * 200.5**2, rel=0.005)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("radius", [1, 3.43, 8, 28])
def test_every_stamp_has_its_middle_pixel_and_is_mirror_symmetric(shape, radius):
    drawn = stamp(shape, radius)
    middle = int(radius + 0.5)
    assert drawn.shape == (2 * middle + 1,) * 2
    assert drawn[middle, middle]
    np.testing.assert_array_equal(drawn, drawn[:, ::-1])


@pytest.mark.parametrize("shape", ["circle", "diamond", "octagon", "square"])
def test_round_shapes_survive_a_quarter_turn_and_fill_their_box(shape):
    drawn = stamp(shape, 8)
    np.testing.assert_array_equal(drawn, np.rot90(drawn))
    assert drawn[0].any()


def test_rectangle_is_twice_as_wide_as_high():
    drawn = stamp("rectangle", 20)
    assert drawn.any(axis=0).sum() == 41
    assert drawn.any(axis=1).sum() == 21
    assert drawn.sum() == 41 * 21


def test_diamond_of_radius_2():
    expected = ["..#..", ".###.", "#####", ".###.", "..#.."]
    np.testing.assert_array_equal(stamp("diamond", 2), [[c == "#" for c in r] for r in expected])


def test_star_has_five_tips_and_points_up():
    drawn = stamp("star", 100)
    rows, columns = np.mgrid[-100:101, -100:101]
    ring = np.abs(np.hypot(rows, columns) - 80) < 0.7
    turns = np.sort(np.degrees(np.arctan2(columns, -rows))[drawn & ring] % 360)
    tips = np.split(turns, np.flatnonzero(np.diff(turns) > 20) + 1)
    # The tip that points up lies on both ends of the circle's cut at 0 degrees.
    tips = [np.concatenate([tips[0], tips[-1] - 360]), *tips[1:-1]]
    np.testing.assert_allclose([tip.mean() for tip in tips], [0, 72, 144, 216, 288], atol=1)


def test_all_shapes_differ_at_the_default_radius():
    assert len({stamp(shape, 8).tobytes() for shape in SHAPES}) == len(SHAPES)


def test_unknown_shape_lists_those_there_are():
    with pytest.raises(ValueError, match="'hexagon'; known: circle, diamond, octagon"):
        stamp("hexagon", 8)
