import numpy as np
import pandas as pd
import pytest

from segclf.data.labels import as_label_array, is_labeled, is_labeled_for, natural


def test_text_and_numbers_stay_apart():
    assert as_label_array(["ill", -1]).tolist() == ["ill", -1]
    assert as_label_array([2, 1]).dtype == np.int64
    assert as_label_array(np.array(["ill", "well"])).dtype.kind == "U"


@pytest.mark.parametrize(
    "labels",
    [
        np.array([1, -1, 0, -1]),
        np.array([1.0, np.nan, 0.0, -1.0]),
        np.array(["a", "-1", "b", "nan"]),
        pd.Series(["a", None, "b", pd.NA]),
        pd.Series([1, None, 0, -1], dtype="Int64"),
        pd.Series([True, None, False, None], dtype="boolean"),
        ["a", float("nan"), "b", np.float32("nan")],
        [np.int8(1), np.int8(-1), 0, pd.NaT],
    ],
)
def test_every_way_to_say_nothing(labels):
    assert is_labeled(as_label_array(labels)).tolist() == [True, False, True, False]


def test_unsigned_numbers_and_bools_are_all_labels():
    assert is_labeled(np.array([255, 0], dtype=np.uint8)).all()
    assert is_labeled(np.array([True, False])).all()


def test_what_was_learned_decides_on_minus_one():
    labels = np.array([1, -1])
    assert is_labeled_for(labels, np.array([0, 1])).tolist() == [True, False]
    assert is_labeled_for(labels, np.array([-1, 1])).tolist() == [True, True]
    assert is_labeled_for(np.array(["a", "-1"]), np.array(["a", "b"])).tolist() == [True, False]


def test_natural_dtypes():
    assert natural(np.array([3, 1], dtype=object)).dtype == np.int64
    assert natural(np.array([True, False], dtype=object)).dtype == bool
    with pytest.raises(ValueError, match="mix text and other values, such as 'a' and 1"):
        natural(np.array([1, "a"], dtype=object))
