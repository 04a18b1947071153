import io
import zipfile

import numpy as np
import pytest

from segclf import ImageClassifier
from segclf.datasets import load_medmnist

RNG = np.random.default_rng(0)


def _file(folder, shape=(6, 28, 28), labels=(6, 1), **changes):
    arrays = {}
    for subset in ("train", "val", "test"):
        arrays[f"{subset}_images"] = RNG.integers(0, 255, shape, dtype=np.uint8)
        arrays[f"{subset}_labels"] = RNG.integers(0, 2, labels, dtype=np.uint8)
    np.savez_compressed(folder / "a.npz", **{**arrays, **changes})
    return folder / "a.npz", arrays


@pytest.mark.parametrize("shape", [(6, 28, 28), (6, 28, 28, 3), (6, 9, 10, 11)])
@pytest.mark.parametrize("n_labels", [1, 14])
def test_arrays_come_back(tmp_path, shape, n_labels):
    path, arrays = _file(tmp_path, shape, (6, n_labels))
    for subset in ("train", "val", "test"):
        found = load_medmnist(path, subset=subset)
        np.testing.assert_array_equal(found.images, arrays[f"{subset}_images"])
        expected = arrays[f"{subset}_labels"]
        np.testing.assert_array_equal(found.target, expected[:, 0] if n_labels == 1 else expected)
        assert (len(found), found.masks) == (6, None)
    assert found.subset([3, 1]).names == ["test_3", "test_1"]


def test_it_is_ready_for_fit(tmp_path):
    found = load_medmnist(_file(tmp_path)[0], target_names=["well", "ill"])
    ImageClassifier(encoder="tiny", max_epochs=1).fit(found.images, found.target)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_images": np.zeros((6, 9), np.uint8)}, r"train_images is an array of uint8 of sh"),
        ({"train_images": np.zeros((6, 9, 9))}, "of float64"),
        ({"train_images": np.array([None] * 6)}, "train_images is object"),
        (
            {"train_labels": np.zeros((5, 1), int)},
            r"train_labels is .* \(5, 1\); expected .*\(6, k",
        ),
        ({"train_labels": np.zeros((6, 1))}, "train_labels is an array of float64"),
        ({"train_labels": np.zeros(6, int)}, r"of shape \(6,\)"),
    ],
)
def test_wrong_arrays(tmp_path, changes, message):
    with pytest.raises(ValueError, match=rf"a\.npz': .*{message}"):
        load_medmnist(_file(tmp_path, **changes)[0])


def _entry(shape, dtype="|u1", n_bytes=0):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    return header.getvalue() + bytes(n_bytes)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_entry((10**12, 28, 28)), r"is uint8 of shape \(1000000000000, 28, 28\)"),
        (_entry((2, 28, 28), n_bytes=9), r"is .* \(2, 28, 28\) by its header, but has 137 bytes"),
        (_entry((2,), "|O", n_bytes=16), "is object"),
        (b"\x93NUMPY\x01\x00", "is not a NumPy array"),
        (b"x" * 99, "is not a NumPy array"),
        (b"", "is not a NumPy array"),
    ],
)
def test_what_lies_about_its_size(tmp_path, content, message):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        file.writestr("train_images.npy", content)
    with pytest.raises(ValueError, match=rf"a\.npz': train_images {message}"):
        load_medmnist(tmp_path / "a.npz")


def test_wrong_files(tmp_path):
    path, _ = _file(tmp_path)
    with pytest.raises(ValueError, match=r"subset='x'; expected one of train, val, test"):
        load_medmnist(path, subset="x")
    np.savez(tmp_path / "b.npz", images=np.zeros(3))
    with pytest.raises(ValueError, match=r"b\.npz' has no train_images; it has images"):
        load_medmnist(tmp_path / "b.npz")
    (tmp_path / "c.npz").write_bytes(path.read_bytes()[:99])
    with pytest.raises(ValueError, match=r"c\.npz' is not a MedMNIST file"):
        load_medmnist(tmp_path / "c.npz")
    with pytest.raises(FileNotFoundError):
        load_medmnist(tmp_path / "d.npz")
    damaged = bytearray(path.read_bytes())
    damaged[200:260] = bytes(60)
    (tmp_path / "e.npz").write_bytes(damaged)
    with pytest.raises(ValueError, match=r"e\.npz'"):
        load_medmnist(tmp_path / "e.npz")
