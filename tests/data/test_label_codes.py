import numpy as np
import pandas as pd
import pytest

from segclf.data.label_codes import as_indicator, as_mask_ids, as_positions


def test_positions_among_classes():
    classes = np.array(["a", "b"])
    assert as_positions(["b", None, "a", -1], classes).tolist() == [1, -1, 0, -1]
    assert as_positions([1, -1], np.array([-1, 1])).tolist() == [1, 0]
    assert as_positions([5, 7, None], np.array([5]), unseen=-1).tolist() == [0, -1, -1]
    with pytest.raises(ValueError, match=r"Label 'c' of sample 2 is not one of the classes: \['a'"):
        as_positions(["a", None, "c"], classes)


def test_indicators():
    given = np.array([[1, None], [np.nan, 0]], dtype=object)
    assert as_indicator(given).tolist() == [[1, -1], [-1, 0]]
    with pytest.raises(ValueError, match="Unknown label type"):
        as_indicator(np.array([["a", "b"]]))


@pytest.mark.parametrize(
    "labels",
    [
        [2, -1, 0],
        [2, None, 0],
        np.array([2.0, np.nan, 0.0]),
        np.array([2, -1, 0], dtype=np.int8),
        pd.Series([2, None, 0], dtype="Int64"),
    ],
)
def test_mask_ids_of_images(labels):
    ids = as_mask_ids(labels, 3)
    assert (ids.dtype, ids.tolist()) == (np.int64, [2, -1, 0])


def test_mask_ids_may_be_an_indicator():
    assert as_mask_ids([[1, 0], [None, 1]], 2).tolist() == [[1, 0], [-1, 1]]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 255, 1], "Label 1 is 255; expected whole mask ids from 0 to 254.*unknown"),
        ([-1, 0.9, 1], "Label 1 is 0.9; expected whole mask ids"),
        ([0, 1, -2], "Label 2 is -2"),
        ([0, 1, np.inf], "Label 2 is inf"),
        ([-1, "a", "b"], "Label 1 is 'a'; expected a mask id"),
        ([0, 1], "inconsistent numbers of samples"),
        (np.zeros((3, 2, 2)), r"shape \(3, 2, 2\); expected \(3,\)"),
    ],
)
def test_what_is_no_mask_id(labels, message):
    with pytest.raises(ValueError, match=message):
        as_mask_ids(labels, 3)
