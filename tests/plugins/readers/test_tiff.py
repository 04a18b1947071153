"""Stacks and the rarer kinds of TIFF are read as tifffile reads them, pictures as before."""

import sys
import tracemalloc
import zlib

import numpy as np
import pytest

from segclf.data import as_images, load_header, load_image, load_mask, slice_paths
from segclf.registry import make_plugin
from segclf.testing import check_reader

tifffile = pytest.importorskip("tifffile")

GENERATOR = np.random.default_rng(0)
STACK = GENERATOR.integers(0, 65536, (5, 12, 9)).astype(np.uint16)
READER = make_plugin("reader", "tiff")


@pytest.mark.parametrize(
    ("array", "options", "expected"),
    [
        (STACK, {}, STACK[..., None]),
        (STACK, {"bigtiff": True}, STACK[..., None]),
        (STACK, {"compression": "zlib", "rowsperstrip": 3}, STACK[..., None]),
        (STACK, {"byteorder": ">"}, STACK[..., None]),
        (STACK, {"imagej": True, "metadata": {"axes": "ZYX"}}, STACK[..., None]),
        (STACK, {"photometric": "miniswhite"}, 65535 - STACK[..., None]),
        (STACK.astype(np.float32), {}, STACK[..., None].astype(np.float32)),
        (STACK.astype(np.int16), {}, STACK[..., None].astype(np.int16)),
        (STACK, {"ome": True, "metadata": {"axes": "ZYX"}}, STACK[..., None]),
        (STACK, {"ome": True, "metadata": {"axes": "TYX"}}, STACK[..., None]),
    ],
)
def test_stacks_are_volumes(tmp_path, array, options, expected):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, array, **options)
    image, header = load_image(path), load_header(path)
    assert image.axes == "dhwc"
    np.testing.assert_array_equal(image.array, expected)
    assert image.array.dtype == header.dtype == array.dtype
    images = as_images(slice_paths(path))
    np.testing.assert_array_equal(images[3], expected[3])
    check_reader(READER, path, mask=True)


def test_channels(tmp_path):
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, STACK, ome=True, metadata={"axes": "CYX"}, photometric="minisblack")
    image = load_image(path)
    assert image.axes == "hwc"
    np.testing.assert_array_equal(image.array, np.moveaxis(STACK, 0, -1))
    assert as_images([path]).n_channels == 5
    path = tmp_path / "a.tif"
    colours = GENERATOR.integers(0, 256, (4, 12, 9, 3)).astype(np.uint8)
    tifffile.imwrite(path, colours, photometric="rgb")
    np.testing.assert_array_equal(load_image(path).array, colours)
    with pytest.raises(ValueError, match="3 channels; expected one channel of ids"):
        load_mask(path)
    planes = GENERATOR.integers(0, 65536, (3, 12, 9)).astype(np.uint16)
    tifffile.imwrite(path, planes, photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(load_image(path).array, np.moveaxis(planes, 0, -1))


def test_spacing_of_an_ome_file(tmp_path):
    path = tmp_path / "a.ome.tif"
    sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 250, "PhysicalSizeZ": 0.002}
    units = {"PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "nm", "PhysicalSizeZUnit": "mm"}
    tifffile.imwrite(path, STACK, ome=True, metadata={"axes": "ZYX"} | sizes | units)
    np.testing.assert_allclose(load_header(path).spacing, (2e-3, 2.5e-4, 5e-4))


def test_ids_are_as_stored(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", STACK % 4, photometric="miniswhite")
    np.testing.assert_array_equal(load_mask(tmp_path / "a.tif").array, STACK % 4)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (
            lambda path: tifffile.imwrite(
                path, np.zeros((2, 3, 8, 9), np.uint8), ome=True, metadata={"axes": "TZYX"}
            ),
            "its axes are TZYX",
        ),
        (
            lambda path: [
                tifffile.imwrite(path, np.zeros((8, n), np.uint8), append=n > 8) for n in (8, 9)
            ],
            "2 series",
        ),
        (lambda path: tifffile.imwrite(path, np.zeros((2, 8, 9), np.complex64)), "complex64"),
    ],
)
def test_what_is_no_volume_is_refused(tmp_path, write, message):
    write(tmp_path / "a.tif")
    with pytest.raises(ValueError, match=rf"a\.tif.*{message}"):
        load_image(tmp_path / "a.tif")


def test_parts_that_inflate_beyond_their_size(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK, compression="zlib")
    with tifffile.TiffFile(path) as file:
        offset, length = file.pages[2].dataoffsets[0], file.pages[2].databytecounts[0]
        tag = file.pages[2].tags[279]
        at, size = tag.valueoffset, 4 if tag.dtype == 4 else 2
    content, bomb = bytearray(path.read_bytes()), zlib.compress(bytes(2**25))
    assert length < len(bomb)
    with tifffile.TiffFile(path) as file:
        place = file.pages[2].tags[273].valueoffset
    content[place : place + 4] = len(content).to_bytes(4, "little")
    content[at : at + size] = min(len(bomb), 2 ** (8 * size) - 1).to_bytes(size, "little")
    path.write_bytes(bytes(content) + bomb)
    assert offset != len(content)
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"a\.tif.*decompresses to more than its 216 bytes"):
        load_image(path)
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()


def test_giant_stacks_are_refused_before_decoding(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK)
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        places = [page.tags[tag].valueoffset for page in file.pages for tag in (256, 257)]
        sizes = [page.tags[256].dtype for page in file.pages]
    assert set(sizes) <= {3, 4}
    for place in places:
        content[place : place + 2] = (60000).to_bytes(2, "little")
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.tif"):
        load_image(path)


def test_a_missing_extra_is_named(tmp_path, monkeypatch):
    tifffile.imwrite(tmp_path / "a.tif", STACK)
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(ValueError, match=r"a\.tif.*several pages.*pip install 'segclf\[tiff\]'"):
        load_image(tmp_path / "a.tif")
