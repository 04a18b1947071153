import numpy as np
import pytest

from segclf.displays.captions import caption, is_right

NAMES = {0: "healthy", 1: "nodule"}


@pytest.mark.parametrize(
    ("said", "truth", "probability", "expected"),
    [
        (1, 1, 0.987, "nodule (99 %)"),
        (1, 0, None, "nodule\ntruth: healthy"),
        (1, -1, None, "nodule"),
        (None, 0, None, "healthy"),
        (None, None, None, ""),
        (np.int64(7), None, None, "7"),
        (np.str_("a"), np.str_("b"), None, "a\ntruth: b"),
        ([0, 0], [0, 1], None, "none\ntruth: nodule"),
        (np.array([1, 1]), np.array([1, -1]), None, "healthy, nodule"),
    ],
)
def test_caption(said, truth, probability, expected):
    assert caption(said, truth, probability, NAMES) == expected


@pytest.mark.parametrize(
    ("said", "truth", "expected"),
    [
        (1, 1, True),
        (1, 0, False),
        (1, -1, None),
        (1, None, None),
        (None, 1, None),
        ("a", "a", True),
        ("a", "b", False),
        ([0, 1], [0, 0], False),
        ([0, 1], [-1, 1], True),
        ([0, 1], [-1, -1], None),
    ],
)
def test_right_or_wrong(said, truth, expected):
    assert is_right(said, truth) is expected
