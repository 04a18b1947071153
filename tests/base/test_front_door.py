import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from segclf.base.front_door import check_weights, holds_images
from segclf.data import as_images


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((2, 4, 4)),
        np.zeros((2, 4, 4, 3)),
        torch.zeros(2, 3, 4, 4),
        [np.zeros((4, 4)), np.zeros((5, 4))],
        (np.zeros((4, 4, 3)),),
        ["a.png", "b.png"],
        np.array(["a.png", "b.png"]),
        np.array(["a.png", "b.png"], dtype=object),
        pd.Series(["a.png", "b.png"]),
        pd.DataFrame({"path": ["a.png", "b.png"]}),
        np.array([["a.png"], ["b.png"]], dtype=object),
        [Image.new("L", (4, 4))],
        [{"image": Image.new("L", (4, 4)), "label": 1}],
        [(torch.zeros(3, 4, 4), 1)],
        torch.utils.data.TensorDataset(torch.zeros(2, 3, 4, 4)),
        as_images(np.zeros((2, 4, 4))),
    ],
)
def test_images(X):
    assert holds_images(X)


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((2, 4)),
        np.zeros(3),
        [[1.0, 2.0], [3.0, 4.0]],
        [np.zeros(4), np.zeros(4)],
        pd.DataFrame({"a": [1.0], "b": [2.0]}),
        pd.DataFrame({"a": [1.0]}),
        np.array([[1.0], [2.0]], dtype=object),
        [(1.0, 2.0)],
        [],
        None,
        3.0,
    ],
)
def test_rows_and_what_scikit_learn_shall_refuse(X):
    assert not holds_images(X)


def test_weights():
    assert check_weights(None, 2) is None
    assert check_weights([1, 0.5], 2).dtype == np.float32


@pytest.mark.parametrize("weights", [2, 1e-3, [1, 1], np.full(2, 0.5), [3e-30, 3e-30]])
def test_equal_weights_are_no_weights(weights):
    assert check_weights(weights, 2) is None


@pytest.mark.parametrize("scale", [1, 1e-3, 7.3, 1 / 4])
def test_weights_are_one_in_the_mean_of_those_that_count(scale):
    given = scale * np.array([1, 0, 2, 0, 3.0])
    np.testing.assert_allclose(check_weights(given, 5), [0.5, 0, 1, 0, 1.5], rtol=1e-6)
    left_out = check_weights(scale * np.array([1, 0, 1, 0, 1.0]), 5)
    assert left_out.tolist() == [1, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, -1], r"must not be negative, but is -1.0 for sample 1"),
        ([0, 0], "zero"),
        ([1, 2, 3], "inconsistent"),
        ([[1], [2]], "1D"),
        ([1, np.nan], "NaN"),
    ],
)
def test_wrong_weights_say_what_is_wrong(weights, message):
    with pytest.raises(ValueError, match=message):
        check_weights(weights, 2)
