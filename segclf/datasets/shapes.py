"""Synthetic images with known truth: is there a navy circle among the colored shapes?

The data of "S4C" (Hooper et al., section 4.1, Table A2 and appendix A4.1). Every variable that
decides whether segmentation helps classification is a parameter.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils import Bunch, check_random_state

from segclf.datasets.colors import BACKGROUND_COLORS
from segclf.datasets.painter import Painter
from segclf.datasets.parameters import Color, Depth, Location, Radius, check_number
from segclf.datasets.scene import Scene, as_scene
from segclf.datasets.stamps import SHAPES


def make_shapes(
    n_samples: int = 100,
    *,
    image_size: int | tuple[int, int] = 224,
    depth: Depth = None,
    n_objects: int = 50,
    target_color: Color = "navy",
    target_radius: Radius = 8,
    target_shape: str = "circle",
    target_location: Location = None,
    spurious_color: Color = "pink",
    spurious_radius: Radius = 8,
    spurious_shape: str = "square",
    spurious_location: Location = None,
    background_colors: Sequence[Color] = BACKGROUND_COLORS,
    background_radius: Radius = 8,
    background_shapes: Sequence[str] = SHAPES,
    background_location: Location = None,
    n_background_kinds: int | None = None,
    positive_fraction: float = 0.5,
    spurious_correlation: float = 0.5,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Make images of many colored shapes on gray, labeled by whether the target is among them.

    An image is positive with probability `positive_fraction`. With probability
    `spurious_correlation` the image matches: then a positive image shows the spurious object and a
    negative one does not. Without a match it is the reverse. All other objects are background. The
    spurious object is painted first, then the background, then the target, so nothing hides the
    target (appendix A4.1).

    Some choices are not in the paper. Background objects never have both the color and the shape
    of the target or of the spurious object, so `target` and `spurious` are exact. Navy is not one
    of the eight shades of blue; add "navy" to `background_colors` for a task in which shape
    matters, too. Centres are inside the image, and objects at its edge are cut off, so the mask of
    a positive image is never empty.

    Images are made one by one: the first m of n images equal those of a call for m images.
    Datasets with the same seed differ only where a parameter makes them differ.

    Parameters
    ----------
    n_samples : int, default=100
        Number of images.
    image_size : int or (int, int), default=224
        Side, or height and width, in pixels. Radii and locations are not scaled with it.
    depth : int, (int, int) or None, default=None
        Number of slices. If given, volumes are made instead of images: a circle becomes a ball (see
        :func:`solid`), colors become gray of the same luma, and centres are anywhere in depth. A
        pair (low, high) makes volumes of different depths, all equally likely. Objects of equal
        gray and shape count as equal.
    n_objects : int, default=50
        Number of objects in an image, including target and spurious object; at least 2.
    target_color, spurious_color : str or (int, int, int), default="navy", "pink"
        A name in ``COLORS``, or (red, green, blue) in 0..255.
    target_radius, spurious_radius, background_radius : float, (int, int) or dict, default=8
        Number of pixels from the middle pixel of an object to its border (see :func:`stamp`): a
        number; a pair (low, high), whose integers are equally likely, both ends included; or a dict
        {radius: probability}. From 1 to half the smaller side of the image.
    target_shape, spurious_shape : str, default="circle", "square"
        One of ``SHAPES``.
    target_location, spurious_location, background_location : range or (range, range), default=None
        Possible centres in pixels: a range (low, high) for both coordinates, both ends included,
        or one range for x and one for y. None means the whole image.
    background_colors : sequence of colors
        Colors of the background objects, as above. By default yellow, green, pink, red, orange,
        purple and eight shades of blue.
    background_shapes : sequence of str, default=all of ``SHAPES``
        Shapes of the background objects; each pair of a color and a shape is equally likely.
    n_background_kinds : int, default=None
        Use only this number of pairs of a color and a shape, in a fixed order whose neighbors
        differ in both ("number of unique background objects", Table A3). None uses all.
    positive_fraction : float, default=0.5
        Probability of a positive image, in [0, 1].
    spurious_correlation : float, default=0.5
        Probability that the spurious object agrees with the label. At 1 it occurs exactly with the
        target, at 0 exactly without it, and at 0.5 independently of it.
    random_state : int, RandomState or None, default=None
        Seed of all random choices.

    Returns
    -------
    Bunch
        images : uint8 array (n_samples, height, width, 3)
            Red, green, blue. Gray volumes are (n_samples, depth, height, width), or a list of
            n_samples (depth, height, width).
        target : int array (n_samples,)
            1 if the image shows the target.
        masks : uint8 array (n_samples, height, width)
            1 on the target's pixels; for volumes, in their shape.
        spurious : int array (n_samples,)
            1 if the spurious object was painted (others may hide it).
        target_names : array of two str
            Meanings of 0 and 1.
        DESCR : str
            How the images were made.

    Raises
    ------
    ValueError
        If a name is unknown, a probability is outside [0, 1], there are fewer than 2 objects, radii
        or locations do not fit into the image, the spurious object equals the target, or colors
        and shapes leave no background object.

    References
    ----------
    S. Hooper, M. Chen, K. Saab, K. Bhatia, C. Langlotz, C. Ré, "A case for reframing automated
    medical image classification as segmentation" (S4C), NeurIPS 2023, section 4.1, Table
    A2 and appendix A4.1.

    Examples
    --------
    >>> from segclf.datasets import make_shapes
    >>> shapes = make_shapes(4, image_size=96, random_state=0)
    >>> shapes.images.shape, shapes.masks.shape
    ((4, 96, 96, 3), (4, 96, 96))
    >>> (shapes.masks.any(axis=(1, 2)) == shapes.target).all()
    np.True_
    """
    target = ([target_color], [target_shape], target_radius, target_location)
    spurious = ([spurious_color], [spurious_shape], spurious_radius, spurious_location)
    background = (background_colors, background_shapes, background_radius, background_location)
    kinds, fractions = n_background_kinds, (positive_fraction, spurious_correlation)
    scene = as_scene(image_size, n_objects, target, spurious, background, kinds, fractions, depth)
    return _paint(scene, n_samples, random_state)


def _paint(scene: Scene, n_samples: int, random_state: int | np.random.RandomState | None) -> Bunch:
    check_number("n_samples", n_samples, 1, np.inf, integer=True)
    random, painter = check_random_state(random_state), Painter(scene)
    # Every image uses the same number of random numbers, so that images are independent.
    images, masks = _canvases(scene, n_samples)
    labels = np.empty((2, n_samples), dtype=np.int64)
    for i in range(n_samples):
        uniform = random.random_sample(painter.n_random)
        if isinstance(images, list):
            images[i], masks[i] = np.empty((2, painter.depth(uniform), *scene.size), np.uint8)
        labels[:, i] = painter.paint(uniform, images[i], masks[i])
    return Bunch(
        images=images,
        target=labels[0],
        masks=masks,
        spurious=labels[1],
        target_names=np.array(["no target", "target"]),
        DESCR=_DESCRIPTION,
    )


def _canvases(scene: Scene, n_samples: int) -> tuple[Any, Any]:
    """Return arrays for images and masks, or empty lists if depths differ."""
    low, high = scene.depths or (0, 0)
    if low < high:
        return [None] * n_samples, [None] * n_samples
    size = scene.size if scene.depths is None else (low, *scene.size)
    channels = (3,) if scene.depths is None else ()
    return np.empty((n_samples, *size, *channels), np.uint8), np.empty((n_samples, *size), np.uint8)


_DESCRIPTION = """\
Synthetic shapes
----------------
Many colored shapes on a gray background. target is 1 where the target object (by default a navy
circle) is among them, masks marks its pixels. spurious is 1 where the spurious object (by default
a pink square) was painted; parameter spurious_correlation ties it to the target.
Source: the S4C paper, section 4.1, Table A2 and appendix A4.1.
"""
