import re

import cv2
import numpy as np
import pytest

from segclf.reports.page.outlines import LONGEST_PATH, canvas, outlines


def filled(path, shape):
    """Fill the path by the even-odd rule, and bring it back to the mask's size."""
    height, width, cell = canvas(*shape)
    loops = []
    for loop in re.findall(r"M(\S+ \S+)l([^z]*)z", path):
        points = np.array(" ".join(loop).split(), dtype=int).reshape(-1, 2)
        loops.append(points.cumsum(axis=0))
    picture = np.zeros((height * cell, width * cell), np.uint8)
    cv2.fillPoly(picture, loops, 1)
    return cv2.resize(picture, shape[::-1], interpolation=cv2.INTER_AREA) > 0


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


@pytest.mark.parametrize("size", [(60, 90), (256, 256), (500, 300), (1200, 2000)])
def test_an_outline_is_where_the_mask_is_holes_too(size):
    y, x = np.mgrid[: size[0], : size[1]]
    distance = np.hypot(y - size[0] / 2, x - size[1] / 3)
    ring = (distance < size[1] / 4) & (distance > size[1] / 8)
    (path,) = outlines(ring.astype(int)).values()
    assert path.count("M") == 2
    assert iou(filled(path, size), ring) > 0.93


def test_one_path_a_class_and_a_channel():
    mask = np.zeros((8, 8), dtype=int)
    mask[1:3, 1:3], mask[5:, 5:], mask[0, 0] = 1, 3, -1
    paths = outlines(mask)
    assert sorted(paths) == [1, 3]
    assert outlines(np.stack([mask == 1, mask == 2, mask == 3])) == paths
    assert outlines(np.zeros((8, 8))) == outlines(None) == {}


@pytest.mark.parametrize("side", [8, 400, 3000])
def test_a_single_pixel_is_not_lost(side):
    mask = np.zeros((side, side), dtype=int)
    mask[side // 2, side // 4] = 1
    x, y = re.match(r"M(\d+) (\d+)l\S", outlines(mask)[1]).groups()
    height, _, cell = canvas(side, side)
    np.testing.assert_allclose([int(x), int(y)], [height * cell / 4, height * cell / 2], atol=cell)


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5])
def test_specks_stay_short_and_keep_the_largest(share):
    mask = np.random.default_rng(0).random((400, 400)) < share
    mask[100:200, 100:200] = True
    (path,) = outlines(mask.astype(int)).values()
    assert len(path) <= LONGEST_PATH
    assert path.endswith("z")
    first = filled(path[: path.index("z") + 1], mask.shape)
    assert first[110:190, 110:190].mean() > 0.95
