"""What a file says of itself holds for the decoded image: which way is up, how many frames."""

import cv2
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from segclf.data.readers import read_image, read_mask, read_size

STORED = np.arange(48, dtype=np.uint8).reshape(6, 8)
UPRIGHT = {
    1: STORED,
    2: STORED[:, ::-1],
    3: STORED[::-1, ::-1],
    4: STORED[::-1],
    5: STORED.T,
    6: np.rot90(STORED, -1),
    7: np.rot90(STORED, 2).T,
    8: np.rot90(STORED),
}


def with_orientation(picture, path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.save(path, exif=exif)
    return path


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_orientation_is_applied_to_images_and_masks(tmp_path, suffix, orientation):
    path = with_orientation(Image.fromarray(STORED), tmp_path / f"o{suffix}", orientation)
    expected = UPRIGHT[orientation]
    assert read_size(path) == (*expected.shape, 1)
    np.testing.assert_array_equal(read_image(path)[..., 0], expected)
    np.testing.assert_array_equal(read_mask(path), expected)


def test_orientation_of_16_bit_colour(tmp_path):
    """OpenCV decodes it, and heeds no orientation."""
    colour = np.stack([257 * STORED.astype(np.uint16)] * 3, axis=2)
    cv2.imwrite(str(tmp_path / "plain.png"), colour)
    chunks = with_orientation(Image.new("L", (1, 1)), tmp_path / "exif.png", 6).read_bytes()
    start = chunks.index(b"eXIf") - 4
    exif = chunks[start : start + 12 + int.from_bytes(chunks[start : start + 4], "big")]
    data = (tmp_path / "plain.png").read_bytes()
    (tmp_path / "o.png").write_bytes(data[:33] + exif + data[33:])
    image = read_image(tmp_path / "o.png")
    assert read_size(tmp_path / "o.png") == image.shape == (8, 6, 3)
    np.testing.assert_array_equal(image[..., 0] // 257, UPRIGHT[6])


def test_damaged_exif_costs_no_picture(tmp_path):
    chunk = PngImagePlugin.PngInfo()
    chunk.add(b"eXIf", b"II*\0nonsense")
    Image.fromarray(STORED).save(tmp_path / "o.png", pnginfo=chunk)
    np.testing.assert_array_equal(read_image(tmp_path / "o.png")[..., 0], STORED)


@pytest.mark.parametrize("default_image", [False, True])
def test_animations_are_refused_by_their_header(tmp_path, default_image):
    frames = [Image.new("L", (4, 3), value) for value in (1, 2, 3)]
    options = {"save_all": True, "default_image": default_image}
    frames[0].save(tmp_path / "a.png", append_images=frames[1:], **options)
    for read in (read_size, read_image, read_mask):
        with pytest.raises(
            ValueError, match=r"a\.png.*holds 3 frames; save each as a separate file"
        ):
            read(tmp_path / "a.png")


def test_an_animation_of_one_frame_is_a_picture(tmp_path):
    chunk = PngImagePlugin.PngInfo()
    chunk.add(b"acTL", bytes([0, 0, 0, 1, 0, 0, 0, 0]))
    chunk.add(b"fcTL", bytes(3) + b"\0" + b"\0\0\0\x08\0\0\0\x06" + bytes(14))
    Image.fromarray(STORED).save(tmp_path / "a.png", pnginfo=chunk)
    assert read_size(tmp_path / "a.png") == (6, 8, 1)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png")[..., 0], STORED)
