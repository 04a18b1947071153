"""Both sides of S4C's Proposition 1, estimated from patches around random pixels.

The central pixel of a patch decides which distribution it belongs to, since the paper's X_k is one
pixel: outside or inside the masks. Both sides are computed from these two distributions, since the
pixels of positive images are a mixture of them (S4C, equation A5). A direct comparison of patches
from positive and negative images would depend on the few patches that show a target.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from segclf.data import to_float
from segclf.metrics import (
    ConfidenceInterval,
    confidence_interval,
    kl_lower_bound,
    log_density_ratio,
)
from segclf.reports.framing.findings import Findings


@dataclass(frozen=True, kw_only=True)
class DivergenceEstimate:
    """The values of `FramingDivergence` as lower bounds with intervals.

    Parameters
    ----------
    pixel : ConfidenceInterval
        Divergence of patches outside masks from patches inside, in nats.
    image : ConfidenceInterval
        Divergence of patches of negative images from those of positive images (a mixture), in
        nats.
    scale : float
        Inverse of the share of target pixels in positive images.
    """

    pixel: ConfidenceInterval
    image: ConfidenceInterval
    scale: float

    @property
    def bound(self) -> ConfidenceInterval:
        """The right side of the proposition, ``scale * image``."""
        return ConfidenceInterval(*(self.scale * value for value in self.image))


def estimate_divergence(
    findings: Findings,
    *,
    encoder: Any,
    patch_size: int,
    n_patches: int,
    n_resamples: int,
    level: float,
    random_state: int,
) -> DivergenceEstimate:
    """Estimate both sides of Proposition 1.

    Parameters
    ----------
    findings : Findings
        The images and masks.
    encoder : transformer or None
        Maps patches (m, p, p, c) to features (m, d); None uses statistics of their values.
    patch_size : int
        Height and width p of a patch, odd.
    n_patches : int
        Number of patches to sample from each of the two distributions.
    n_resamples, level : int, float
        Resamples and level of the intervals, by a bootstrap of whole groups.
    random_state : int
        Seed of the sampling and of the bootstrap.

    Returns
    -------
    DivergenceEstimate
    """
    random = check_random_state(random_state)
    sizes = findings.region_sizes
    counts = np.array([random.multinomial(n_patches, w / w.sum()) for w in sizes.T])
    patches, origins, images = _sample(findings, counts.T, patch_size, random)
    features = _statistics(patches) if encoder is None else encoder.transform(patches)
    is_first, units = origins == 0, findings.units[images]
    ratio = log_density_ratio(features, is_first, groups=units, random_state=random_state)
    inside = sizes[findings.positive & findings.masks.labeled]
    share = float(inside[:, 1].sum() / inside.sum())
    bootstrap: Any = {"n_resamples": n_resamples, "level": level, "random_state": random_state}
    pixel, image = (
        confidence_interval(
            partial(kl_lower_bound, share=part), is_first, ratio, groups=units, **bootstrap
        )
        for part in (1.0, share)
    )
    return DivergenceEstimate(pixel=pixel, image=image, scale=1 / share)


def _sample(
    findings: Findings, counts: NDArray[np.int64], patch_size: int, random: np.random.RandomState
) -> tuple[NDArray[Any], NDArray[np.intp], NDArray[np.intp]]:
    """Return patches (m, p, p, c), cut from one image at a time, their distribution and image."""
    sampled = np.flatnonzero(counts.any(axis=1))
    patches = []
    for index in sampled.tolist():
        image, target = findings.images[index], findings.target(index)
        assert target is not None  # no pixels are sampled from images without a mask
        choices = (np.flatnonzero(target == 0), np.flatnonzero(target == 1))
        pixels = [random.choice(c, n) for c, n in zip(choices, counts[index], strict=True) if n]
        patches.append(_cut(image, np.concatenate(pixels), patch_size))
    origins = [np.repeat(np.arange(2), counts[index]) for index in sampled]
    images = np.repeat(sampled, counts[sampled].sum(axis=1))
    return np.concatenate(patches), np.concatenate(origins), images


def _cut(image: NDArray[Any], pixels: NDArray[np.intp], patch_size: int) -> NDArray[Any]:
    """Cut a patch around each pixel; the image is mirrored at its edges."""
    border = patch_size // 2
    padded = np.pad(image, ((border, border), (border, border), (0, 0)), mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (patch_size, patch_size), (0, 1))
    rows, columns = np.unravel_index(pixels, image.shape[:2])
    return windows[rows, columns].transpose(0, 2, 3, 1)


def _statistics(patches: NDArray[Any]) -> NDArray[np.float32]:
    """Return center, mean, deviation, minimum and maximum (m, 5 c) of patches (m, h, w, c)."""
    values = to_float(patches)
    center = values[:, values.shape[1] // 2, values.shape[2] // 2]
    reduced = [getattr(values, name)(axis=(1, 2)) for name in ("mean", "std", "min", "max")]
    return np.concatenate([center, *reduced], axis=1)
