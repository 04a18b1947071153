import pathlib
from functools import partial

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from segclf import SegmentationClassifier, SupervisedSegmenter
from segclf.data import Augmentation
from segclf.persistence.reader import Reader
from segclf.persistence.writer import Writer


class Holder(BaseEstimator):
    def __init__(self, value=None):
        self.value = value


def there_and_back(value):
    writer = Writer()
    written = writer.write(value, "value")
    return Reader(writer.arrays, {}).read(written)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        2**80,
        0.1,
        float("inf"),
        "name",
        [1, (2, [3])],
        {"a": {"b": (1,)}},
        {0: 1.0, "x": 2},
        {"$path": "not a path"},
        pathlib.Path("weights/model.pt"),
        np.float32(0.1),
        np.int64(3),
        np.bool_(True),
        np.str_("navy"),
    ],
    ids=repr,
)
def test_values(value):
    back = there_and_back(value)
    assert back == value
    assert type(back) is type(value)
    assert repr(back) == repr(value)


def test_not_a_number():
    assert np.isnan(there_and_back(float("nan")))
    assert np.isnan(there_and_back(np.float32("nan")))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(()),
        np.zeros((0, 3), dtype=np.uint8),
        np.arange(6.0).reshape(2, 3),
        np.arange(24).reshape(2, 3, 4)[:, ::2, ::-1],
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(4, dtype=">i4"),
        np.array([True, False]),
        np.array([1j], dtype=np.complex64),
        np.array(["no", "yes"]),
        np.array([["no", None], [3, "yes"]], dtype=object),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_arrays(array):
    back = there_and_back(array)
    np.testing.assert_array_equal(back, array)
    assert back.dtype == array.dtype.newbyteorder("=")
    assert back.flags.f_contiguous == array.flags.f_contiguous
    assert back.flags.writeable


def test_arrays_of_one_place_stay_apart():
    back = there_and_back({"a.b": np.zeros(1), "a": {"b": np.ones(1)}})
    assert (back["a.b"][0], back["a"]["b"][0]) == (0, 1)


def test_random_state_goes_on_where_it_was():
    random_state = np.random.RandomState(0)
    random_state.normal(size=3)
    back = there_and_back(random_state)
    np.testing.assert_array_equal(back.normal(size=5), random_state.normal(size=5))


def test_an_augmentation_is_an_estimator():
    written = Writer().write(Augmentation(rotation=10.0), "augmentation")
    assert written["$estimator"] == "segclf.data:Augmentation"
    assert written["parameters"]["rotation"] == 10.0


@pytest.mark.parametrize("code", [len, partial(len), str.upper, dict, lambda: 0], ids=repr)
def test_code_is_refused_by_the_name_of_its_parameter(code):
    estimator = SegmentationClassifier(segmenter=SupervisedSegmenter(schedule=code))
    with pytest.raises(TypeError, match=r"^Classifier\.segmenter\.schedule is code \(.+\), which"):
        Writer().write(estimator, "Classifier")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({1, 2}, r"Holder\.value is a builtins\.set; a file holds numbers"),
        ([0, object()], r"Holder\.value\[1\] is a builtins\.object"),
        (np.array(["2020-01-01"], dtype="M8[D]"), r"Holder\.value is an array of datetime64"),
        (np.array([object()]), r"Holder\.value\[0\] is a builtins\.object"),
        (np.longdouble(1), r"Holder\.value is a numpy\.(longdouble|float128)"),
    ],
    ids=["set", "object", "dates", "objects", "longdouble"],
)
def test_the_rest_is_refused(value, message):
    with pytest.raises(TypeError, match=message):
        Writer().write(Holder(value), "Holder")
