"""Images on which thresholders are compared with others' implementations."""

import cv2
import numpy as np
import pytest


def random_image(number, size=(40, 56)):
    """Noise, a gradient, a texture, two blobs, or few gray levels; never constant."""
    generator = np.random.default_rng(number)
    noise = generator.random(size)
    rows, columns = np.mgrid[: size[0], : size[1]]
    kinds = (
        noise ** generator.choice([0.5, 1, 3]),
        rows + generator.uniform(-1, 1) * columns + 10 * noise,
        cv2.GaussianBlur(noise, (0, 0), 4),
        np.hypot(rows - 20, columns - 20).clip(5, 15) + noise * generator.choice([0, 1]),
        np.floor(noise * generator.integers(2, 16)),
    )
    image = kinds[number % len(kinds)]
    low, high = np.sort(generator.choice(256, 2, replace=False))
    image = (image - image.min()) / (image.max() - image.min()) * (high - low) + low
    return np.rint(image).astype(np.uint8)


@pytest.fixture(scope="session")
def images():
    return np.stack([random_image(number) for number in range(200)])
