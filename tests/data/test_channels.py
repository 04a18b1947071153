"""Where the channels of arrays are: decided where there is no doubt, else asked for."""

import numpy as np
import pytest
import torch

from segclf.data import as_images

LAST = [(32, 32, c) for c in (1, 2, 3, 4, 5, 13, 16)] + [(4, 5, 3), (2, 9, 1), (6, 6, 5)]
ASKED = [(c, 32, 32) for c in (2, 3, 5, 13)] + [
    (32, 32, 32),
    (6, 7, 13),
    (64, 64, 40),
    (40, 64, 32),
]


@pytest.mark.parametrize("shape", LAST)
def test_last_where_there_is_no_doubt(shape):
    X = np.random.default_rng(0).random((2, *shape))
    for given in (X, list(X)):
        np.testing.assert_array_equal(as_images(given)[1], X[1])


@pytest.mark.parametrize("shape", ASKED)
def test_asked_for_otherwise(shape):
    X = np.random.default_rng(0).random((2, *shape))
    for given in (X, list(X)):
        with pytest.raises(ValueError, match=r"channels='last' or channels='first'.* volume"):
            as_images(given)
        np.testing.assert_array_equal(as_images(given, channels="last")[1], X[1])
        first = as_images(given, channels="first")
        assert first.n_channels == shape[0]
        np.testing.assert_array_equal(first[1], X[1].transpose(1, 2, 0))


def test_gray_arrays_tensors_and_rows_are_as_ever():
    for channels in (None, "first", "last"):
        assert as_images(np.zeros((2, 8, 9)), channels=channels)[0].shape == (8, 9, 1)
        assert as_images(torch.zeros(2, 5, 8, 9), channels=channels)[0].shape == (8, 9, 5)
        rows = as_images(np.zeros((2, 24)), image_shape=(2, 3, 4), channels=channels)
        assert rows[0].shape == (2, 3, 4)


def test_volumes_with_channels():
    with pytest.raises(ValueError, match=r"\(2, 3, 4, 5, 1\).* volumes, pass their slices"):
        as_images(np.zeros((2, 3, 4, 5, 1)))


@pytest.mark.parametrize("n_channels", [1, 3, 4])
def test_one_image_is_not_many_gray_ones(n_channels):
    X = np.zeros((30, 40, n_channels))
    with pytest.raises(ValueError, match=r"\(30, 40, .*one image.*30 gray ones.*X\[None\]"):
        as_images(X)
    assert as_images(X[None]).n_channels == n_channels
    assert len(as_images(X[..., None])) == 30


@pytest.mark.parametrize(
    "X", [np.zeros((8, 9, 3)), torch.zeros(3, 8, 9), np.zeros((8, 9, 3), "u1")]
)
def test_one_image_where_fit_saw_three_channels(X):
    with pytest.raises(ValueError, match=r"expected 3.*is one image, pass X\[None\]"):
        as_images(X, n_channels=3)
