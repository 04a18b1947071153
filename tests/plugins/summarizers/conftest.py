import numpy as np
import pytest


@pytest.fixture
def planted():
    """Make noise, in which images of class 1 have a bright square somewhere in the upper left."""

    def make(n=24, *, seed=0, n_channels=1, size=24):
        generator = np.random.default_rng(seed)
        y = np.arange(n) % 2
        P = generator.uniform(0, 0.3, (n, n_channels, size, size)).astype(np.float32)
        for p, label in zip(P, y, strict=True):
            top, left = generator.integers(0, 4, 2)
            p[0, top : top + 8, left : left + 8] += 0.65 * label
        return P, y

    return make
