import base64

import cv2
import numpy as np
import pytest

from segclf.reports.page.thumbnails import thumbnail


def decoded(uri):
    head, data = uri.split(",")
    data = base64.b64decode(data)
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return head.removeprefix("data:image/").removesuffix(";base64"), picture, len(data)


def test_small_pictures_keep_every_pixel_and_their_colors():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    kind, picture, _ = decoded(thumbnail(image, longest_side=320, n_bytes=24_000))
    assert kind == "png"
    np.testing.assert_array_equal(picture[..., ::-1], image)


def test_large_pictures_shrink_to_jpeg():
    ramp = np.linspace(0, 1, 900)[None, :, None] * np.ones((600, 1, 1))
    kind, picture, _ = decoded(thumbnail(ramp, longest_side=300, n_bytes=24_000))
    assert (kind, picture.shape) == ("jpeg", (200, 300))
    np.testing.assert_allclose(picture[100], np.linspace(0, 255, 300), atol=4)


@pytest.mark.parametrize("n_bytes", [2_000, 24_000])
def test_noise_is_made_to_fit(n_bytes):
    image = np.random.default_rng(0).integers(0, 256, (500, 500, 3), dtype=np.uint8)
    _, picture, size = decoded(thumbnail(image, longest_side=320, n_bytes=n_bytes))
    assert size <= n_bytes
    assert min(picture.shape[:2]) >= 20
