import numpy as np
import pytest
from pycocotools import mask as coco

from segclf.datasets.run_lengths import (
    check_runs,
    decode_text,
    encode_text,
    mask_of_runs,
    runs_of_mask,
)

# From pycocotools' own code.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
RNG = np.random.default_rng(0)
MASKS = [
    np.zeros((4, 5), bool),
    np.ones((4, 5), bool),
    np.eye(7, 3, dtype=bool),
    ~np.eye(1, 9, dtype=bool),
    RNG.random((37, 53)) < 0.5,
    RNG.random((200, 300)) < 0.001,
    RNG.random((200, 300)) < 0.999,
]


@pytest.mark.parametrize("mask", MASKS)
def test_it_is_cocos(mask):
    theirs = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    text = theirs["counts"].decode()
    counts = runs_of_mask(mask)
    assert encode_text(counts) == text
    np.testing.assert_array_equal(decode_text(text, ""), counts)
    np.testing.assert_array_equal(mask_of_runs(counts, mask.shape, by_columns=True), mask)
    plain = coco.frPyObjects({"size": mask.shape, "counts": counts.tolist()}, *mask.shape)
    assert plain["counts"].decode() == text


def test_a_part_of_a_mask():
    whole = np.zeros((20, 30), bool)
    for top, left, bottom, right in (
        (3, 4, 9, 12),
        (0, 5, 20, 8),
        (0, 0, 20, 30),
        (19, 29, 20, 30),
    ):
        whole[:] = False
        whole[top:bottom, left:right] = RNG.random((bottom - top, right - left)) < 0.8
        part = whole[top:bottom, left:right]
        counts = runs_of_mask(part, whole.shape, top, left)
        np.testing.assert_array_equal(counts, runs_of_mask(whole))


def test_along_rows():
    mask = MASKS[4]
    counts = runs_of_mask(mask.T)
    np.testing.assert_array_equal(mask_of_runs(counts, mask.shape, by_columns=False), mask)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([3, 4], "its runs have 7 pixels; expected 20"),
        ([30], "its runs have more than 20 pixels; expected 20"),
        ([2**62] * 4 + [20], "more than 20 pixels"),
        ([10**30], "whole numbers"),
        ([25, -5], "whole numbers"),
        ([19.5, 0.5], "whole numbers"),
        ([[20]], "whole numbers"),
        (["20"], "whole numbers"),
        ([True, False], "whole numbers"),
        (20, "whole numbers"),
        ([20, [1]], "whole numbers"),
        (None, "whole numbers"),
    ],
)
def test_wrong_runs(counts, message):
    with pytest.raises(ValueError, match=f"here: .*{message}"):
        check_runs(counts, 20, "here")


@pytest.mark.parametrize("text", ["p", "0P", "o" * 9 + "0", "é", "~", " "])
def test_wrong_texts(text):
    with pytest.raises(ValueError, match=r"here: .* is not a text of run lengths"):
        decode_text(text, "here")


def test_an_empty_text_has_no_runs():
    assert len(decode_text("", "")) == 0
