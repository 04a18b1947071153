import itertools

import numpy as np
import pytest
from scipy.special import rel_entr

from segclf.base import supervise
from segclf.data import as_images
from segclf.reports.framing.findings import Findings
from segclf.reports.framing.patches import _cut, _statistics, estimate_divergence

SETTINGS = {
    "encoder": None,
    "n_patches": 1500,
    "n_resamples": 200,
    "level": 0.95,
    "random_state": 0,
}


@pytest.fixture(scope="module")
def paper():
    """The paper's data generating process with 4 pixels an image and Pr(S = 1) = .1."""
    random = np.random.RandomState(0)
    masks = (random.random_sample((2500, 2, 2)) < 0.1).astype(int)
    images = (random.random_sample(masks.shape) < np.where(masks, 0.8, 0.2)).astype(float)
    target = masks.any(axis=(1, 2)).astype(int)
    supervision = supervise(images, images=as_images(images), masks=masks, target=target)
    return Findings(supervision, n_findings=1)


def test_estimates_agree_with_the_closed_form(paper):
    sides = estimate_divergence(paper, patch_size=1, **SETTINGS)
    assert sides.scale == pytest.approx(3.439, rel=0.05)
    assert sides.pixel.low < 0.8317766 < sides.pixel.high
    assert sides.image.low < 0.0713706 < sides.image.high
    assert sides.pixel.estimate == pytest.approx(0.83, abs=0.12)
    assert sides.bound.estimate == pytest.approx(0.245, abs=0.12)
    assert sides.pixel.low > sides.bound.high


def test_intervals_hold_the_truth_where_targets_are_small():
    """Targets of .7 %, 1.6 % and 4.3 % of an image, of which patches of whole images said nothing.

    The interval does not know how well the ratio was learned: at 95 % it holds the truth in 27 of
    30 draws.
    """
    hits = []
    for side, seed in itertools.product((2, 3, 5), range(4)):
        settings = {**SETTINGS, "n_patches": 2000, "random_state": seed}
        found = estimate_divergence(small_targets(side, seed), patch_size=1, **settings)
        share = side**2 / 24**2
        truth = rel_entr([0.8, 0.2], [0.8 - 0.6 * share, 0.2 + 0.6 * share]).sum()
        assert found.image.high - found.image.low < 0.5 * truth
        assert found.image.estimate == pytest.approx(truth, rel=0.35)
        assert found.bound.estimate == pytest.approx(found.image.estimate / share)
        hits.append(found.image.low < truth < found.image.high)
    assert sum(hits) >= 10


def small_targets(side, seed):
    """Images as above, 200 of 24 x 24 pixels; every other one shows a square."""
    random = np.random.RandomState(seed)
    masks = np.zeros((200, 24, 24), dtype=int)
    for mask in masks[::2]:
        top, left = random.randint(0, 24 - side, 2)
        mask[top : top + side, left : left + side] = 1
    images = (random.random_sample(masks.shape) < np.where(masks, 0.8, 0.2)).astype(float)
    target = masks.any(axis=(1, 2)).astype(int)
    supervision = supervise(images, images=as_images(images), masks=masks, target=target)
    return Findings(supervision, n_findings=1)


def test_an_encoder_makes_the_features(paper):
    class Encoder:
        def transform(self, patches):
            self.shape = patches.shape
            return np.zeros((len(patches), 2))

    encoder = Encoder()
    settings = {**SETTINGS, "encoder": encoder, "n_patches": 50}
    sides = estimate_divergence(paper, patch_size=3, **settings)
    assert encoder.shape == (100, 3, 3, 1)
    assert sides.pixel.estimate == pytest.approx(0, abs=1e-9)


def test_patches_lie_around_their_pixels():
    image = np.arange(24).reshape(4, 6, 1)
    patches = _cut(image, np.array([8, 0, 23]), 3)
    assert patches[0, :, :, 0].tolist() == [[1, 2, 3], [7, 8, 9], [13, 14, 15]]
    assert patches[1, :, :, 0].tolist() == [[0, 0, 1], [0, 0, 1], [6, 6, 7]]
    assert patches[:, 1, 1, 0].tolist() == [8, 0, 23]


def test_statistics():
    patch = np.array([[0, 51, 0], [0, 255, 0], [0, 0, 0]], dtype=np.uint8)[None, :, :, None]
    center, mean, deviation, least, greatest = _statistics(patch)[0]
    assert (center, least, greatest) == (1, 0, 1)
    assert mean == pytest.approx(1.2 / 9)
    assert deviation == pytest.approx(np.std([0.2, 1, *[0] * 7]))
