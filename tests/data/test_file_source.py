"""Files are lazy: nothing is decoded at the door, and nothing is kept."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from PIL import Image

import segclf.data.file_source as file_source
from segclf.data.images import as_images


@pytest.fixture
def counts(monkeypatch):
    """Count calls of the two readers."""
    counts = {"read_image": 0, "read_image_header": 0}

    def counted(name):
        read = getattr(file_source, name)

        def wrapper(path, **options):
            counts[name] += 1
            return read(path, **options)

        return wrapper

    for name in counts:
        monkeypatch.setattr(file_source, name, counted(name))
    return counts


def save(path, mode="L", size=(5, 4), value=0):
    Image.new(mode, size, value).save(path)
    return str(path)


def test_the_door_decodes_nothing(tmp_path, counts):
    images = as_images([save(tmp_path / "a.png")] * 100)
    assert len(images) == 100
    assert counts == {"read_image": 0, "read_image_header": 100}
    images.take([3, 4])
    assert counts == {"read_image": 2, "read_image_header": 100}


def test_the_door_opens_nothing_where_the_channels_are_known(tmp_path, counts):
    images = as_images([save(tmp_path / "a.png")] * 100, n_channels=1)
    assert images.subset(range(50)).size is None
    assert counts == {"read_image": 0, "read_image_header": 0}


def test_sizes_come_from_headers_once(tmp_path, counts):
    paths = [save(tmp_path / f"{i}.png", size=(5, 4)) for i in range(3)]
    images = as_images([*paths, save(tmp_path / "3.png", size=(7, 6))], n_channels=1)
    assert images.size is None
    assert images.subset([0, 2]).sizes().tolist() == [[4, 5]] * 2
    assert images.subset([0, 2]).size == (4, 5)
    assert images.sizes().tolist() == [[4, 5]] * 3 + [[6, 7]]
    assert images.sizes().tolist() == [[4, 5]] * 3 + [[6, 7]]
    assert images.size is None
    assert counts == {"read_image": 0, "read_image_header": 4}


def test_memory_stays_flat(tmp_path):
    array = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    paths = []
    for number in range(64):
        paths.append(str(tmp_path / f"{number}.png"))
        cv2.imwrite(paths[-1], array)
    images = as_images(paths)
    images.take([0])
    tracemalloc.start()
    for start in range(0, 64, 4):
        images.take(range(start, start + 4))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * array.nbytes  # a batch of 4, the one before it, and the decoder's own


def test_16_bit_files_are_exact(tmp_path):
    arrays = np.random.default_rng(0).integers(0, 65536, (2, 6, 7, 3), dtype=np.uint16)
    paths = [str(tmp_path / "0.png"), str(tmp_path / "1.tif")]
    for path, array in zip(paths, arrays, strict=True):
        cv2.imwrite(path, array[..., ::-1])
    for image, array in zip(as_images(paths).take([0, 1]), arrays, strict=True):
        np.testing.assert_array_equal(image, array)


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_gray_among_colour_is_repeated(tmp_path, order):
    paths = [save(tmp_path / "0.png", "RGB", value=(1, 2, 3)), save(tmp_path / "1.png", value=9)]
    images = as_images([paths[i] for i in order])
    assert images.n_channels == 3
    gray = images[order.index(1)]
    assert gray.shape == (4, 5, 3)
    assert (gray == 9).all()
    assert images.sizes().tolist() == [[4, 5]] * 2
    assert as_images(paths[1:], n_channels=3)[0].shape == (4, 5, 3)


@pytest.mark.parametrize(
    "call", [lambda images: images.take([0, 1]), lambda images: images.sizes()]
)
def test_colour_where_gray_is_asked_for_names_both(tmp_path, call):
    paths = [save(tmp_path / "a.png"), save(tmp_path / "b.png", "RGB")]
    with pytest.raises(ValueError, match=r"Image 1 .* 3 channels.*n_channels=1"):
        call(as_images(paths, n_channels=1))


def test_nan_in_files_is_found_when_taken(tmp_path):
    paths = [str(tmp_path / f"{i}.tif") for i in range(2)]
    for path, value in zip(paths, [0, np.nan], strict=True):
        Image.fromarray(np.full((3, 4), value, dtype=np.float32)).save(path)
    images = as_images(paths)
    images.take([0])
    with pytest.raises(ValueError, match=r"Image 1 .*1\.tif.* contains NaN"):
        images.take([1])


def test_errors_give_number_and_path(tmp_path):
    paths = [save(tmp_path / f"{i}.png") for i in range(3)]
    images = as_images(paths)
    (tmp_path / "1.png").write_bytes(b"rubbish")
    (tmp_path / "2.png").unlink()
    with pytest.raises(ValueError, match=r"Image 1: .*1\.png.*written to"):
        images.subset([0, 1]).take([1])
    with pytest.raises(ValueError, match=r"Image 2: .*2\.png.*removed"):
        images.take([2])
    with pytest.raises(ValueError, match=r"Image 1: Cannot read .*1\.png.*not a PNG, JPEG, TIFF"):
        as_images(paths[:2])
    with pytest.raises(ValueError, match=r"Image 2: there is no file .*2\.png"):
        as_images(paths)


def test_a_reader_is_for_paths(tmp_path):
    path = save(tmp_path / "a.scan.png")
    assert as_images([path], reader="raster").size == (4, 5)
    for X in (np.zeros((2, 8, 9)), as_images([path]), [Image.new("L", (5, 4))]):
        with pytest.raises(ValueError, match="reader='raster' is for paths"):
            as_images(X, reader="raster")


def test_damaged_first_file(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"Image 0: Cannot read .*a\.png"):
        as_images([tmp_path / "a.png"])


def test_threads_decode_alike(tmp_path):
    arrays = np.random.default_rng(0).integers(0, 65536, (8, 16, 17, 3), dtype=np.uint16)
    paths = [str(tmp_path / f"{i}.{'png' if i % 2 else 'tif'}") for i in range(8)]
    for path, array in zip(paths, arrays, strict=True):
        cv2.imwrite(path, array[..., ::-1])
    images = as_images(paths)
    level = cv2.utils.logging.getLogLevel()
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda i: images[i % 8], range(64)))
    for number, image in enumerate(results):
        np.testing.assert_array_equal(image, arrays[number % 8])
    assert cv2.utils.logging.getLogLevel() == level
