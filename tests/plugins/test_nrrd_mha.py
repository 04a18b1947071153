"""What ITK writes is read as ITK reads it, in canonical axes; what lies about itself is refused."""

import gzip
import itertools
import os
import tomllib
import zlib
from pathlib import Path

import numpy as np
import pytest
from segclf_nrrd_mha.metaimage import MetaImageReader
from segclf_nrrd_mha.nrrd import NrrdReader

from segclf import registry
from segclf.data import as_images, found_readers, load_header, load_image, load_mask
from segclf.testing import check_reader

PROJECT = Path(__file__).parents[2] / "plugins" / "segclf-nrrd-mha"
VALUES = np.random.default_rng(0).integers(-500, 500, (3, 4, 5)).astype("<i2")  # x, y, z
FORMATS = {
    ".nrrd": NrrdReader,
    ".nhdr": NrrdReader,
    ".mha": MetaImageReader,
    ".mhd": MetaImageReader,
}
EYE = np.eye(3)
# Of (d, h, w), to the head, the front and the right, as volumes are read.
SPACING, ORIGIN = (2.5, 0.6, 0.5), (11.0, 3.0, -7.0)
CANONICAL = np.zeros((4, 4))
CANONICAL[[2, 1, 0], range(3)], CANONICAL[[2, 1, 0, 3], 3] = SPACING, (*ORIGIN, 1)


def raw(values):
    return values.tobytes(order="F")


def mha(values=VALUES, directions=EYE, origin=(0, 0, 0), spacing=(1, 1, 1), **fields):
    """Fields and values of a MetaImage; directions are columns, in ITK's millimeters."""
    known = {
        "ObjectType": "Image",
        "NDims": len(values.shape),
        "BinaryData": True,
        "BinaryDataByteOrderMSB": False,
        "CompressedData": False,
        "TransformMatrix": " ".join(map(str, np.ravel(directions, order="F"))),
        "Offset": " ".join(map(str, origin)),
        "ElementSpacing": " ".join(map(str, spacing)),
        "DimSize": " ".join(map(str, values.shape)),
        "ElementType": "MET_SHORT",
    }
    known |= fields | {"ElementDataFile": fields.get("ElementDataFile", "LOCAL")}
    return "".join(f"{name} = {value}\n" for name, value in known.items() if value is not None)


def nrrd(values=VALUES, directions=EYE, origin=(0, 0, 0), spacing=(1, 1, 1), **fields):
    columns = directions * np.asarray(spacing)
    known = {
        "type": "short",
        "dimension": len(values.shape),
        "space": "left-posterior-superior",
        "sizes": " ".join(map(str, values.shape)),
        "space directions": " ".join(f"({','.join(map(str, each))})" for each in columns.T),
        "kinds": "domain domain domain",
        "endian": "little",
        "encoding": "raw",
        "space origin": f"({','.join(map(str, origin))})",
    } | {name.replace("_", " "): value for name, value in fields.items()}
    lines = [f"{name}: {value}\n" for name, value in known.items() if value is not None]
    return f"NRRD0004\n# a comment\nkey:=value\n{''.join(lines)}\n"


def write(path, header, data=b""):
    path.write_bytes(header.encode() + data)
    return path


def read(path):
    """Read by the reader itself, as nothing need be installed."""
    reader = FORMATS[path.suffix]()
    image = load_image(path, reader=reader)
    header = load_header(path, reader=reader)
    assert image.spacing == header.spacing
    return image, header


@pytest.mark.parametrize("make", [mha, nrrd])
def test_all_orientations(tmp_path, make):
    expected = VALUES.T
    suffix = {mha: ".mha", nrrd: ".nrrd"}[make]
    for axes in itertools.permutations(range(3)):
        for flips in itertools.product([1, -1], repeat=3):
            # stored axis k leads along world axis axes[k], to the right, front, head or back
            columns = np.zeros((3, 3))
            columns[list(axes), range(3)] = flips
            values = VALUES.transpose(axes)[tuple(slice(None, None, flip) for flip in flips)]
            spacing = np.array(SPACING[::-1])[list(axes)]
            corner = np.array(ORIGIN[::-1], dtype=float)
            for world, flip in zip(axes, flips, strict=True):
                corner[world] += (flip < 0) * SPACING[2 - world] * (VALUES.shape[world] - 1)
            itk = np.diag([-1.0, -1.0, 1.0])
            header = make(values, itk @ columns, itk @ corner, spacing)
            image, found = read(write(tmp_path / f"a{suffix}", header, raw(values)))
            np.testing.assert_array_equal(image.array[..., 0], expected)
            np.testing.assert_allclose(found.affine, CANONICAL)
            np.testing.assert_allclose(found.spacing, SPACING)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("compressed", [False, True])
def test_as_itk_writes_and_reads(tmp_path, suffix, compressed):
    sitk = pytest.importorskip("SimpleITK")
    random = np.random.default_rng(1)
    for kind in (np.int16, np.uint8, np.float32, np.float64, np.uint16):
        rotation = np.linalg.qr(random.normal(size=(3, 3)))[0]
        values = (100 * random.normal(size=(4, 5, 6))).astype(kind)
        made = sitk.GetImageFromArray(values)
        made.SetDirection(rotation.ravel().tolist())
        made.SetSpacing([0.5, 0.7, 3.0])
        made.SetOrigin([-10.0, 20.0, 5.0])
        path = tmp_path / f"a{suffix}"
        sitk.WriteImage(made, str(path), useCompression=compressed)
        image, header = read(path)
        assert image.array.dtype == kind
        for place in np.ndindex(image.array.shape[:3]):
            left, back, head = (header.affine @ [*place, 1])[:3] * [-1, -1, 1]
            index = made.TransformPhysicalPointToIndex([left, back, head])
            assert image.array[place] == values[index[::-1]]
        assert (header.affine[[2, 1, 0], [0, 1, 2]] > 0).all()  # to the head, the front, the right


@pytest.mark.parametrize("suffix", FORMATS)
def test_colors_as_itk_writes_them(tmp_path, suffix):
    sitk = pytest.importorskip("SimpleITK")
    values = np.random.default_rng(2).integers(0, 255, (4, 5, 6, 3), dtype=np.uint8)
    path = tmp_path / f"a{suffix}"
    sitk.WriteImage(sitk.GetImageFromArray(values, isVector=True), str(path))
    image, _ = read(path)
    # ITK's identity leads to the left and the back
    np.testing.assert_array_equal(image.array, values[:, ::-1, ::-1])


def test_compressed_detached_and_big_endian(tmp_path):
    for data, encoding in ((raw(VALUES), "raw"), (gzip.compress(raw(VALUES)), "gzip")):
        (tmp_path / "values.bin").write_bytes(data)
        header = nrrd(encoding=encoding, data_file="values.bin")
        image, _ = read(write(tmp_path / "a.nhdr", header.rstrip("\n") + "\n"))
        np.testing.assert_array_equal(image.array[..., 0], VALUES.T[:, ::-1, ::-1])
    (tmp_path / "values.zraw").write_bytes(zlib.compress(raw(VALUES.astype(">i2"))))
    fields = {"CompressedData": True, "BinaryDataByteOrderMSB": True}
    header = mha(**fields, ElementDataFile="values.zraw")
    image, _ = read(write(tmp_path / "a.mhd", header))
    np.testing.assert_array_equal(image.array[..., 0], VALUES.T[:, ::-1, ::-1])
    assert image.array.dtype == np.int16


def test_channels_first_or_last(tmp_path):
    values = np.random.default_rng(3).integers(0, 99, (2, *VALUES.shape)).astype("<i2")
    vectors = "(1,0,0) (0,1,0) (0,0,1)"
    first = nrrd(values, kinds="vector domain domain domain", space_directions=f"none {vectors}")
    last = nrrd(
        np.moveaxis(values, 0, -1),
        kinds="domain domain domain list",
        space_directions=f"{vectors} none",
    )
    expected = values.transpose(3, 2, 1, 0)[:, ::-1, ::-1]
    for header, stored in ((first, values), (last, np.moveaxis(values, 0, -1))):
        image, found = read(write(tmp_path / "a.nrrd", header, raw(stored)))
        np.testing.assert_array_equal(image.array, expected)
        assert found.n_channels == 2


def test_images_and_files_without_an_orientation(tmp_path):
    values = VALUES[..., 0]
    flat = mha(values, np.eye(2), (0, 0), (0.5, 2))
    image, header = read(write(tmp_path / "a.mha", flat, raw(values)))
    np.testing.assert_array_equal(image.array[..., 0], values.T)
    assert (image.axes, header.spacing, header.affine, header.depth) == (
        "hwc",
        (2, 0.5),
        None,
        None,
    )
    plain = nrrd(space=None, space_directions=None, space_origin=None, spacings="1 2 3")
    image, header = read(write(tmp_path / "a.nrrd", plain, raw(VALUES)))
    np.testing.assert_array_equal(image.array[..., 0], VALUES.T)
    assert (header.spacing, header.affine) == ((3, 2, 1), None)


def test_masks_and_conformance(tmp_path):
    ids = (VALUES % 3).astype("u1")
    paths = [
        write(tmp_path / "a.mha", mha(ids, ElementType="MET_UCHAR"), raw(ids)),
        write(tmp_path / "a.nrrd", nrrd(ids, type="uchar"), raw(ids)),
    ]
    for path in paths:
        reader = FORMATS[path.suffix]()
        found = load_mask(path, reader=reader).array
        np.testing.assert_array_equal(found, ids.T[:, ::-1, ::-1])
        check_reader(reader, path, mask=True)
        images = as_images([str(path)], n_spatial=3, reader=reader)
        assert images.spacings().tolist() == [[1.0, 1.0, 1.0]]


def clear():
    for cached in (
        registry._discover,
        found_readers._suffixes,
        found_readers._by_ending,
        found_readers._made,
    ):
        cached.cache_clear()


def test_they_are_found_by_suffix_once_installed(tmp_path, monkeypatch):
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    (door,) = project["entry-points"]["segclf"].items()
    info = tmp_path / "segclf_nrrd_mha-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    (info / "entry_points.txt").write_text(f"[segclf]\n{' = '.join(door)}\n")
    monkeypatch.syspath_prepend(tmp_path)
    clear()
    try:
        path = write(tmp_path / "a.mha", mha(), raw(VALUES))
        assert load_image(path).array.shape == (5, 4, 3, 1)
        nameless = write(tmp_path / "nameless", nrrd(), raw(VALUES))
        assert load_image(f"{nameless}[z=2]").array.shape == (4, 3, 1)
    finally:
        clear()


LIES = [
    (mha(ElementDataFile="../outside.raw"), "outside its folder"),
    (mha(ElementDataFile="/etc/passwd"), "outside its folder"),
    (mha(ElementDataFile="link.raw"), "outside its folder"),
    (mha(ElementDataFile="pipe"), "not a regular file"),
    (mha(ElementDataFile="LIST"), "LIST"),
    (mha(ElementDataFile="slice%03d.raw 1 9 1"), "slice%03d"),
    (mha(DimSize="3 4 6"), "announces 144 bytes .* have 120"),
    (mha(DimSize="3 4 4"), "announces 96 bytes .* have 120"),
    (mha(DimSize="3 4 -5"), "at least 1"),
    (mha(DimSize="99999 99999 99999"), "at most"),
    (mha(DimSize="4294967296 4294967296 1"), "at most"),
    (mha(DimSize="3 4"), "2 numbers for 3 axes"),
    (mha(NDims=4, DimSize="3 4 5 1"), "4 axes"),
    (mha(ElementNumberOfChannels=10**12), "at most"),
    (mha(ElementType="MET_STRING"), "MET_STRING"),
    (mha(ElementSpacing="1 0 1"), "above 0"),
    (mha(ElementSpacing="1 nan 1"), "not hold numbers"),
    (mha(TransformMatrix="1 0 0 1 0 0 0 0 1"), "linearly dependent"),
    (mha(BinaryData=False), "text"),
    (mha(CompressedData=True), "invalid|incorrect|Error -3"),
    (mha(HeaderSize=-7), "HeaderSize"),
    (nrrd(data_file="../outside.raw"), "outside its folder"),
    (nrrd(data_file="/etc/passwd"), "outside its folder"),
    (nrrd(data_file="link.raw"), "outside its folder"),
    (nrrd(data_file="pipe"), "not a regular file"),
    (nrrd(data_file="LIST"), "several files"),
    (nrrd(sizes="3 4 6"), "announces 144 bytes .* have 120"),
    (nrrd(sizes="3 4 99999999999"), "at most"),
    (nrrd(sizes="3 4 0"), "at least 1"),
    (nrrd(dimension=4), "does not agree with its dimension"),
    (nrrd(type="block"), "block"),
    (nrrd(encoding="ascii"), "ascii"),
    (nrrd(encoding="gzip"), "incorrect|Error -3"),
    (nrrd(space_directions="(1,0,0) (1,0,0) (0,0,1)"), "linearly dependent"),
    (nrrd(space_directions="(1,0,0) (nan,0,0) (0,0,1)"), "not hold numbers"),
    (nrrd(space_directions="(0,0,0) (0,1,0) (0,0,1)"), "linearly dependent"),
    (nrrd(kinds="list domain list"), "2 are channels"),
    (nrrd().replace("NRRD0004", "NRRD0009"), "NRRD0001"),
]


@pytest.mark.parametrize(("header", "message"), LIES, ids=[each[1] for each in LIES])
def test_what_lies_is_refused_before_anything_is_decoded(tmp_path, header, message):
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "outside.raw").write_bytes(raw(VALUES))
    (folder / "link.raw").symlink_to(tmp_path / "outside.raw")
    os.mkfifo(folder / "pipe")
    path = write(folder / ("a.mha" if "ObjectType" in header else "a.nrrd"), header, raw(VALUES))
    reader = FORMATS[path.suffix]()
    with pytest.raises(ValueError, match=message) as caught:
        load_image(path, reader=reader)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("make", [mha, nrrd])
def test_bombs_are_refused(tmp_path, make):
    """Where the size is true, and where it lies in either direction."""
    fields = {"CompressedData": True} if make is mha else {"encoding": "gzip"}
    packed = (zlib if make is mha else gzip).compress(b"\0" * 2**24)
    suffix = {mha: ".mha", nrrd: ".nrrd"}[make]
    path = write(tmp_path / f"a{suffix}", make(**fields), packed)
    with pytest.raises(ValueError, match="decompresses to more than the 120 bytes"):
        read(path)
    sizes = {"DimSize" if make is mha else "sizes": "1024 1024 512"}
    path = write(tmp_path / f"a{suffix}", make(**fields, **sizes), packed[:200])
    with pytest.raises(ValueError, match="200 compressed bytes"):
        read(path)
    path = write(tmp_path / f"a{suffix}", make(**fields, **sizes), packed)
    with pytest.raises(ValueError, match=r"compressed bytes|truncated"):
        read(path)


def test_a_header_without_an_end(tmp_path):
    path = write(tmp_path / "a.nrrd", "NRRD0004\n" + "# x\n" * 2**19)
    with pytest.raises(ValueError, match="longer than 1,048,576 bytes"):
        read(path)
