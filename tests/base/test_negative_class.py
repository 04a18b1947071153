import numpy as np
import pytest

from segclf.base.classifier import check_labels
from segclf.base.conflicts import find_negative_class
from segclf.base.negative_class import class_ids
from segclf.data import as_masks

EMPTY, ANNOTATED = np.zeros((4, 4), dtype=int), np.eye(4, dtype=int)


def found(y, masks, negative_class="auto"):
    return find_negative_class(check_labels(y, len(y)), as_masks(masks, len(y)), negative_class)


@pytest.mark.parametrize(
    ("y", "masks", "expected"),
    [
        (["fracture", "normal"], [ANNOTATED, EMPTY], "normal"),
        (["healthy", "ill"], [EMPTY, ANNOTATED], "healthy"),
        (["benign", "malignant", "normal"], [ANNOTATED, 2 * ANNOTATED, EMPTY], "normal"),
        # Not drawn at all: the first.
        (["healthy", "ill"], [None, ANNOTATED], "healthy"),
        (["fracture", "normal"], [ANNOTATED, None], "fracture"),
        (["a", "b"], [None, None], "a"),
        # Both are empty, or neither is.
        (["a", "b"], [EMPTY, EMPTY], "a"),
        (["a", "b"], [ANNOTATED, ANNOTATED], "a"),
        # Slips do not hide it, and an id that is no class's is context.
        (["fracture", *["normal"] * 4], [ANNOTATED, EMPTY, EMPTY, ANNOTATED, EMPTY], "normal"),
        (["fracture", "normal"], [ANNOTATED, 7 * ANNOTATED], "normal"),
        # A mask of which a part is open says nothing of the rest.
        (["fracture", "normal"], [ANNOTATED, EMPTY - ANNOTATED], "fracture"),
        ([1, 0, -1], [ANNOTATED, None, EMPTY], 0),
    ],
)
def test_the_class_whose_masks_are_empty(y, masks, expected):
    assert found(y, masks) == expected


def test_a_class_may_be_named():
    y, masks = ["fracture", "normal"], [ANNOTATED, None]
    assert found(y, masks, "normal") == "normal"
    assert found(y, masks, None) is None
    assert found([3, 5], masks, np.int64(5)) == 5
    assert found(["auto", "bus"], masks, "auto") == "auto"
    assert found(["before", "first"], masks, "first") == "first"
    assert found(["before", "other"], masks, "first") == "before"
    for wrong in ("sound", 1, True):
        with pytest.raises(ValueError, match=r"is not one of the classes \['fracture', 'normal'\]"):
            found(y, masks, wrong)


def test_an_indicator_has_none():
    assert found([[0, 1], [1, 0]], None) is None


def test_ids_of_classes():
    classes = np.array([2, 3, 5])
    assert class_ids(classes, 2).tolist() == [0, 1, 2]
    assert class_ids(classes, 3).tolist() == [1, 0, 2]
    assert class_ids(classes, 5).tolist() == [1, 2, 0]
    assert class_ids(classes, None).tolist() == [1, 2, 3]
