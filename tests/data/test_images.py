import os

import numpy as np
import pytest
import torch
from PIL import Image

from segclf.data.arrays import to_float
from segclf.data.images import Images, as_images

DTYPES = ["?", "u1", "u2", "i1", "i2", "i4", "i8", "u4", "u8", "f2", "f4", "f8", ">u2", ">f4"]


def random(shape, dtype=np.uint8, seed=0):
    return np.random.default_rng(seed).integers(0, 100, shape).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(5, 6, 7), (5, 6, 7, 1), (5, 6, 7, 3), (5, 16, 17, 13)])
def test_arrays_keep_type_and_values(dtype, shape):
    X = random(shape, dtype)
    images = as_images(X)
    expected = X if X.ndim == 4 else X[..., None]
    assert len(images) == 5
    assert images.size == shape[1:3]
    assert images.n_channels == expected.shape[3]
    batch = images.take([3, 0, 3])
    assert isinstance(batch, np.ndarray)
    np.testing.assert_array_equal(batch, expected[[3, 0, 3]])
    np.testing.assert_array_equal(images[-1], expected[4])
    assert batch.dtype == images[0].dtype == np.dtype(dtype).newbyteorder("=")


def test_arrays_are_not_copied_but_batches_are():
    X = random((5, 6, 7, 3))
    images = as_images(X)
    images.take([0])[:] = 200
    images[1][:] = 200
    assert X.max() < 100
    X[2] = 77
    assert (images[2] == 77).all()


def test_memmap_stays_in_its_file(tmp_path):
    X = np.memmap(tmp_path / "x", dtype=np.float32, mode="w+", shape=(4, 5, 6))
    images = as_images(X)
    X[1, 2, 3] = 7
    assert images.take([1])[0, 2, 3, 0] == 7
    X[3, 0, 0] = np.nan
    assert np.isfinite(images.take([0, 1, 2])).all()
    with pytest.raises(ValueError, match="Image 3 contains NaN"):
        images.subset([1, 3]).take([0, 1])


def test_views_of_memmaps_are_not_scanned_at_the_door(tmp_path):
    X = np.memmap(tmp_path / "x", dtype=np.float32, mode="w+", shape=(4, 5, 6))
    X[3, 0, 0] = np.inf
    images = as_images(np.asarray(X[1:]))
    with pytest.raises(ValueError, match="Image 2 contains infinity"):
        images.take([2])


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(4, 5, 6), (4, 1, 5, 6), (4, 3, 5, 6)])
def test_tensors_have_channels_first(dtype, shape):
    values = random(shape)
    images = as_images(torch.from_numpy(values).to(dtype))
    expected = values.reshape(4, -1, 5, 6).transpose(0, 2, 3, 1)
    assert images.size == (5, 6)
    assert images.n_channels == expected.shape[3]
    assert images.sizes().tolist() == [[5, 6]] * 4
    np.testing.assert_array_equal(images.take([2, 0]), expected[[2, 0]])
    np.testing.assert_array_equal(images[1], expected[1])


def test_tensor_that_requires_gradients():
    assert as_images(torch.zeros(2, 3, 4, 5, requires_grad=True))[0].shape == (4, 5, 3)


SIZES = [(4, 5), (6, 3), (4, 5)]


@pytest.mark.parametrize("container", [list, tuple, "object array"])
@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_lists_of_different_sizes(container, channels):
    arrays = [random((*size, *channels), np.uint16, seed=size[0]) for size in SIZES]
    X = object_array(arrays) if container == "object array" else container(arrays)
    images = as_images(X)
    assert images.size is None
    assert images.sizes().tolist() == [list(size) for size in SIZES]
    taken = images.take([2, 1])
    assert isinstance(taken, list)
    for array, expected in zip(taken, [arrays[2], arrays[1]], strict=True):
        np.testing.assert_array_equal(array, expected.reshape(*expected.shape[:2], -1))
        assert array.dtype == np.uint16
    assert images.subset([0, 2]).size == (4, 5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_lists_of_tensors(dtype):
    tensors = [torch.rand(3, *size).to(dtype) for size in SIZES] + [torch.rand(3, 2, 2).to(dtype)]
    images = as_images(tensors)
    assert images.sizes()[1].tolist() == [6, 3]
    np.testing.assert_array_equal(images[1], tensors[1].float().permute(1, 2, 0).numpy())
    images[1][:] = 9
    assert tensors[1].max() <= 1
    assert as_images([torch.zeros(4, 5)])[0].shape == (4, 5, 1)


def test_rows_take_their_shape():
    X = random((4, 12), np.float64)
    assert as_images(X)[0].shape == (1, 12, 1)
    np.testing.assert_array_equal(as_images(X, image_shape=(3, 4))[1][..., 0], X[1].reshape(3, 4))
    colour = as_images(X, image_shape=(2, 2, 3))
    np.testing.assert_array_equal(colour[1], X[1].reshape(2, 2, 3))
    assert as_images(X.tolist())[0].shape == (1, 12, 1)
    with pytest.raises(ValueError, match=r"image_shape=\(3, 5\).*rows of 12"):
        as_images(X, image_shape=(3, 5))


class Series:
    """As much of pandas and polars as the door uses."""

    def __init__(self, values):
        self.values = object_array(values)

    def to_numpy(self):
        return self.values

    def isna(self):
        return [value is None or isinstance(value, float) for value in self.values]


def object_array(values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def test_subsets_of_subsets():
    X = random((6, 2, 2))
    part = as_images(X).subset([5, 3, 1]).subset(np.array([2, 0]))
    assert len(part) == 2
    np.testing.assert_array_equal(part.take([0, 1])[..., 0], X[[1, 5]])
    assert [image[0, 0, 0] for image in part] == [X[1, 0, 0], X[5, 0, 0]]


def test_images_pass_through_the_door_again():
    images = as_images(random((2, 4, 4, 3)))
    assert as_images(images) is images
    with pytest.raises(ValueError, match=r"3 channel\(s\).*expected 1"):
        as_images(images, n_channels=1)


def nan_at(shape, index, value=np.nan):
    X = np.zeros(shape, dtype=np.float32)
    X[index] = value
    return X


WRONG = [
    (np.zeros((0, 4, 4)), r"empty, of shape \(0, 4, 4\)"),
    ([], "X is empty"),
    (np.zeros((2, 0, 4)), r"empty, of shape \(2, 0, 4\)"),
    (np.zeros((2, 4, 4, 0)), "empty"),
    ([np.zeros((4, 4)), np.zeros((0, 4))], "Image 1 has 1 channels of 0 x 4 pixels"),
    (np.zeros((2, 4, 4), dtype=complex), "complex128"),
    (np.zeros((2, 4, 4), dtype=object), "dtype object"),
    (np.zeros((2, 4, 4), dtype="M8[s]"), "datetime64"),
    (np.zeros(4), r"shape \(4,\)"),
    (np.zeros((2, 3, 4, 5, 6)), r"shape \(2, 3, 4, 5, 6\)"),
    (torch.zeros(2, 700, 3, 4), "700 channels of 3 x 4 pixels; are its channels last"),
    (np.zeros((2, 3, 32, 32)), r"\(2, 3, 32, 32\): 32 channels of 3 x 32 pixels, or 3 of 32 x 32"),
    (torch.zeros(2, 32, 32, 3), r"are its channels last\? Torch tensors must be \(n, c, h, w\)"),
    ([np.zeros((3, 32, 32))], r"Image 0 has shape \(3, 32, 32\).*channels='first'"),
    ([np.zeros((4, 4)), np.zeros((4, 4, 3))], r"Image 1 has 3 channel\(s\), image 0 has 1"),
    (
        [np.zeros((4, 4)), torch.zeros(1, 4, 4)],
        "numpy array, image 1 is a torch tensor",
    ),
    ([np.zeros((4, 4)), "a.png"], "image 0 is a numpy array, image 1 is a path"),
    ([np.zeros((4, 4)), None], "Image 1 is a NoneType"),
    ([np.zeros((4, 4)), np.zeros(4)], r"Image 1 has shape \(4,\)"),
    ([np.zeros((4, 4)), np.zeros((4, 4), dtype=complex)], "Image 1 has dtype complex128"),
    ([torch.zeros(4, 4, dtype=torch.complex64)], "Image 0 has dtype torch.complex64"),
    (torch.zeros(2, 3, 4, 4, dtype=torch.complex64), "complex64"),
    ([[1, 2], [3]], "ragged"),
    (None, "X is a NoneType"),
    ("a.png", r"X is one path, 'a.png'; pass \[X\]"),
    ({"a": 1}, "X is a dict"),
    (nan_at((3, 4, 4), (2, 1, 1)), "Image 2 contains NaN"),
    (nan_at((3, 4, 4, 3), (1, 1, 1, 2), -np.inf), "Image 1 contains infinity"),
    (nan_at((3, 4), (1, 1)), "Image 1 contains NaN"),
    ([np.zeros((4, 4)), nan_at((4, 4), (0, 0))], "Image 1 contains NaN"),
    (torch.from_numpy(nan_at((3, 2, 4, 4), (2, 1, 1, 1))), "Image 2 contains NaN"),
    (torch.full((2, 1, 4, 4), torch.nan, dtype=torch.bfloat16), "Image 0 contains NaN"),
    ([torch.zeros(4, 4), torch.full((4, 4), torch.inf)], "Image 1 contains infinity"),
    (["a.xyz"], r"Image 0: No reader for 'a\.xyz'"),
    (np.array(["no/such.png"]), r"Image 0: there is no file 'no/such\.png'"),
]


@pytest.mark.parametrize(("X", "message"), WRONG, ids=range(len(WRONG)))
def test_errors_say_what_was_given(X, message):
    with pytest.raises(ValueError, match=message):
        as_images(X)


def test_nan_is_found_behind_the_first_chunk(monkeypatch):
    monkeypatch.setattr("segclf.data.arrays._CHUNK_BYTES", 200)
    with pytest.raises(ValueError, match="Image 7 contains NaN"):
        as_images(nan_at((9, 4, 4), (7, 3, 3)))


def test_series_of_arrays():
    images = as_images(Series([np.ones((2, 3)), np.zeros((4, 5))]))
    assert images.sizes().tolist() == [[2, 3], [4, 5]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_to_float_agrees_with_float_pictures(dtype):
    top = np.iinfo(dtype).max
    array = np.arange(top + 1, dtype=dtype)
    result = to_float(array)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, (array / float(top)).astype(np.float32))


def test_to_float_leaves_other_types():
    assert to_float(np.array([False, True])).tolist() == [0, 1]
    assert to_float(np.array([-3, 70000])).tolist() == [-3, 70000]
    assert to_float(np.array([2.5, -1])).dtype == np.float32


def test_paths_as_str_pathlike_and_string_arrays(tmp_path):
    for number in range(2):
        Image.new("L", (5, 4), number).save(tmp_path / f"{number}.png")
    paths = [tmp_path / "0.png", tmp_path / "1.png"]
    text = [os.fspath(path) for path in paths]
    for X in (paths, text, tuple(text), np.array(text), object_array(paths), Series(text)):
        images = as_images(X)
        assert [int(image[0, 0, 0]) for image in images] == [0, 1]


def test_pandas_series(tmp_path):
    pandas = pytest.importorskip("pandas")
    assert as_images(pandas.Series([np.ones((2, 3))]))[0].shape == (2, 3, 1)


@pytest.mark.parametrize("as_given", [np.asarray, list], ids=["array", "list"])
def test_channels_of_maps_come_first(as_given):
    maps = np.random.default_rng(0).random((3, 2, 4, 5))
    images = Images.from_maps(as_given(maps))
    assert (len(images), images.n_channels, images.size) == (3, 2, (4, 5))
    np.testing.assert_array_equal(images[1], maps[1].transpose(1, 2, 0))


def test_maps_may_have_the_channels_of_embeddings():
    """As images of a user, 2048 channels of 7 x 7 pixels would be refused."""
    assert Images.from_maps(np.zeros((2, 2048, 7, 7))).n_channels == 2048
