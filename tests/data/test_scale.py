"""Images of another scale than those of fit are refused; dark, bright and constant ones are not."""

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from segclf.data import Images, as_images
from segclf.data.scale import OPENED_IMAGES, Scale

BYTES = np.random.default_rng(0).integers(0, 256, (6, 8, 9), dtype=np.uint8)
BYTES[:, 0, :2] = 0, 255
UNIT = BYTES / np.float32(255)
DARK = np.minimum(BYTES, 3)
BITS_12 = BYTES.astype(np.uint16) * 16
HOUNSFIELD = BYTES.astype(np.int16) * 16 - 1024
Z_SCORES = ((BYTES - 127.5) / 73.9).astype(np.float32)
# Most images reach 5, one reaches 300.
RADAR = np.float32(0.1) / (1 - UNIT.clip(0, 0.98))
RADAR[2] *= 60
CONSTANT = np.full((6, 8, 9), 7, dtype=np.float32)

GOES = {
    "bytes": (BYTES, BYTES),
    "dark bytes": (BYTES, DARK),
    "bright bytes after dark ones": (DARK, BYTES),
    "a picture from 0 to 1": (BYTES, UNIT),
    "bytes after a picture from 0 to 1": (UNIT, BYTES),
    "double precision from 0 to 1": (BYTES, UNIT.astype(np.float64)),
    "what resampling adds": (BYTES, UNIT * 1.4 - 0.2),
    "dark from 0 to 1": (UNIT, UNIT / 100),
    "a mask": (BYTES, BYTES > 100),
    "masks": (BYTES > 100, BYTES > 200),
    "bytes after masks": (BYTES > 100, BYTES),
    "16 bits": (BYTES, BYTES.astype(np.uint16) * 257),
    "black of 16 bits": (BYTES, np.zeros_like(BITS_12)),
    "constant of 16 bits": (BYTES, np.full_like(BITS_12, 9)),
    "black floats": (BYTES, np.zeros_like(UNIT)),
    "12 bits after 12 bits": (BITS_12, BITS_12),
    "dark 12 bits after 12 bits": (BITS_12, BITS_12 // 100),
    "dark 16 bits after 16 bits": (BYTES.astype(np.uint16) * 257, BITS_12),
    "12 bits of 65535 as floats": (BITS_12, (BITS_12 / 65535).astype(np.float32)),
    "12 bits after these": ((BITS_12 / 65535).astype(np.float32), BITS_12),
    "Hounsfield units": (HOUNSFIELD, HOUNSFIELD.astype(np.float32)),
    "metal": (HOUNSFIELD, np.maximum(HOUNSFIELD, 30710)),
    "air": (HOUNSFIELD, np.full_like(HOUNSFIELD, -1024)),
    "z-scores": (Z_SCORES, Z_SCORES * 3),
    "faint z-scores": (Z_SCORES, Z_SCORES / 9),
    "z-scores of a bright spot": (Z_SCORES, np.where(UNIT == 1, 20, Z_SCORES)),
    "bytes as floats": (BYTES.astype(np.float32), BYTES.astype(np.int64)),
    "dark bytes as floats": (BYTES.astype(np.float32), DARK.astype(np.float32)),
    "constant after bytes as floats": (BYTES.astype(np.float32), np.full_like(UNIT, 0.5)),
    "radar": (RADAR, RADAR.clip(0, 1)),
    "images of one value say nothing": (CONSTANT, Z_SCORES),
}

DIFFERS = {
    "floats to 255": (BYTES, BYTES.astype(np.float32), "float32 from 0 to 255.*X / 255"),
    "integers to 255": (BYTES, BYTES.astype(np.int64), r"int64 from 0 to 255.*np\.uint8\)"),
    "dark floats to 255": (BYTES, DARK.astype(np.float32), "float32 from 0 to 3.*X / 255"),
    "constant floats": (BYTES, np.full_like(UNIT, 200), "float32 from 200 to 200"),
    "bytes in 16 bits": (BYTES, BYTES.astype(np.uint16), "uint16 from 0 to 255, read as.*X / 255"),
    "12 bits in 16": (BYTES, BITS_12, r"uint16 from 0 to 4080, read as 0 to 0\.062; fit.*X / 4095"),
    "bytes in 16 bits after floats": (UNIT, BYTES.astype(np.uint16), "fit saw float32 from 0 to 1"),
    "bytes after bytes in 16": (BYTES.astype(np.uint16), BYTES, "fit saw uint16 from 0 to 255"),
    "bytes after 12 bits": (BITS_12, BYTES, "uint8, read as 0 to 1; fit saw uint16"),
    "0 to 1 after 12 bits": (BITS_12, UNIT, "float32 from 0 to 1; fit saw uint16"),
    "16 bits after bytes in 16": (BYTES.astype(np.uint16), BITS_12, "from 0 to 4080"),
    "z-scores": (BYTES, Z_SCORES, "float32 from -1.725 to 1.725; fit saw uint8"),
    "Hounsfield units": (BYTES, HOUNSFIELD, "int16 from -1024 to 3056"),
    "bytes after Hounsfield units": (HOUNSFIELD, BYTES, "fit saw int16 from -1024 to 3056"),
    "0 to 1 after Hounsfield units": (HOUNSFIELD, UNIT, "float32 from 0 to 1"),
    "bytes after z-scores": (Z_SCORES, BYTES, "uint8, read as 0 to 1; fit saw float32 from -1.7"),
    "0 to 1 after floats to 255": (BYTES.astype(np.float32), UNIT, r"Pass X \* 255"),
    "bytes after floats to 255": (BYTES.astype(np.float32), BYTES, r"X\.astype\(np\.float32\)"),
    "floats to 65535": (BYTES.astype(np.float32), BYTES * np.float32(257), "from 0 to 6.554e"),
}


@pytest.mark.parametrize("kind", GOES)
def test_same_scale(kind):
    fit, X = GOES[kind]
    scale = as_images(fit).learn_scale().scale
    for each in X:
        as_images(each[None]).expect(scale)


@pytest.mark.parametrize("kind", DIFFERS)
def test_another_scale(kind):
    fit, X, message = DIFFERS[kind]
    scale = as_images(fit).learn_scale().scale
    for each in X:  # each image by itself
        with pytest.raises(ValueError, match=f"Image 0 holds .*{message}"):
            as_images(each[None]).expect(scale)
    company = [fit[0], X[3]]
    with pytest.raises(ValueError, match="Image 1 holds"):
        as_images(company).expect(scale)


def test_what_is_learned():
    assert as_images(BYTES).learn_scale().scale == Scale("uint8", 0, 255, 255)
    assert as_images(BYTES > 9).learn_scale().scale == Scale("bool", 0, 1, 1)
    tensor = torch.from_numpy(UNIT).to(torch.bfloat16)
    assert as_images(tensor).learn_scale().scale == Scale("float32", 0, 1, 1)
    images = as_images(np.stack([HOUNSFIELD[0], HOUNSFIELD[0] // 2, HOUNSFIELD[0] // 4]))
    assert images.learn_scale().scale == Scale("int16", -1024, 3056, 1528)
    assert Images.from_maps(Z_SCORES[:, None]).learn_scale().scale is None


MIXED = {
    "one from 0 to 255 among 0 to 1": ([*UNIT[:4], BYTES[4].astype(np.float32)], "Image 4 .* 255"),
    "one from 0 to 1 among 0 to 255": ([*BYTES[:4].astype(float), UNIT[4]], "Image 4 .* 0 to 1"),
    "bytes and floats": ([*BYTES[:2], BYTES[2].astype(float)], "Image 2 .* such as image 0"),
    "bytes and 12 bits": ([BITS_12[0], *BYTES[:2]], "Image 0 .* uint16 from 0 to 4080.* image 1"),
}


@pytest.mark.parametrize("kind", MIXED)
def test_one_fit_of_several_scales(kind):
    images, message = MIXED[kind]
    for X in (images, [torch.as_tensor(image) for image in images]):
        with pytest.raises(ValueError, match=f"{message}.*in fit must have one scale"):
            as_images(X).learn_scale()


def test_images_that_agree_may_be_of_several_types():
    mixed = [BYTES[0], UNIT[1], BYTES[2] > 100, BYTES[3].astype(np.uint16) * 257]
    assert as_images(mixed).learn_scale().scale.dtype == "uint8"
    assert as_images([*RADAR, RADAR[0].clip(0, 1)]).learn_scale().scale.high > 300


@pytest.fixture
def paths(tmp_path):
    Image.fromarray(BYTES[0]).save(tmp_path / "8.png")
    Image.fromarray(BITS_12[0]).save(tmp_path / "12in16.png")
    cv2.imwrite(str(tmp_path / "float.tif"), BYTES[0].astype(np.float32))
    return [str(tmp_path / name) for name in ("8.png", "12in16.png", "float.tif")]


@pytest.mark.parametrize("order", [[0, 1], [1, 0, 0], [0, 2], [0, 1, 2]])
def test_files_of_several_scales(paths, order):
    with pytest.raises(ValueError, match=r"Image \d \('.*(12in|float).*'\) holds .*one scale"):
        as_images([paths[i] for i in order]).learn_scale()


def test_files_are_checked_as_they_are_taken(paths, monkeypatch):
    opened = []
    read = "segclf.data.file_source.read_image"
    original = __import__("segclf.data.file_source", fromlist=["x"]).read_image
    monkeypatch.setattr(read, lambda path, **of: opened.append(path) or original(path, **of))
    images = as_images(paths[:1] * 50).learn_scale()
    assert opened == []  # 8 bits are known by the header
    assert len(as_images(paths[2:] * 50).learn_scale()) == 50
    assert len(opened) == OPENED_IMAGES
    later = as_images([paths[0], paths[1]], n_channels=1).expect(images.scale)
    later.take([0])
    for call in (lambda: later.take([1]), lambda: later[1], lambda: later.subset([1]).take([0])):
        with pytest.raises(ValueError, match=r"Image 1 \('.*12in16.png'\) holds uint16"):
            call()
