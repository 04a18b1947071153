"""What X may be: each kind gives the same pixels; everything else says what to pass."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.utils import _safe_indexing
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from segclf.data import as_images

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6, 7, 3), dtype=np.uint8)


class Made(Dataset):
    """A Dataset that counts what it is asked for."""

    def __init__(self, make):
        self.make, self.asked = make, []

    def __len__(self):
        return len(PIXELS)

    def __getitem__(self, index):
        self.asked.append(index)
        return self.make(PIXELS[index])


def as_tensor(image):
    return torch.from_numpy(image).permute(2, 0, 1)


@pytest.fixture
def paths(tmp_path):
    for number, image in enumerate(PIXELS):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    return sorted(map(str, tmp_path.glob("*.png")))


ITEMS = {
    "arrays": lambda image: image,
    "tensors": as_tensor,
    "PIL images": Image.fromarray,
    "dicts": lambda image: {"image": Image.fromarray(image), "label": 1},
    "pairs": lambda image: (as_tensor(image), 1),
    "palette": lambda image: Image.fromarray(image).convert("RGBA"),
}


@pytest.mark.parametrize("make", ITEMS.values(), ids=ITEMS)
def test_lists_and_datasets(make):
    lazy = Made(make)
    for X in ([make(image) for image in PIXELS], lazy):
        images = as_images(X)
        assert images.n_channels == 3
        assert images.sizes().tolist() == [[6, 7]] * 4
        np.testing.assert_array_equal(np.stack(list(images.take([2, 0]))), PIXELS[[2, 0]])
    assert as_images([make(PIXELS[0])])[0].shape == (6, 7, 3)


def test_datasets_are_asked_when_images_are_taken():
    lazy = Made(as_tensor)
    images = as_images(lazy, n_channels=3)
    assert lazy.asked == []
    images.take([3, 1])
    assert lazy.asked == [3, 1]


def test_tables_and_columns_of_paths(paths):
    table = pd.DataFrame({"path": paths})
    objects = np.array(paths, dtype=object)[:, None]
    rows = [{"image": path} for path in paths]
    for X in (table, table["path"], objects, rows, list(zip(paths, range(4), strict=True))):
        np.testing.assert_array_equal(np.stack(list(as_images(X))), PIXELS)
    column = pd.DataFrame({"image": [*map(Image.fromarray, PIXELS)]})
    np.testing.assert_array_equal(np.stack(list(as_images(column))), PIXELS)


def test_polars(paths):
    polars = pytest.importorskip("polars")
    for X in (polars.Series(paths), polars.DataFrame({"path": paths})):
        part = _safe_indexing(X, np.array([2, 0]))
        np.testing.assert_array_equal(np.stack(list(as_images(part))), PIXELS[[2, 0]])


@pytest.mark.parametrize("rows", [[2, 0], np.array([2, 0]), slice(2, 4), np.arange(4) > 1])
def test_scikit_learn_cuts_images_without_opening_them(rows):
    lazy = Made(Image.fromarray)
    images = as_images(lazy, n_channels=3)
    part = _safe_indexing(images, rows)
    assert lazy.asked == []
    np.testing.assert_array_equal(np.stack(list(part)), PIXELS[rows])


def test_gray_pictures_among_rgb():
    pictures = [Image.fromarray(image) for image in PIXELS]
    pictures[0] = pictures[0].convert("L")
    images = as_images(pictures)
    assert images.n_channels == 3
    assert (images[0] == np.asarray(pictures[0])[..., None]).all()
    with pytest.raises(ValueError, match=r"Image 1 has 3 channels, but 1 are expected"):
        as_images(pictures, n_channels=1).take([1])


def test_pictures_are_read_as_files_are(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(PIXELS[0]).save(tmp_path / "a.jpg", exif=exif)
    for mode in ("1", "L", "P", "CMYK", "I;16"):
        Image.fromarray(PIXELS[0]).convert("L").convert(mode).save(tmp_path / f"{mode[0]}.tif")
    for path in tmp_path.iterdir():
        opened, read = as_images([Image.open(path)])[0], as_images([path])[0]
        assert opened.dtype == read.dtype
        np.testing.assert_array_equal(opened, read)


class Stream(IterableDataset):
    def __iter__(self) -> Iterator[torch.Tensor]:
        yield torch.zeros(3, 4, 4)


REFUSED = {
    "folder": (lambda folder: folder, r"a folder, .*sorted\(Path\(.*glob\('\*\.png'\)\)"),
    "glob": (lambda folder: f"{folder}/*.png", r"a pattern, .*sorted\(glob\.glob"),
    "path": (lambda folder: "a.png", r"one path, 'a\.png'; pass \[X\]"),
    "PIL image": (lambda folder: Image.new("L", (4, 4)), r"one PIL image; pass \[X\]"),
    "row": (lambda folder: {"image": 1}, r"one row, a dict; pass \[X\]"),
    "dict": (lambda folder: {"a": 1}, "X is a dict"),
    "generator": (lambda folder: (x for x in PIXELS), r"a generator, .*pass list\(X\)"),
    "DataLoader": (
        lambda folder: DataLoader(TensorDataset(torch.zeros(2, 3, 4, 4))),
        r"a DataLoader; .*X\.dataset",
    ),
    "IterableDataset": (lambda folder: Stream(), r"a Stream, .*pass list\(X\)"),
    "None": (lambda folder: None, "X is a NoneType"),
    "number": (lambda folder: 3.0, "X is a float"),
    "empty list": (lambda folder: [], "X is empty"),
    "two columns": (
        lambda folder: pd.DataFrame({"path": ["a.png"], "label": ["b"]}),
        r"table of 2 columns.*X\['path'\]",
    ),
    "dicts without an image": (lambda folder: [{"img": 1}], r"dict of \['img'\].*key 'image'"),
    "pairs of images": (lambda folder: [(PIXELS[0], PIXELS[1])], "tuple with several images"),
    "Dataset of texts": (lambda folder: Made(lambda image: 7), "Image 0 is a int"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_the_rest_names_what_to_pass(kind, tmp_path):
    make, message = REFUSED[kind]
    with pytest.raises(ValueError, match=message):
        as_images(make(tmp_path))


@pytest.mark.parametrize("kind", ["folder", "path", "None", "generator", "DataLoader"])
def test_the_rest_names_what_is_accepted(kind, tmp_path):
    with pytest.raises(ValueError, match=r"Expected arrays .*paths, of PIL images.*Dataset"):
        as_images(REFUSED[kind][0](Path(tmp_path)))
