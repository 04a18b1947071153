import importlib
import threading

import numpy as np
import pytest
from PIL import Image

from segclf.data import PathImages, as_images, read_ahead
from segclf.data.stored_images import StoredImages

ahead = importlib.import_module("segclf.data.read_ahead")


@pytest.fixture
def images(tmp_path):
    for number in range(20):
        array = np.full((4 + number % 3, 5), number, np.uint8)
        Image.fromarray(array).save(tmp_path / f"{number}.png")
    (tmp_path / "5.png").write_bytes(b"?")
    return as_images(PathImages([tmp_path / f"{number}.png" for number in range(20)]), n_channels=1)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_blocks_come_in_order_without_what_is_damaged(images, n_threads):
    found = list(read_ahead(images, [range(6), range(8, 11), range(19, 20)], n_threads=n_threads))
    assert [each.indices.tolist() for each in found] == [[0, 1, 2, 3, 4], [8, 9, 10], [19]]
    assert [each.block for each in found] == [0, 1, 2]
    assert list(found[0].errors) == [5]
    assert "Cannot read" in found[0].errors[5]
    for each in found:
        assert all(
            int(image[0, 0, 0]) == i for i, image in zip(each.indices, each.images, strict=True)
        )
        assert each.images.name(0).startswith(f"Image {each.indices[0]} (")
        assert each.images.sizes().tolist() == [[4 + i % 3, 5] for i in each.indices]


def test_large_images_come_in_parts_that_depend_on_them_alone(images, monkeypatch):
    monkeypatch.setattr(ahead, "_BYTES_AT_ONCE", 60)
    found = list(read_ahead(images, [range(10), range(10, 12)]))
    assert [len(each.images) for each in found] == [4, 3, 2, 2]
    assert [each.last for each in found] == [False, False, True, True]


class Counted(StoredImages):
    """Images of a KiB, of which it counts those that were read."""

    def __init__(self):
        super().__init__(1000)
        self.n_read, self.lock = 0, threading.Lock()

    def _key(self, row):
        return str(row)

    def _bytes(self, row):
        raise NotImplementedError

    def _image(self, row):
        with self.lock:
            self.n_read += 1
        return np.zeros((32, 32, 1), np.uint8)


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(ahead, "_BYTES_AHEAD", 32 * 1024)
    counted = Counted()
    images = as_images(counted, n_channels=1)
    seen = 0
    for read in read_ahead(images, [range(s, s + 8) for s in range(0, 1000, 8)], n_threads=2):
        seen += len(read.images)
        assert counted.n_read <= seen + 32 + 2 * 4
    assert seen == 1000
