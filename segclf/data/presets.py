"""Augmentations by name."""

from typing import Any

from segclf.data.augmentation import Augment, Augmentation
from segclf.data.augmentation_limits import check_settings
from segclf.data.own_augmentation import in_our_form

PRESETS: dict[str, dict[str, Any]] = {
    "flips": {"horizontal_flip": 0.5, "vertical_flip": 0.5},
    "light": {
        "horizontal_flip": 0.5,
        "rotation": 10.0,
        "scale": (0.9, 1.1),
        "translation": 0.05,
        "brightness": 0.1,
        "contrast": 0.1,
    },
    "strong": {
        "horizontal_flip": 0.5,
        "vertical_flip": 0.5,
        "rotation": 30.0,
        "scale": (0.8, 1.25),
        "translation": 0.1,
        "shear": 10.0,
        "crop": (0.6, 1.0),
        "brightness": 0.3,
        "contrast": 0.3,
        "saturation": 0.3,
        "hue": 15.0,
        "noise": 0.1,
    },
}


def as_augmentation(spec: str | Augment | None) -> Augment | None:
    """Look up an augmentation by name, or check and return the one given.

    Parameters
    ----------
    spec : None, str, Augmentation or callable
        None changes nothing. The names are

        - ``"flips"``: left and right, top and bottom, each for half of the images; exact.
        - ``"light"``: mirrored left and right, rotated up to 10 degrees, scaled by 10%, moved by
          5%, with slight changes of brightness and contrast; for images that stand upright.
        - ``"strong"``: both flips, turned up to 30 degrees, scaled by a quarter, moved, sheared,
          cropped to 60% of the area or more; brightness, contrast, color and noise.

        A custom callable takes and returns what :class:`Augmentation` does; or it takes a batch of
        images and masks (None if there are none) and returns both; or it takes only images, which
        it must not move. A transform of ``torchvision.transforms.v2`` is called with one image
        after another and its mask. These callables use torch's own generator.

    Returns
    -------
    callable or None
        A new :class:`Augmentation` for a name; a callable with its signature unchanged; any other
        callable wrapped in that form.

    Raises
    ------
    ValueError
        If the name is unknown, or a parameter of an :class:`Augmentation` is outside its limits.
    TypeError
        If `spec` is something else.

    Examples
    --------
    >>> as_augmentation("flips")
    Augmentation(horizontal_flip=0.5, vertical_flip=0.5)
    """
    if isinstance(spec, str):
        if spec not in PRESETS:
            raise ValueError(f"No augmentation named {spec!r}; available: {_names()}.")
        return Augmentation(**PRESETS[spec])
    if isinstance(spec, Augmentation):
        check_settings(spec)
    if spec is None or isinstance(spec, Augmentation):
        return spec
    if callable(spec) and not isinstance(spec, type):
        return in_our_form(spec)
    raise TypeError(
        f"augmentation is {spec!r}; expected None, a name ({_names()}), an Augmentation(...) or "
        "a callable (image, mask, generator) -> (image, mask), (image, mask) -> (image, mask) or "
        "image -> image."
    )


def _names() -> str:
    return ", ".join(sorted(PRESETS))
