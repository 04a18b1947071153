"""Files that were cut and closed again: every checksum is right, and pixels are missing."""

import io
import itertools
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from segclf.data.readers import read_image, read_image_header, read_mask

SMOOTH = np.add.outer(np.arange(61), np.arange(83)).astype(np.uint8)
MODES = ["1", "L", "P", "LA", "RGB", "RGBA", "I;16"]


def png(mode, interlaced=False):
    array = SMOOTH.astype(np.uint16) * 257 if mode == "I;16" else SMOOTH
    image = Image.fromarray(array)
    file = io.BytesIO()
    (image if mode == "I;16" else image.convert(mode)).save(file, "PNG")
    return file.getvalue()


def chunk(kind, content):
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def chunks(data):
    place = 8
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        yield data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        place += 12 + length


def rebuilt(data, pixels, n_parts=1):
    """Write other rows into a PNG, in so many chunks, with checksums that fit."""
    packed = zlib.compress(pixels)
    ends = [part * len(packed) // n_parts for part in range(n_parts + 1)]
    parts = [packed[start:stop] for start, stop in itertools.pairwise(ends)]
    out = data[:8]
    for kind, content in chunks(data):
        if kind == b"IDAT":
            out += b"".join(chunk(b"IDAT", part) for part in parts)
            parts = []
        else:
            out += chunk(kind, content)
    return out


def rows(data):
    return zlib.decompress(b"".join(content for kind, content in chunks(data) if kind == b"IDAT"))


@pytest.mark.parametrize("mode", MODES)
def test_png_with_too_few_rows(mode, tmp_path):
    data, path = png(mode), tmp_path / "image.png"
    path.write_bytes(data)
    expected = read_image(path)
    path.write_bytes(rebuilt(data, rows(data), n_parts=3))
    np.testing.assert_array_equal(read_image(path), expected)
    for kept in (len(rows(data)) - 1, len(rows(data)) // 2, 0):
        path.write_bytes(rebuilt(data, rows(data)[:kept]))
        with pytest.raises(ValueError, match=r"image\.png.*truncated"):
            read_image(path)


@pytest.mark.parametrize("mode", MODES)
def test_png_with_a_wrong_checksum(mode, tmp_path):
    data = bytearray(png(mode))
    place = data.index(b"IDAT")
    data[place + 4 + struct.unpack(">I", data[place - 4 : place])[0]] ^= 1
    (tmp_path / "image.png").write_bytes(data)
    with pytest.raises(ValueError, match=r"image\.png.*checksum of a chunk b'IDAT'"):
        read_image(tmp_path / "image.png")


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (8, 8), (13, 6)])
def test_an_interlaced_png_is_complete(bits, shape, tmp_path):
    """Rows of Adam7 written by hand, all 0; one byte less is too few."""
    height, width = shape
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 1)
    n_bytes = 0
    for top, left, down, right in [
        (0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4),
        (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1),
    ]:  # fmt: skip
        mask = np.zeros(shape)[top::down, left::right]
        n_bytes += mask.shape[0] * (1 + -(-mask.shape[1] * bits // 8)) if mask.size else 0
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    path = tmp_path / "image.png"
    path.write_bytes(start + chunk(b"IDAT", zlib.compress(bytes(n_bytes))) + chunk(b"IEND", b""))
    assert not read_image(path).any()
    path.write_bytes(
        start + chunk(b"IDAT", zlib.compress(bytes(n_bytes - 1))) + chunk(b"IEND", b"")
    )
    with pytest.raises(ValueError, match="truncated"):
        read_image(path)


def jpeg(mode, **options):
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (9, 11, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((83, 61)).convert(mode).save(file, "JPEG", **options)
    return file.getvalue()


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize(
    "options", [{}, {"quality": 20}, {"subsampling": 0}, {"restart_marker_rows": 1}]
)
def test_jpeg_that_was_cut_and_closed(mode, options, tmp_path):
    data, path = jpeg(mode, **options), tmp_path / "image.jpg"
    path.write_bytes(data)
    intact = np.array(Image.open(io.BytesIO(data)))
    if mode != "CMYK":
        np.testing.assert_array_equal(read_image(path).squeeze(), intact)
    path.write_bytes(data + b"what a camera appends \xff\xd9")
    read_image(path)
    start = data.index(b"\xff\xda") + 14
    for part in (0.2, 0.5, 0.8):
        cut = data[: start + int(part * (len(data) - start))].rstrip(b"\xff")
        path.write_bytes(cut + b"\xff\xd9")
        with pytest.raises(ValueError, match=r"image\.jpg.*truncated"):
            read_image(path)


def test_a_progressive_jpeg_is_read_as_it_is(tmp_path):
    data = jpeg("RGB", progressive=True)
    (tmp_path / "image.jpg").write_bytes(data)
    np.testing.assert_array_equal(
        read_image(tmp_path / "image.jpg"), np.array(Image.open(io.BytesIO(data)))
    )


def test_a_pipe_is_no_image(tmp_path):
    os.mkfifo(tmp_path / "image.png")
    for read in (read_image, read_image_header, read_mask):
        with pytest.raises(ValueError, match=r"image\.png.*not a regular file"):
            read(tmp_path / "image.png")


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate"])
@pytest.mark.parametrize("read", [read_image, read_image_header, read_mask])
def test_a_tiff_with_fewer_strips_than_its_height_takes(compression, read, tmp_path):
    path = tmp_path / "image.tiff"
    Image.fromarray(SMOOTH).save(path, compression=compression)
    assert read(path) is not None
    content = bytearray(path.read_bytes())
    height = max(content.find(struct.pack("<HHI", 257, kind, 1)) for kind in (3, 4)) + 8
    content[height : height + 4] = struct.pack("<I", 3000)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"image\.tiff.*1 of 50 strips"):
        read(path)
