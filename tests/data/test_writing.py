import numpy as np
import pytest

from segclf.data import load_image, load_mask, save_image, save_mask
from segclf.hookspecs import ImageData

PICTURES = [
    (".png", "uint8", 1),
    (".png", "uint8", 3),
    (".png", "uint16", 1),
    (".png", "uint16", 3),
    (".png", "bool", 1),
    (".tif", "uint8", 3),
    (".tif", "uint16", 1),
    (".tif", "float32", 1),
    (".tif", "int32", 1),
    (".nii", "int16", 1),
    (".nii.gz", "float32", 1),
]


def _image(dtype, shape):
    return np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 200, shape).astype(dtype)


@pytest.mark.parametrize(("suffix", "dtype", "n_channels"), PICTURES)
def test_pictures_are_read_as_they_were_written(tmp_path, suffix, dtype, n_channels):
    image = _image(dtype, (5, 7, n_channels))
    save_image(tmp_path / f"a{suffix}", ImageData(image, "hwc"))
    read = load_image(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(read.array, image)
    assert (read.array.dtype, read.axes) == (image.dtype, "hwc")


@pytest.mark.parametrize(("suffix", "n_channels"), [(".tif", 1), (".nii.gz", 1), (".nii", 3)])
def test_volumes_are_read_as_they_were_written(tmp_path, suffix, n_channels):
    volume = _image("int16", (4, 5, 7, n_channels))
    save_image(tmp_path / f"a{suffix}", ImageData(volume, "dhwc", (3.0, 0.5, 0.75)))
    read = load_image(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(read.array, volume)
    if suffix != ".tif":
        assert read.spacing == pytest.approx((3.0, 0.5, 0.75))


def test_affine_is_kept(tmp_path):
    affine = np.diag([3.0, 0.5, 0.75, 1])[[2, 1, 0, 3]]
    affine[:3, 3] = 10, -20, 30
    image = ImageData(_image("uint8", (4, 5, 7, 1)), "dhwc", None, affine)
    save_image(tmp_path / "a.nii", image)
    read = load_image(tmp_path / "a.nii")
    np.testing.assert_allclose(read.affine, affine)
    np.testing.assert_array_equal(read.array, image.array)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".nii.gz"])
@pytest.mark.parametrize("shape", [(5, 7), (4, 5, 7)])
def test_ids_are_read_as_they_were_written(tmp_path, suffix, shape):
    mask = np.random.default_rng(0).integers(-1 if suffix != ".png" else 0, 255, shape)
    path, n_spatial = tmp_path / f"a{suffix}", len(shape)
    if suffix == ".png" and n_spatial == 3:
        with pytest.raises(ValueError, match=r"can hold one picture.*\('d', 'h', 'w'\)"):
            save_mask(path, mask, n_spatial=3)
        return
    save_mask(path, mask, n_spatial=n_spatial)
    np.testing.assert_array_equal(load_mask(path).array, mask)


def test_a_mask_lies_where_its_image_does(tmp_path):
    affine = np.diag([-3.0, 0.5, -0.75, 1])[[2, 1, 0, 3]]
    volume = ImageData(_image("int16", (4, 5, 7, 1)), "dhwc", None, affine)
    save_image(tmp_path / "a.nii", volume)
    like = load_image(tmp_path / "a.nii")
    mask = (like.array[..., 0] > 90).astype(int)
    save_mask(tmp_path / "b.nii.gz", mask, like=tmp_path / "a.nii", n_spatial=3)
    read = load_mask(tmp_path / "b.nii.gz")
    np.testing.assert_array_equal(read.array, mask)
    np.testing.assert_allclose(read.affine, like.affine)
    with pytest.raises(ValueError, match=r"shape \(3, 5, 7\), but its image has \(4, 5, 7\)"):
        save_mask(tmp_path / "c.nii", mask[1:], like=tmp_path / "a.nii", n_spatial=3)


def test_what_cannot_be_held_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"No plugin writes files such as '.*\.dcm'"):
        save_mask(tmp_path / "a.dcm", np.zeros((4, 4)))
    with pytest.raises(ValueError, match=r"end in '\.jpg' cannot hold .*nothing"):
        save_mask(tmp_path / "a.jpg", np.zeros((4, 4)))
    with pytest.raises(ValueError, match=r"'\.png' cannot hold int16.*uint16"):
        save_mask(tmp_path / "a.png", np.full((4, 4), -1))
    with pytest.raises(ValueError, match="ids from 0 to 254"):
        save_mask(tmp_path / "a.png", np.full((4, 4), 255))
    with pytest.raises(ValueError, match=r"\(2, 3, 4, 4\); expected"):
        save_mask(tmp_path / "a.png", np.zeros((2, 3, 4, 4)))
    with pytest.raises(ValueError, match=r"have one channel; got 2"):
        save_image(tmp_path / "a.nii", ImageData(np.zeros((4, 5, 2), np.float32), "hwc"))
    assert list(tmp_path.iterdir()) == []
