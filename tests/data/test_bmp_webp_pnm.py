"""BMP, WebP and PNM get the care of PNG: every bit, sizes before decoding, nothing truncated."""

import io

import numpy as np
import pytest
from PIL import Image

from segclf.data import as_images, as_masks
from segclf.data.readers import read_image, read_image_header, read_mask
from segclf.registry import make_plugin
from segclf.testing import check_reader

GENERATOR = np.random.default_rng(0)
COLOUR = GENERATOR.integers(0, 256, (24, 31, 3), dtype=np.uint8)
GRAY = COLOUR[..., 0]
BITS = GRAY > 100


def save(path, array, mode=None, **options):
    image = Image.fromarray(array)
    (image if mode is None else image.convert(mode)).save(path, **options)
    return path


def pnm(path, kind, array, white=255):
    """A file as netpbm writes it."""
    height, width = array.shape[:2]
    head = f"P{kind}\n# made here\n{width} {height}\n" + ("" if kind in (1, 4) else f"{white}\n")
    if kind < 4:
        body = " ".join(map(str, array.astype(int).ravel().tolist())).encode()
    elif kind == 4:
        body = np.packbits(array, axis=1).tobytes()
    else:
        body = array.astype(">u2" if white > 255 else "u1").tobytes()
    path.write_bytes(head.encode() + body)
    return path


FILES = {
    "colour.bmp": lambda path: save(path, COLOUR),
    "gray.bmp": lambda path: save(path, GRAY),
    "bits.bmp": lambda path: save(path, BITS),
    "palette.bmp": lambda path: save(path, GRAY, "P"),
    "alpha.bmp": lambda path: save(path, COLOUR, "RGBA"),
    "lossless.webp": lambda path: save(path, COLOUR, lossless=True),
    "lossy.webp": lambda path: save(path, COLOUR, quality=50),
    "alpha.webp": lambda path: save(path, np.dstack([COLOUR, GRAY]), lossless=True, exact=True),
    "plain.pbm": lambda path: pnm(path, 1, BITS),
    "plain.pgm": lambda path: pnm(path, 2, GRAY),
    "plain.ppm": lambda path: pnm(path, 3, COLOUR),
    "raw.pbm": lambda path: pnm(path, 4, BITS),
    "raw.pgm": lambda path: pnm(path, 5, GRAY),
    "raw.ppm": lambda path: pnm(path, 6, COLOUR),
    "raw.pnm": lambda path: pnm(path, 6, COLOUR),
}


@pytest.mark.parametrize("name", FILES)
def test_read_as_pillow_does(tmp_path, name):
    path = FILES[name](tmp_path / name)
    with Image.open(path) as image:
        gray = image.mode in ("1", "L")
        expected = np.array(image if gray else image.convert("RGBA").convert("RGB"))
    array, header = read_image(path), read_image_header(path)
    np.testing.assert_array_equal(array, expected[..., None] if gray else expected)
    assert array.dtype == header.dtype == expected.dtype
    assert array.shape == (header.height, header.width, header.n_channels)
    check_reader(make_plugin("reader", "raster"), path)


@pytest.mark.parametrize("name", FILES)
def test_truncated_files_are_errors(tmp_path, name):
    path = FILES[name](tmp_path / name)
    content = path.read_bytes()
    lengths = [0, 1, 2, 7, 11, 15, 30, len(content) // 2, len(content) * 9 // 10]
    lengths += [] if name.startswith("plain") else [len(content) - 4]  # BMP pads its rows
    for length in lengths:
        path.write_bytes(content[:length])
        for read in (read_image, read_mask):
            with pytest.raises(ValueError, match=name):
                read(path)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_flipped_bytes_never_crash(tmp_path, name):
    path = FILES[name](tmp_path / name)
    content = path.read_bytes()
    for _ in range(40):
        damaged = bytearray(content)
        for at in GENERATOR.integers(0, min(len(content), 200), 3).tolist():
            damaged[at] = int(GENERATOR.integers(256))
        path.write_bytes(damaged)
        for read in (read_image, read_mask):
            result = read_or_message(read, path)
            assert not isinstance(result, str) or name in result


def read_or_message(read, path):
    try:
        return read(path)
    except ValueError as error:
        return str(error)


def test_16_bit_pnm_is_exact(tmp_path):
    for kind, shape in ((2, (5, 6)), (3, (5, 6, 3)), (5, (5, 6)), (6, (5, 6, 3))):
        deep = GENERATOR.integers(0, 65536, shape, dtype=np.uint16)
        image = read_image(pnm(tmp_path / "a.pnm", kind, deep, 65535))
        np.testing.assert_array_equal(image, deep.reshape(5, 6, -1))


@pytest.mark.parametrize("white", [1, 3, 100, 254, 256, 1023, 4095, 40000])
def test_white_is_white_and_ids_are_ids(tmp_path, white):
    ids = GENERATOR.integers(0, min(white, 250) + 1, (8, 9))
    ids[0, 0] = white
    path = pnm(tmp_path / "a.pgm", 5, ids, white)
    with Image.open(path) as image:
        expected = np.array(image)
    image = read_image(path)
    np.testing.assert_array_equal(image[..., 0], expected)
    assert image.max() == np.iinfo(image.dtype).max
    np.testing.assert_array_equal(read_mask(path), ids)


def test_masks(tmp_path):
    ids = GENERATOR.integers(0, 4, (8, 9)).astype(np.uint8)
    paths = [save(tmp_path / "a.bmp", ids), save(tmp_path / "b.webp", ids, "RGB", lossless=True)]
    paths.append(pnm(tmp_path / "c.pgm", 2, ids, 3))
    for mask in as_masks(paths, 3):
        np.testing.assert_array_equal(mask, ids)
    np.testing.assert_array_equal(read_mask(FILES["raw.pbm"](tmp_path / "d.pbm")), BITS)
    with pytest.raises(ValueError, match=r"e\.webp.*WEBP changes values"):
        read_mask(FILES["lossy.webp"](tmp_path / "e.webp"))
    with pytest.raises(ValueError, match=r"f\.ppm.*has colour"):
        read_mask(FILES["raw.ppm"](tmp_path / "f.ppm"))


def test_a_webp_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(tmp_path / "a.webp", COLOUR, lossless=True, exif=exif)
    assert as_images([path], n_channels=3).sizes().tolist() == [[31, 24]]
    np.testing.assert_array_equal(read_image(path), np.rot90(COLOUR, -1))


def test_animations_and_several_images_are_refused(tmp_path):
    frames = [Image.fromarray(COLOUR), Image.fromarray(255 - COLOUR)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match=r"a\.webp.*several frames"):
        read_image_header(tmp_path / "a.webp")
    content = pnm(tmp_path / "a.pgm", 5, GRAY).read_bytes()
    (tmp_path / "a.pgm").write_bytes(content + content)
    with pytest.raises(ValueError, match=r"a\.pgm.*several images"):
        read_image(tmp_path / "a.pgm")


def test_giant_headers_are_refused_before_decoding(tmp_path, monkeypatch):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "BMP")
    bmp = bytearray(buffer.getvalue())
    bmp[18:26] = (60000).to_bytes(4, "little") * 2
    canvas = bytes(4) + (2**24 - 2).to_bytes(3, "little") * 2
    webp = b"WEBPVP8X" + (10).to_bytes(4, "little") + canvas
    giants = {
        "a.bmp": bytes(bmp),
        "a.webp": b"RIFF" + len(webp).to_bytes(4, "little") + webp,
        "a.ppm": b"P6 60000 60000 255 ",
    }

    def never(*_, **__):
        raise AssertionError("decoded")

    monkeypatch.setattr("segclf.data.rasters._by_pillow", never)
    monkeypatch.setattr("segclf.data.rasters.decode_pnm", never)
    for name, content in giants.items():
        (tmp_path / name).write_bytes(content)
        for read in (read_image, read_mask):
            with pytest.raises(ValueError, match=rf"{name}.*pixels; at most"):
                read(tmp_path / name)
