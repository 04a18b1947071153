"""The seven experiments on synthetic shapes of the S4C paper (Table A3, Figure 5)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from sklearn.utils import Bunch, check_random_state

from segclf.datasets.parameters import check_number
from segclf.datasets.shapes import make_shapes

SHAPES_EXPERIMENT_LEVELS: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "class_balance": (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0),
        "location_bias": (0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
        "n_objects": (1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
        "size_bias": (0.01, 0.02, 0.05, 0.1, 0.2, 1 / 3),
        "spurious_correlation": (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0),
        "target_size": (8, 16, 24, 32, 40),
        "training_size": (1_000, 2_000, 5_000, 10_000, 25_000, 50_000, 100_000),
    }
)
"""The experiments' names, and for each the levels to sweep: the paper's ends, our steps."""


def make_shapes_experiment(
    name: str,
    level: float,
    *,
    n_train: int | None = None,
    n_validation: int | None = None,
    n_test: int | None = None,
    image_size: int = 224,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Make the training, validation and test data of one point of one panel of Figure 5.

    One variable of :func:`make_shapes` takes the value `level`; all others keep their defaults.
    The experiment defines the meaning of `level` and the data that it changes:

    - "training_size": the number of training images, 1,000 to 100,000.
    - "class_balance": `positive_fraction` of the training data, 0.01 to 1.
    - "size_bias": the fraction of small targets (radius 8) among the training targets, 1/3
      (unbiased) down to 0; the others are medium (24) and large (40) in equal parts. Validation and
      test data show only small targets. The paper does not name its distribution; the three radii
      are the ends and the middle of its range of target sizes.
    - "spurious_correlation": that of the training data, 0 to 1. The spurious radius is 28 in all
      three parts: only the correlation is said to keep its default in validation and test data.
    - "location_bias": the part of the image in which the training targets' centres may be, as a
      fraction of its side, from 0 (the middle pixel) to 1 (everywhere).
    - "target_size": radius of the target and of the background objects in all parts, 8 to 40.
    - "n_objects": number of unique background objects in all parts, 1 to 10 (each color of a shape
      is one); each image keeps its 50 objects in total.

    The three parts are independent. A part that the level does not affect is the same at every
    level: with one seed, a sweep shares its test data, and a smaller training set is the beginning
    of a larger one.

    Radii and locations, `level` included, are for the paper's 224 x 224 images. At another
    `image_size` they are scaled, so that images show the same scenes at another resolution.

    Parameters
    ----------
    name : str
        One of ``SHAPES_EXPERIMENT_LEVELS``.
    level : float
        The varied variable's value, in the units above.
    n_train : int, default=None
        Number of training images. None means the paper's number: 10,000 for "target_size", 25,000
        for "n_objects", 100,000 for the others. "training_size" takes it from `level` only.
    n_validation, n_test : int, default=None
        Numbers of validation and test images; the paper's are 20,000 and 100,000. An image of
        224 x 224 with its mask takes 0.2 MB, so the paper's numbers take up to 44 GB.
    image_size : int, default=224
        Side of the images in pixels, at least 28 (a radius of 8 is then one pixel).
    random_state : int, RandomState or None, default=None
        Seed of all random choices.

    Returns
    -------
    Bunch
        train, validation, test : Bunch, as :func:`make_shapes` returns them.
        name, level : as given.
        levels : tuple, the experiment's sweep.
        DESCR : str.

    Raises
    ------
    ValueError
        If the name is unknown, the level is out of range, or `n_train` is given for
        "training_size".

    References
    ----------
    S. Hooper, M. Chen, K. Saab, K. Bhatia, C. Langlotz, C. Ré, "A case for reframing automated
    medical image classification as segmentation" (S4C), NeurIPS 2023, Table A3 and Figure 5.

    Examples
    --------
    >>> from segclf.datasets import make_shapes_experiment
    >>> data = make_shapes_experiment(
    ...     "class_balance", 1.0, n_train=4, n_validation=2, n_test=2, image_size=96, random_state=0
    ... )
    >>> data.train.target.tolist(), data.test.images.shape
    ([1, 1, 1, 1], (2, 96, 96, 3))
    """
    _check(name, level, n_train)
    check_number("image_size", image_size, 28, np.inf, integer=True)
    shared = _everywhere(name, level)
    n_default = int(level) if name == "training_size" else _N_TRAIN.get(name, 100_000)
    parts = {
        "train": (n_default if n_train is None else n_train, shared | _training(name, level)),
        "validation": (20_000 if n_validation is None else n_validation, shared),
        "test": (100_000 if n_test is None else n_test, shared),
    }
    seeds = check_random_state(random_state).randint(2**31 - 1, size=len(parts))
    bunch = Bunch(name=name, level=level, levels=SHAPES_EXPERIMENT_LEVELS[name], DESCR=_DESCRIPTION)
    for (part, (n_samples, parameters)), seed in zip(parts.items(), seeds, strict=True):
        pixels = _in_pixels(parameters, image_size)
        bunch[part] = make_shapes(n_samples, image_size=image_size, random_state=seed, **pixels)
    return bunch


def _check(name: str, level: float, n_train: int | None) -> None:
    if name not in _BOUNDS:
        known = ", ".join(SHAPES_EXPERIMENT_LEVELS)
        raise ValueError(f"No experiment named {name!r}; known: {known}.")
    whole = name in ("n_objects", "training_size")
    check_number(f"The level of {name!r}", level, *_BOUNDS[name], integer=whole)
    if name == "training_size" and n_train is not None:
        raise ValueError(
            f"The level of 'training_size' is the number of training images: got {level} and "
            f"n_train={n_train}, expected n_train=None."
        )


def _everywhere(name: str, level: float) -> dict[str, Any]:
    """Settings of training, validation and test data, in pixels of a 224 x 224 image."""
    radii = {"target_radius": 8, "spurious_radius": 8, "background_radius": 8}
    match name:
        case "spurious_correlation":
            return radii | {"spurious_radius": 28}
        case "target_size":
            return radii | {"target_radius": level, "background_radius": level}
        case "n_objects":
            return radii | {"n_background_kinds": level}
    return dict(radii)


def _training(name: str, level: float) -> dict[str, Any]:
    """Settings of the training data only: radii for 224 x 224 images, locations as fractions."""
    match name:
        case "class_balance":
            return {"positive_fraction": level}
        case "spurious_correlation":
            return {"spurious_correlation": level}
        case "location_bias":
            return {"target_location": level}
        case "size_bias":
            return {"target_radius": {8: level, 24: (1 - level) / 2, 40: (1 - level) / 2}}
    return {}


def _in_pixels(parameters: dict[str, Any], image_size: int) -> dict[str, Any]:
    scale = image_size / 224
    pixels = dict(parameters)
    for name, length in parameters.items():
        if name.endswith("_radius"):
            by_radius = isinstance(length, dict)
            pixels[name] = (
                {r * scale: p for r, p in length.items()} if by_radius else length * scale
            )
        elif name.endswith("_location"):
            pixels[name] = _central(length, image_size)
    return pixels


def _central(fraction: float, image_size: int) -> tuple[int, int]:
    middle, last = image_size // 2, image_size - 1
    return round(middle * (1 - fraction)), round(middle + (last - middle) * fraction)


_N_TRAIN = {"target_size": 10_000, "n_objects": 25_000}

_BOUNDS: dict[str, tuple[float, float]] = {
    "class_balance": (0, 1),
    "location_bias": (0, 1),
    "n_objects": (1, np.inf),
    "size_bias": (0, 1),
    "spurious_correlation": (0, 1),
    "target_size": (1, 112),
    "training_size": (1, np.inf),
}

_DESCRIPTION = """\
Experiment on synthetic shapes
------------------------------
train, validation and test data of one experiment at one level; levels is its sweep. The level
changes the training data; target_size and n_objects change all parts.
Source: the S4C paper, Table A3 and Figure 5.
"""
