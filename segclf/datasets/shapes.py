"""Synthetic images with known truth: is there a navy circle among the colored shapes?

The data of "S4C" (Hooper et al., section 4.1, Table A2 and appendix A4.1): every variable that
decides whether segmenting helps classifying is a parameter.
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
    """Draw many colored shapes on gray; the task is to tell whether the target is among them.

    An image is positive with probability `positive_fraction`. It shows the spurious object when
    that agrees with its label (a match, of probability `spurious_correlation`) or when it has no
    target and no match. All other objects are background. The spurious object is painted first,
    then the background, then the target, which therefore nothing hides (appendix A4.1).

    The paper leaves these open, and here they are decided so: background objects never look like
    the target nor like the spurious object (same color and shape, at any radius), so that
    `target` and `spurious` tell exactly what is there. Navy is not one of the eight shades of
    blue: add "navy" to `background_colors` for a task in which shape matters, too. Centres lie
    inside the image while objects at its edge are cut off, so a positive's mask is never empty.

    Images are made one by one: the first m of n images are the m images of a smaller call. All
    else equal, datasets of one seed differ only where a parameter makes them differ.

    Parameters
    ----------
    n_samples : int, default=100
        Number of images.
    image_size : int or (int, int), default=224
        Side, or height and width, in pixels. Radii and locations do not follow it.
    depth : int, (int, int) or None, default=None
        Number of slices: volumes in place of images, in which a circle is a ball (see
        :func:`solid`), gray as light as their colors, with centres anywhere in depth. A pair (low,
        high) makes volumes of different depths, each number as likely. Objects that look alike in
        gray count as alike.
    n_objects : int, default=50
        All objects of an image, the target and the spurious object included; at least 2.
    target_color, spurious_color : str or (int, int, int), default="navy", "pink"
        A name in ``COLORS``, or (red, green, blue) in 0..255.
    target_radius, spurious_radius, background_radius : float, (int, int) or dict, default=8
        How many pixels an object reaches beyond its middle one (see :func:`stamp`): one number;
        (low, high), each integer of which is as likely, both ends included; or a dict {radius:
        probability}. From 1 to half the image's smaller side.
    target_shape, spurious_shape : str, default="circle", "square"
        One of ``SHAPES``.
    target_location, spurious_location, background_location : range or (range, range), default=None
        Where centres may be, in pixels: a range (low, high) for both coordinates, both ends
        included, or one for x and one for y. None is the whole image.
    background_colors : sequence of colors
        Colors of the background objects, as above. By default yellow, green, pink, red, orange,
        purple and eight shades of blue.
    background_shapes : sequence of str, default=all of ``SHAPES``
        Shapes of the background objects; each pair of a color and a shape is equally likely.
    n_background_kinds : int, default=None
        Use only the first so many pairs of a color and a shape, in a fixed order whose neighbors
        differ in both ("number of unique background objects", Table A3). None uses all.
    positive_fraction : float, default=0.5
        Probability of a positive image, in [0, 1].
    spurious_correlation : float, default=0.5
        At 1 the spurious object always and only occurs with the target, at 0 always and only
        without it, at 0.5 independently of it.
    random_state : int, RandomState or None, default=None
        Decides every random choice.

    Returns
    -------
    Bunch
        images : uint8 array (n_samples, height, width, 3)
            Red, green, blue. Gray volumes are (n_samples, depth, height, width), or a list of
            n_samples (depth, height, width).
        target : int array (n_samples,)
            1 where the target is there.
        masks : uint8 array (n_samples, height, width)
            1 on the target's pixels; of volumes as these.
        spurious : int array (n_samples,)
            1 where the spurious object was painted (others may hide it).
        target_names : array of two str
            What 0 and 1 mean.
        DESCR : str
            How the images were made.

    Raises
    ------
    ValueError
        For unknown names, probabilities outside [0, 1], fewer than 2 objects, radii or locations
        that do not fit into the image, a spurious object that is the target, and colors and
        shapes that leave no background object.

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
    # Every image takes equally many numbers, so that no image depends on the others.
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
    """Return arrays for images and masks; lists, to be filled, where they differ in depth."""
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
