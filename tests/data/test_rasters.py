"""Every supported kind of file decodes to exactly what was written."""

import struct
import sys
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from segclf.data.readers import read_image, read_mask, read_size


def random(shape, dtype, seed=0):
    generator = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return generator.normal(size=shape).astype(dtype)
    limits = np.iinfo(dtype)
    return generator.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)


def assert_reads(path, expected):
    image = read_image(path)
    assert image.dtype == expected.dtype
    assert image.dtype.isnative
    np.testing.assert_array_equal(image, expected)
    assert image.flags.writeable
    assert read_size(path) == expected.shape


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("n_channels", [1, 3])
def test_8_and_16_bit_png_and_tiff_are_exact(tmp_path, suffix, dtype, n_channels):
    array = random((7, 11, n_channels), dtype)
    path = tmp_path / f"image{suffix}"
    cv2.imwrite(str(path), array[..., ::-1])  # OpenCV writes BGR
    assert_reads(path, array)


@pytest.mark.parametrize("dtype", ["i1", "i2", "u4", "i4", "f4", "f8"])
@pytest.mark.parametrize("n_channels", [1, 3])
def test_rarer_types_of_tiff_are_exact(tmp_path, dtype, n_channels):
    array = random((7, 11, n_channels), dtype)
    path = tmp_path / "image.tiff"
    cv2.imwrite(str(path), array[..., ::-1])
    assert_reads(path, array)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("mode", ["1", "L", "I;16", "F", "RGB"])
def test_compressed_tiff_is_exact(tmp_path, compression, mode):
    array = {
        "1": random((9, 8), np.uint8) > 99,
        "L": random((9, 8), np.uint8),
        "I;16": random((9, 8), np.uint16),
        "F": random((9, 8), np.float32),
        "RGB": random((9, 8, 3), np.uint8),
    }[mode]
    path = tmp_path / "image.tif"
    Image.fromarray(array).save(path, compression=compression)
    assert_reads(path, array if array.ndim == 3 else array[..., None])


def test_big_endian_tiff(tmp_path):
    array = random((9, 8), np.uint16)
    path = tmp_path / "image.tif"
    Image.frombytes("I;16B", (8, 9), array.astype(">u2").tobytes()).save(path)
    assert path.read_bytes()[:2] == b"MM"
    assert_reads(path, array[..., None])


def test_jpeg_has_rgb_order(tmp_path):
    for number, colour in enumerate([(250, 0, 0), (0, 250, 0), (0, 0, 250)]):
        path = tmp_path / "image.jpg"
        Image.new("RGB", (16, 16), colour).save(path, quality=95)
        image = read_image(path)
        assert read_size(path) == image.shape == (16, 16, 3)
        assert image.mean(axis=(0, 1)).argmax() == number


def test_gray_jpeg_has_one_channel(tmp_path):
    Image.new("L", (6, 4), 77).save(tmp_path / "image.jpeg", quality=95)
    assert_reads(tmp_path / "image.jpeg", np.full((4, 6, 1), 77, dtype=np.uint8))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_dropped(tmp_path, mode):
    array = random((7, 11, len(mode)), np.uint8)
    Image.fromarray(array).save(tmp_path / "image.png")
    assert_reads(tmp_path / "image.png", array[..., :-1])


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_alpha_is_dropped(tmp_path, suffix):
    array = random((7, 11, 4), np.uint16)
    path = tmp_path / f"image{suffix}"
    cv2.imwrite(str(path), array[..., [2, 1, 0, 3]])
    assert_reads(path, array[..., :3])


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_palette_becomes_rgb_for_images_and_ids_for_masks(tmp_path, suffix):
    ids = random((7, 11), np.uint8) % 5
    colours = random((256, 3), np.uint8, seed=1)
    image = Image.fromarray(ids)
    image.putpalette(colours.tobytes())
    path = tmp_path / f"image{suffix}"
    image.save(path)
    assert_reads(path, colours[ids])
    np.testing.assert_array_equal(read_mask(path), ids)


def test_palette_with_transparency(tmp_path, recwarn):
    image = Image.new("P", (4, 3), 1)
    image.putpalette([0, 0, 0, 9, 8, 7])
    image.save(tmp_path / "image.png", transparency=b"\0\x80")
    assert_reads(tmp_path / "image.png", np.full((3, 4, 3), (9, 8, 7), dtype=np.uint8))
    assert not recwarn


def test_one_bit_is_bool(tmp_path):
    array = random((7, 11), np.uint8) > 99
    Image.fromarray(array).save(tmp_path / "image.png")
    assert_reads(tmp_path / "image.png", array[..., None])
    np.testing.assert_array_equal(read_mask(tmp_path / "image.png"), array)


def test_cmyk_becomes_rgb(tmp_path):
    Image.new("CMYK", (4, 3), (0, 255, 255, 0)).save(tmp_path / "image.tif")
    expected = np.full((3, 4, 3), (255, 0, 0), dtype=np.uint8)
    assert_reads(tmp_path / "image.tif", expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_jpeg_is_applied(tmp_path, orientation):
    stored = np.zeros((32, 48, 3), dtype=np.uint8)
    stored[:16, :16] = 255  # a white corner, top left as stored
    path = tmp_path / "image.jpg"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(path, exif=exif)
    image = read_image(path)
    turned = orientation >= 5
    assert read_size(path) == image.shape == ((48, 32, 3) if turned else (32, 48, 3))
    corners = {(0, 0): image[0, 0, 0], (0, 1): image[0, -1, 0]}
    corners |= {(1, 0): image[-1, 0, 0], (1, 1): image[-1, -1, 0]}
    white = {1: (0, 0), 2: (0, 1), 3: (1, 1), 4: (1, 0), 5: (0, 0), 6: (0, 1), 7: (1, 1), 8: (1, 0)}
    assert max(corners, key=corners.get) == white[orientation]


def test_content_counts_not_the_name(tmp_path):
    array = random((7, 11, 3), np.uint8)
    Image.fromarray(array).save(tmp_path / "image.png")
    (tmp_path / "image.png").rename(tmp_path / "image.jpg")
    assert_reads(tmp_path / "image.jpg", array)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
def test_gray_masks_are_exact(tmp_path, dtype):
    array = random((7, 11), dtype)
    path = tmp_path / "mask.tif"
    cv2.imwrite(str(path), array)
    mask = read_mask(path)
    assert mask.dtype == dtype
    np.testing.assert_array_equal(mask, array)


@pytest.mark.parametrize("bits", [2, 4])
def test_ids_of_few_bits_are_not_stretched(tmp_path, bits):
    ids = np.arange(2**bits, dtype=np.uint8).reshape(1, -1)
    path = tmp_path / "mask.png"
    path.write_bytes(gray_png(ids, bits))
    np.testing.assert_array_equal(read_mask(path), ids)
    assert read_image(path).max() == 255


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_colour_masks_are_refused(tmp_path, mode):
    Image.new(mode, (4, 3), color=(9,) * (len(mode) - 1) + (7,)).save(tmp_path / "mask.png")
    with pytest.raises(ValueError, match=r"mask\.png.*colour or alpha"):
        read_mask(tmp_path / "mask.png")


def test_16_bit_colour_masks_are_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "mask.png"), np.zeros((4, 3, 3), np.uint16))
    with pytest.raises(ValueError, match=r"mask\.png.*colour or alpha"):
        read_mask(tmp_path / "mask.png")


def test_jpeg_masks_are_refused(tmp_path):
    Image.new("L", (4, 3)).save(tmp_path / "mask.jpg")
    with pytest.raises(ValueError, match=r"mask\.jpg.*JPEG changes values"):
        read_mask(tmp_path / "mask.jpg")


def test_several_pages_are_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tifffile", None)  # with it, they are a volume
    pages = [Image.new("L", (4, 3), value) for value in (1, 2)]
    pages[0].save(tmp_path / "image.tif", save_all=True, append_images=pages[1:])
    for read in (read_image, read_size, read_mask):
        with pytest.raises(ValueError, match=r"image\.tif.*several pages"):
            read(tmp_path / "image.tif")


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8"])
def test_white_as_0_is_turned_over_in_images_and_kept_in_masks(tmp_path, order, kind):
    ids = np.arange(12, dtype=order + kind).reshape(3, 4)
    path = tmp_path / "white.tif"
    path.write_bytes(gray_tiff(ids.tobytes(), ids, photometric=0))
    assert_reads(path, ~ids.astype(kind)[..., None])
    np.testing.assert_array_equal(read_mask(path), ids)
    path.write_bytes(gray_tiff(ids.tobytes(), ids, photometric=1))
    assert_reads(path, ids.astype(kind)[..., None])
    np.testing.assert_array_equal(read_mask(path), ids)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_white_as_0_in_few_bits(tmp_path, bits):
    ids = np.arange(2**bits, dtype=np.uint8)[None].repeat(8, axis=1)
    path, shown = tmp_path / "white.tif", ids[..., None] * (255 // (2**bits - 1))
    for photometric in (0, 1):
        path.write_bytes(
            gray_tiff(packed(ids, bits).tobytes(), ids, photometric=photometric, bits=bits)
        )
        np.testing.assert_array_equal(read_mask(path), ids)
        expected = 255 - shown if photometric == 0 else shown
        assert_reads(path, expected > 0 if bits == 1 else expected)


@pytest.mark.parametrize("compression", ["group4", "tiff_lzw", "tiff_adobe_deflate"])
def test_compressed_white_as_0(tmp_path, compression):
    """As fax machines have it."""
    array = random((9, 8), np.uint8) > 99
    path = tmp_path / "fax.tif"
    Image.fromarray(array).save(path, compression=compression, tiffinfo={262: 0})
    assert_reads(path, array[..., None])
    np.testing.assert_array_equal(read_mask(path), ~array)


def test_floats_with_white_as_0_are_refused(tmp_path):
    path = tmp_path / "white.tif"
    path.write_bytes(gray_tiff(bytes(48), np.zeros((3, 4), np.float32), photometric=0))
    for read in (read_image, read_size, read_mask):
        with pytest.raises(ValueError, match=r"white\.tif.*floats with white as 0"):
            read(path)


def test_complex_tiff_is_refused(tmp_path):
    path = tmp_path / "image.tif"
    Image.new("F", (4, 3)).save(path)
    data = bytearray(path.read_bytes())
    at = data.index(struct.pack("<HHI", 339, 3, 1)) + 8  # sample format, a SHORT, one of it
    data[at] = 6
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"image\.tif.*sample format 6.*real numbers"):
        read_image(path)


def test_planar_16_bit_colour_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "image.tif"
    planes = np.zeros((3, 4, 3), np.uint16)
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(path, planes, photometric="rgb", planarconfig="separate")
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(ValueError, match=r"3 sample\(s\) of 16 bit \(unsigned\).*planar"):
        read_image(path)


def gray_tiff(data, array, *, photometric, bits=None):
    """Write TIFF by its specification, since Pillow turns values over as it sees fit."""
    order = ">" if array.dtype.byteorder == ">" else "<"
    height, width = array.shape
    bits = bits or 8 * array.dtype.itemsize
    values = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 273: 0, 277: 1}
    values |= {278: height, 279: len(data), 339: 1 + "uif".index(array.dtype.kind)}
    values[273] = 8 + 2 + 12 * len(values) + 4
    entries = [struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in values.items()]
    start = (b"MM\0*" if order == ">" else b"II*\0") + struct.pack(f"{order}I", 8)
    return start + struct.pack(f"{order}H", len(values)) + b"".join(entries) + bytes(4) + data


def packed(ids, bits):
    """Put several pixels into each byte, the first one highest."""
    per_byte = 8 // bits
    padded = np.zeros((len(ids), -(-ids.shape[1] // per_byte) * per_byte), dtype=np.uint8)
    padded[:, : ids.shape[1]] = ids
    shifts = np.arange(per_byte)[::-1] * bits
    return (padded.reshape(len(ids), -1, per_byte) << shifts).sum(axis=2).astype(np.uint8)


def gray_png(ids, bits):
    """Write PNG by its specification, since Pillow does not write 2 or 4 bit gray."""
    rows = b"".join(b"\0" + row.tobytes() for row in packed(ids, bits))

    def chunk(name, body):
        check = struct.pack(">I", zlib.crc32(name + body))
        return struct.pack(">I", len(body)) + name + body + check

    head = struct.pack(">IIBBBBB", ids.shape[1], len(ids), bits, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
