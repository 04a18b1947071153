import numpy as np
import pytest
import torch
from sklearn.base import clone

from segclf.data import RedNormalizer

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 3), dtype=np.uint8)


def expected(images):
    red, green, blue = np.moveaxis(np.asarray(images, dtype=np.float64) / 255, -1, 0)
    return (red / np.sqrt(red**2 + green**2 + blue**2 + 1e-11))[..., None]


def test_the_formula():
    normalized = clone(RedNormalizer()).fit(IMAGES).transform(IMAGES)
    assert normalized.dtype == np.float32
    assert normalized.shape == (3, 5, 7, 1)
    np.testing.assert_allclose(normalized, expected(IMAGES), atol=1e-6)


def test_brightness_cancels_out():
    scaled = IMAGES.astype(np.float32) + 1
    for factor in (0.1, 7.0):
        np.testing.assert_allclose(
            RedNormalizer().transform(factor * scaled),
            RedNormalizer().transform(scaled),
            rtol=1e-5,
        )


def test_images_of_every_form_say_the_same():
    whole = RedNormalizer().transform(IMAGES)
    for images in (
        list(IMAGES),
        torch.from_numpy(IMAGES).permute(0, 3, 1, 2),
        IMAGES.astype(np.float32) / 255,
        IMAGES.astype(np.uint16) * 257,
    ):
        np.testing.assert_allclose(RedNormalizer().transform(images), whole, atol=1e-6)


def test_a_list_of_several_sizes_gives_a_list():
    images = [IMAGES[0], IMAGES[1, :3]]
    normalized = RedNormalizer().transform(images)
    assert [image.shape for image in normalized] == [(5, 7, 1), (3, 7, 1)]


def test_black_and_constant_images_are_finite():
    assert (RedNormalizer().transform(np.zeros((1, 2, 2, 3))) == 0).all()
    gray = RedNormalizer().transform(np.full((1, 2, 2, 3), 9, dtype=np.uint8))
    np.testing.assert_allclose(gray, 1 / np.sqrt(3), rtol=1e-6)


def test_images_without_color_are_refused():
    with pytest.raises(ValueError, match="X has 1 channel"):
        RedNormalizer().transform(IMAGES[..., 0])
