"""Gray textures that single pixels and histograms do not distinguish; views share their kind."""

import numpy as np
from numpy.typing import NDArray

SIZE = 32
N_KINDS = 8
N_WAVES = 3
NOISE = 1.0  # as strong as the waves


def make_textures(n_images: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return gray images (n, 32, 32) of 8 bit, and which of eight kinds each is, evenly.

    A kind is three waves with fixed directions, lengths and amplitudes. Phases, brightness and
    contrast are random for each image, and noise is added.
    """
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(n_images) % N_KINDS)
    kinds = np.random.default_rng(0)
    angles = kinds.uniform(0, np.pi, (N_KINDS, N_WAVES))
    frequencies = 2 * np.pi / kinds.uniform(4, 12, (N_KINDS, N_WAVES))
    heights = kinds.uniform(0.3, 1, (N_KINDS, N_WAVES))
    images = [paint(angles[k], frequencies[k], heights[k], random) for k in labels]
    return np.stack(images), labels


def paint(
    angles: NDArray[np.float64],
    frequencies: NDArray[np.float64],
    heights: NDArray[np.float64],
    random: np.random.Generator,
) -> NDArray[np.uint8]:
    y, x = np.mgrid[:SIZE, :SIZE][..., None]
    along = np.cos(angles) * x + np.sin(angles) * y
    waves = heights * np.cos(frequencies * along + random.uniform(0, 2 * np.pi, N_WAVES))
    pattern = waves.sum(axis=-1) / np.sqrt((heights**2).sum() / 2)
    noisy = pattern + random.normal(0, NOISE, pattern.shape)
    gray = random.uniform(90, 165) + random.uniform(10, 30) * noisy
    return gray.clip(0, 255).astype(np.uint8)
