"""What no network can compute with is refused, by number and value."""

import numpy as np
import pytest
import torch
from PIL import Image

from segclf.data import as_images

NO_DATA = [np.finfo(np.float32).min, 1e38, -1e20]


@pytest.mark.parametrize("value", NO_DATA)
@pytest.mark.parametrize("kind", [np.asarray, list, torch.from_numpy])
def test_no_data(kind, value):
    X = np.zeros((3, 4, 4), dtype=np.float32)
    X[1, 2, 3] = value
    with pytest.raises(ValueError, match=r"Image 1 contains .*e\+\d\d; expected numbers up to 1e"):
        as_images(kind(X))


def test_no_data_in_rows_of_double_precision_and_half():
    with pytest.raises(ValueError, match=r"Image 1 contains 1e\+39"):
        as_images(np.array([[0, 1], [1e39, 2]]))
    assert len(as_images(np.full((2, 4, 4), 6e4, dtype=np.float16))) == 2


def test_no_data_in_files_and_memory_maps(tmp_path):
    values = np.zeros((3, 4), dtype=np.float32)
    values[1, 2] = NO_DATA[0]
    Image.fromarray(values).save(tmp_path / "a.tif")
    mapped = np.memmap(tmp_path / "x", dtype=np.float32, mode="w+", shape=(1, 3, 4))
    mapped[0] = values
    for X in ([tmp_path / "a.tif"], mapped):
        images = as_images(X)
        with pytest.raises(ValueError, match=r"Image 0.* contains -3\.403e\+38"):
            images.take([0])


def test_large_but_sound():
    assert as_images(np.full((1, 2, 2), -1e15))[0].min() == -1e15


def test_masked_arrays():
    X = np.ma.masked_greater(np.arange(32.0).reshape(2, 4, 4), 30)
    for given in (X, list(X)):
        with pytest.raises(ValueError, match=r"Image 1 is a masked array with 1 masked .*filled"):
            as_images(given)
    assert as_images(X.filled(0))[1].max() == 30
    assert as_images(X[:1])[0].max() == 15
