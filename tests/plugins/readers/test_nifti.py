"""NIfTI files are read as nibabel reads them, turned to the closest canonical orientation."""

import gzip
import io
import itertools
import pathlib
import tracemalloc

import numpy as np
import pytest

from segclf.data import (
    as_images,
    as_masks,
    check_mask_sizes,
    load_header,
    load_image,
    load_mask,
    slice_paths,
)
from segclf.registry import make_plugin
from segclf.testing import check_reader

nibabel = pytest.importorskip("nibabel")
from nibabel.orientations import inv_ornt_aff  # noqa: E402
from segclf_plugins.readers import write_nifti_mask  # noqa: E402

SHAPE = (3, 4, 5)
VALUES = np.random.default_rng(0).integers(-1000, 1000, SHAPE).astype(np.int16)
AFFINE = np.array([[0.5, 0.05, 0, -7], [-0.05, 0.6, 0.1, 3], [0, -0.1, 2.5, 11], [0, 0, 0, 1]])
ORIENTATIONS = [
    np.stack([axes, flips], axis=1)
    for axes in itertools.permutations(range(3))
    for flips in itertools.product([1, -1], repeat=3)
]


def save(path, values=VALUES, affine=AFFINE, kind=nibabel.Nifti1Image, **header):
    image = kind(values, affine)
    for name, value in header.items():
        image.header[name] = value
    nibabel.save(image, path)
    return path


def canonical(path):
    """Nibabel's own reading, as (d, h, w), and its affine from there."""
    image = nibabel.as_closest_canonical(nibabel.load(path))
    return image.get_fdata().T, image.affine[:, [2, 1, 0, 3]]


@pytest.mark.parametrize("orientation", ORIENTATIONS, ids=lambda o: str(o.ravel().tolist()))
def test_all_orientations(tmp_path, orientation):
    values = nibabel.orientations.apply_orientation(VALUES, orientation)
    affine = AFFINE @ inv_ornt_aff(orientation, SHAPE)
    path = save(tmp_path / "a.nii", values, affine)
    expected, expected_affine = canonical(path)
    image, header = load_image(path), load_header(path)
    np.testing.assert_array_equal(image.array[..., 0], expected)
    np.testing.assert_array_equal(image.array[..., 0], VALUES.T)
    np.testing.assert_allclose(header.affine, expected_affine, atol=1e-5)
    np.testing.assert_allclose(header.affine, AFFINE[:, [2, 1, 0, 3]], atol=1e-5)
    assert (header.depth, header.height, header.width) == (5, 4, 3)
    np.testing.assert_allclose(header.spacing, np.linalg.norm(AFFINE[:3, [2, 1, 0]], axis=0), 1e-6)
    for z in (0, 3, 4):
        part = load_image(f"{path}[z={z}]")
        np.testing.assert_array_equal(part.array[..., 0], expected[z])
        np.testing.assert_allclose(part.affine @ [0, 1, 2, 1], header.affine @ [z, 1, 2, 1])
    write_nifti_mask(tmp_path / "m.nii.gz", VALUES.T % 3, path)
    written = nibabel.load(tmp_path / "m.nii.gz")
    np.testing.assert_array_equal(written.get_fdata(), values % 3)
    np.testing.assert_array_equal(written.affine, nibabel.load(path).affine)
    np.testing.assert_array_equal(load_mask(tmp_path / "m.nii.gz").array, VALUES.T % 3)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", ["u1", "i1", "<u2", ">i2", "<i4", ">u4", "<i8", ">f4", "<f8"])
def test_types_are_the_files_own(tmp_path, dtype, suffix):
    values = (VALUES % 100).astype(dtype)
    header = nibabel.Nifti1Header(endianness=">" if dtype[0] == ">" else "<")
    header.set_data_dtype(dtype)
    image = nibabel.Nifti1Image(values, AFFINE, header)
    nibabel.save(image, tmp_path / f"a{suffix}")
    array = load_image(tmp_path / f"a{suffix}").array
    assert array.dtype == np.dtype(dtype).newbyteorder("=")
    assert array.dtype.isnative
    np.testing.assert_array_equal(array[..., 0], (VALUES % 100).T)


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_slope_and_intercept(tmp_path, kind):
    path = tmp_path / "a.nii.gz"
    data = bytearray(kind(VALUES, np.eye(4)).to_bytes())
    header = kind.header_class.from_fileobj(io.BytesIO(data))
    header["scl_slope"], header["scl_inter"] = 0.125, -1024
    data[: len(header.binaryblock)] = header.binaryblock
    path.write_bytes(gzip.compress(bytes(data)))
    array = load_image(path).array
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array[..., 0], canonical(path)[0].astype(np.float32))
    np.testing.assert_array_equal(load_image(f"{path}[z=2]").array, array[2])
    check_reader(make_plugin("reader", "nifti"), path)


def test_channels_colours_and_images(tmp_path):
    generator = np.random.default_rng(0)
    many = generator.integers(0, 99, (3, 4, 5, 6)).astype(np.uint8)
    array = load_image(save(tmp_path / "4d.nii", many)).array
    np.testing.assert_array_equal(array, many.transpose(2, 1, 0, 3))
    np.testing.assert_array_equal(load_image(f"{tmp_path}/4d.nii[z=1]").array, array[1])
    vectors = load_image(save(tmp_path / "5d.nii", many[:, :, :, None])).array
    np.testing.assert_array_equal(vectors, array)
    colours = np.zeros(SHAPE, dtype=[(name, "u1") for name in "RGB"])
    for name in "RGB":
        colours[name] = generator.integers(0, 256, SHAPE)
    array = load_image(save(tmp_path / "rgb.nii.gz", colours)).array
    for channel, name in enumerate("RGB"):
        np.testing.assert_array_equal(array[..., channel], colours[name].T)
    np.testing.assert_array_equal(load_image(f"{tmp_path}/rgb.nii.gz[z=1]").array, array[1])
    flat = load_image(save(tmp_path / "2d.nii", VALUES[..., 0]))
    assert (flat.axes, flat.array.shape) == ("hwc", (4, 3, 1))
    assert as_images([tmp_path / "2d.nii"]).size == (4, 3)
    write_nifti_mask(tmp_path / "2m.nii", VALUES[..., 0].T % 2, tmp_path / "2d.nii")
    np.testing.assert_array_equal(load_mask(tmp_path / "2m.nii").array, VALUES[..., 0].T % 2)
    for shape in ((3, 4, 5, 2, 2), (3, 4, 5, 1, 1, 2, 3)):
        with pytest.raises(ValueError, match=r"7d\.nii.*axes have the lengths"):
            load_image(save(tmp_path / "7d.nii", np.zeros(shape, np.uint8)))
    with pytest.raises(ValueError, match=r"c\.nii.*complex64; expected real numbers"):
        load_image(save(tmp_path / "c.nii", VALUES.astype(np.complex64)))


FILES = sorted((pathlib.Path(nibabel.__file__).parent / "tests" / "data").glob("*.nii*"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nibabels_own_files(path):
    try:
        expected, affine = canonical(path)
    except Exception:
        pytest.skip("nibabel does not turn it")
    image = load_image(path)
    array = image.array[..., 0] if image.array.shape[-1] == 1 else image.array
    if expected.ndim > 3:
        expected = np.moveaxis(expected.reshape(-1, *expected.shape[-3:]), 0, -1)
        expected = expected[..., 0] if expected.shape[-1] == 1 else expected
    np.testing.assert_array_equal(array, expected.astype(array.dtype))
    np.testing.assert_allclose(image.affine, affine, rtol=1e-6)


def test_masks_must_lie_where_their_images_do(tmp_path):
    image = save(tmp_path / "a.nii.gz")
    write_nifti_mask(tmp_path / "m.nii.gz", VALUES.T % 2, image)
    moved = AFFINE.copy()
    moved[2, 3] += 2.5
    save(tmp_path / "n.nii.gz", (VALUES % 2).astype(np.uint8), moved)
    paths = slice_paths(image)
    images = as_images(paths)
    good = as_masks(slice_paths(tmp_path / "m.nii.gz"), 5)
    check_mask_sizes(images, good)
    np.testing.assert_array_equal(good[2], VALUES.T[2] % 2)
    with pytest.raises(ValueError, match=r"Mask 0 .*n\.nii\.gz.* 2\.5 mm from .*a\.nii\.gz"):
        check_mask_sizes(images, as_masks(slice_paths(tmp_path / "n.nii.gz"), 5))
    with pytest.raises(ValueError, match=r"Mask 0 .*z=1.* 2\.5 mm"):
        check_mask_sizes(images, as_masks([*slice_paths(tmp_path / "m.nii.gz")[1:], None], 5))
    check_mask_sizes(images, as_masks([VALUES.T[z] % 2 for z in range(5)], 5))


def test_masks_that_are_written(tmp_path):
    image = save(tmp_path / "a.nii", descrip=b"DOE^JOHN", db_name=b"DOE^JOHN")
    mask = VALUES.T % 3 - 1
    write_nifti_mask(tmp_path / "m.nii", mask, image)
    assert b"DOE" not in (tmp_path / "m.nii").read_bytes()
    assert nibabel.load(tmp_path / "m.nii").get_data_dtype() == np.int16
    np.testing.assert_array_equal(load_mask(tmp_path / "m.nii").array, mask)
    many = np.stack([VALUES.T % 2, VALUES.T % 3 == 0])
    write_nifti_mask(tmp_path / "k.nii", many, image)
    stored = nibabel.load(tmp_path / "k.nii").get_fdata()
    np.testing.assert_array_equal(stored.transpose(3, 2, 1, 0), many)
    for wrong, message in (
        (mask[:-1], r"shape \(4, 4, 3\), but its image has \(5, 4, 3\)"),
        (mask + 0.5, "values other than -1 and ids"),
        (mask + 300, "values other than -1 and ids"),
    ):
        with pytest.raises(ValueError, match=message):
            write_nifti_mask(tmp_path / "w.nii", wrong, image)
    with pytest.raises(ValueError, match="ends in neither"):
        write_nifti_mask(tmp_path / "w.png", mask, image)
    assert not (tmp_path / "w.nii").exists()


def test_damaged_files(tmp_path):
    path = save(tmp_path / "a.nii.gz", (VALUES % 100).astype(np.uint8))
    check_reader(make_plugin("reader", "nifti"), path, mask=True)
    inflated = gzip.decompress(path.read_bytes())
    for content, message in (
        (inflated[:-1], "truncated: it has 59 of 60"),
        (inflated + b"\0", "decompresses to more than"),
        (inflated[:344] + b"ni1" + inflated[347:], "'ni1'.*of one piece"),
    ):
        path.write_bytes(gzip.compress(content))
        with pytest.raises(ValueError, match=rf"a\.nii\.gz.*{message}"):
            load_image(path)
    path.write_bytes(gzip.compress(inflated)[:-8] + b"\0" * 8)
    with pytest.raises(ValueError, match=r"a\.nii\.gz"):
        load_image(path)
    (tmp_path / "b.nii").write_bytes(inflated[:-1])
    with pytest.raises(ValueError, match=r"b\.nii.*truncated"):
        load_header(tmp_path / "b.nii")


def test_sizes_are_checked_before_anything_is_inflated(tmp_path):
    bomb = save(tmp_path / "a.nii", np.zeros((8, 8, 8), np.uint8)).read_bytes()
    giant = nibabel.Nifti1Header.from_fileobj(io.BytesIO(bomb))
    for shape, message in (((2000, 2000, 2000), "at most"), ((500, 500, 500), "truncated")):
        giant.set_data_shape(shape)
        content = gzip.compress(giant.binaryblock + b"\0" * 2_000)
        (tmp_path / "bomb.nii.gz").write_bytes(content)
        tracemalloc.start()
        with pytest.raises(ValueError, match=rf"bomb\.nii\.gz.*{message}"):
            load_image(tmp_path / "bomb.nii.gz")
        assert tracemalloc.get_traced_memory()[1] < 2**20
        tracemalloc.stop()
    full = gzip.compress(bomb + b"\0" * 2**24)
    (tmp_path / "bomb.nii.gz").write_bytes(full)
    tracemalloc.start()
    with pytest.raises(ValueError, match="decompresses to more"):
        load_image(tmp_path / "bomb.nii.gz")
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_without_a_suffix(tmp_path):
    for name in ("a.nii", "a.nii.gz"):
        path = save(tmp_path / name)
        path.rename(tmp_path / "scan")
        assert load_image(tmp_path / "scan").array.shape == (5, 4, 3, 1)


def test_a_missing_extra_is_named(tmp_path, monkeypatch):
    path = save(tmp_path / "a.nii")
    monkeypatch.setitem(__import__("sys").modules, "nibabel", None)
    with pytest.raises(
        ValueError, match=r"a\.nii.*nibabel is needed.*pip install 'segclf\[medical\]'"
    ):
        load_image(path)
