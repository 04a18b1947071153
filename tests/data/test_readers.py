"""Damaged files: always one clear error with the path, never a crash, never a word on stderr."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFile

from segclf.data.headers import MAX_PIXELS
from segclf.data.readers import read_image, read_mask, read_size

WRITERS = {
    "gray.png": lambda path, a: cv2.imwrite(path, a[..., 0]),
    "colour.png": lambda path, a: cv2.imwrite(path, a),
    "deep.png": lambda path, a: cv2.imwrite(path, a.astype(np.uint16) * 257),
    "colour.jpg": lambda path, a: cv2.imwrite(path, a),
    "raw.tif": lambda path, a: Image.fromarray(a).save(path, compression="raw"),
    "lzw.tif": lambda path, a: Image.fromarray(a).save(path, compression="tiff_lzw"),
    "deflate.tif": lambda path, a: Image.fromarray(a).save(path, compression="tiff_adobe_deflate"),
    "deep.tif": lambda path, a: cv2.imwrite(path, a.astype(np.uint16) * 257),
    "float.tif": lambda path, a: cv2.imwrite(path, a.astype(np.float64)),
}


def write(path):
    generator = np.random.default_rng(0)
    array = generator.integers(0, 256, (32, 40, 3), dtype=np.uint8)
    WRITERS[path.name](str(path), array)
    return path.read_bytes()


def read_or_message(read, path):
    """Return what it reads, or the message of an allowed error."""
    try:
        return read(path)
    except (OSError, ValueError) as error:
        return str(error)


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_truncated_files_are_errors_with_their_path(tmp_path, capfd, name):
    path = tmp_path / name
    data = write(path)
    assert read_image(path).shape[:2] == (32, 40)
    half = len(data) // 2
    for length in (0, 1, 7, 8, 20, 30, 60, half, half + 333, len(data) * 9 // 10):
        path.write_bytes(data[:length])
        with pytest.raises(ValueError, match=name):
            read_image(path)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", ["deep.png", "deep.tif", "raw.tif"])
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_the_last_bytes_count(tmp_path, capfd, name):
    path = tmp_path / name
    data = write(path)
    for missing in (1, 2, 5, 13):
        path.write_bytes(data[:-missing])
        with pytest.raises(ValueError, match=name):
            read_image(path)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL", "ignore::RuntimeWarning:PIL")
def test_flipped_bytes_never_crash(tmp_path, name):
    path = tmp_path / name
    data = write(path)
    generator = np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(data)
        for at in generator.integers(0, min(len(data), 600), 4).tolist():
            damaged[at] = int(generator.integers(256))
        path.write_bytes(damaged)
        for read in (read_image, read_size, read_mask):
            result = read_or_message(read, path)
            assert not isinstance(result, str) or name in result


@pytest.mark.parametrize("start", [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0+"])
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_random_bytes_are_errors(tmp_path, start):
    path = tmp_path / "noise.png"
    for seed in range(20):
        path.write_bytes(start + np.random.default_rng(seed).bytes(500))
        for read in (read_image, read_size, read_mask):
            with pytest.raises(ValueError, match=r"Cannot read .*noise\.png"):
                read(path)


def test_damaged_pixels_with_a_wrong_checksum(tmp_path, capfd):
    path = tmp_path / "deep.png"
    data = bytearray(write(path))
    data[len(data) // 2] ^= 255
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"deep\.png"):
        read_image(path)
    assert capfd.readouterr().err == ""


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.png"):
        read_image(tmp_path / "none.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(OSError, match=r"folder\.png"):
        read_image(tmp_path / "folder.png")


def test_unknown_suffix_lists_those_there_are(tmp_path):
    with pytest.raises(ValueError, match=r"scan\.xyz.*\.jpeg, \.jpg.*\.png.*\.tif, \.tiff"):
        read_image("scan.xyz")
    (tmp_path / "scan.xyz").write_bytes(b"rubbish")
    with pytest.raises(ValueError, match=r"scan\.xyz.*\.png.*first bytes are b'rubbish'"):
        read_image(tmp_path / "scan.xyz")


def giant(kind):
    if kind == "png":
        head = struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)
        body = struct.pack(">I", 13) + b"IHDR" + head
        return b"\x89PNG\r\n\x1a\n" + body + struct.pack(">I", zlib.crc32(b"IHDR" + head))
    if kind == "tif":
        tags = [(256, 60000), (257, 60000), (258, 8), (259, 1), (262, 1), (273, 0), (279, 0)]
        entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
        return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", 0)
    frame = struct.pack(">HBHHB", 11, 8, 60000, 60000, 1) + b"\x01\x11\x00"
    return b"\xff\xd8\xff\xc0" + frame + b"\xff\xda\x00\x08\x01\x01\x00\x00?\x00"


@pytest.mark.parametrize("kind", ["png", "jpg", "tif"])
def test_giant_headers_are_refused_before_decoding(tmp_path, recwarn, monkeypatch, kind):
    def never(*_):
        raise AssertionError("decoded")

    monkeypatch.setattr("segclf.data.rasters._by_pillow", never)
    monkeypatch.setattr("segclf.data.rasters.decode_by_opencv", never)
    path = tmp_path / f"giant.{kind}"
    path.write_bytes(giant(kind))
    for read in (read_image, read_size, read_mask):
        with pytest.raises(ValueError, match=rf"giant\.{kind}.*60000 x 60000.*{MAX_PIXELS:,}"):
            read(path)
    assert not recwarn


def test_global_flags_are_left_alone(tmp_path):
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    level = cv2.utils.logging.getLogLevel()
    for name in WRITERS:
        write(tmp_path / name)
        read_image(tmp_path / name)
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    assert cv2.utils.logging.getLogLevel() == level
