"""The random choices of an augmentation: one number per image and choice, all sampled at once."""

import math

import torch
from torch import Tensor

from segclf.data.affine import Placement, crop_window
from segclf.data.color import Recoloring

_CHOICES = (
    *("horizontal_flip", "vertical_flip", "quarter_turns", "turn"),
    *("affine", "rotation", "scale", "translation_x", "translation_y", "shear"),
    *("crop_area", "crop_ratio", "crop_x", "crop_y"),
    *("color", "brightness", "contrast", "saturation", "hue", "noise"),
)
# Sampled separately, so that a seed gives the same choices above as before these were added.
_LATER_CHOICES = ("grayscale", "blur", "blur_deviation", "solarize")
_CHOICES_OF_VOLUMES = ("slice_flip",)


class RandomChoices:
    """All random choices for the images of a batch, needed or not.

    Therefore no setting changes the choices of another, and those for one image do not depend on
    the others. Grayscale, blur and solarization are sampled when first needed, and so are the
    choices that only volumes have.

    Parameters
    ----------
    n_images : int
        Number of images.
    generator : torch.Generator
        Source of the numbers, which are on its device.
    """

    def __init__(self, n_images: int, generator: torch.Generator) -> None:
        self._n_images = n_images
        self._generator = generator
        self._uniform = self._sampled(_CHOICES)

    def happens(self, name: str, probability: float) -> Tensor:
        """Decide for each image, (n,) bool."""
        return self._of(name) < probability

    def between(self, name: str, low: float, high: float) -> Tensor:
        """Return one number for each image, (n,), uniform between `low` and `high`."""
        return low + (high - low) * self._of(name)

    def _of(self, name: str) -> Tensor:
        if name not in self._uniform:
            of_volumes = name in _CHOICES_OF_VOLUMES
            self._uniform |= self._sampled(_CHOICES_OF_VOLUMES if of_volumes else _LATER_CHOICES)
        return self._uniform[name]

    def _sampled(self, choices: tuple[str, ...]) -> dict[str, Tensor]:
        shape = (self._n_images, len(choices))
        uniform = torch.rand(shape, generator=self._generator, device=self._generator.device)
        return dict(zip(choices, uniform.unbind(1), strict=True))


def random_placement(
    choices: RandomChoices,
    *,
    rotation: float,
    scale: tuple[float, float],
    translation: float,
    shear: float,
    crop: tuple[float, float],
) -> Placement:
    """Sample how the content of each image moves; for the settings see `Augmentation`."""
    window, center = crop_window(
        choices.between("crop_area", *crop),
        choices.between("crop_ratio", 0, 1),
        torch.stack([choices.between(name, 0, 1) for name in ("crop_x", "crop_y")], dim=1),
    )
    shift = [choices.between(f"translation_{axis}", -translation, translation) for axis in "xy"]
    return Placement(
        angle=choices.between("rotation", -rotation, rotation),
        shear=choices.between("shear", -shear, shear),
        scale=choices.between("scale", math.log(scale[0]), math.log(scale[1])).exp(),
        shift=torch.stack(shift, dim=1),
        window=window,
        center=center,
    )


def random_recoloring(
    choices: RandomChoices,
    *,
    brightness: float,
    contrast: float,
    saturation: float,
    hue: float,
    noise: float,
    probability: float,
) -> Recoloring:
    """Sample how the colors of each image change; for the settings see `Augmentation`."""
    changes = choices.happens("color", probability).float()
    return Recoloring(
        brightness=changes * choices.between("brightness", -brightness, brightness),
        contrast=1 + changes * choices.between("contrast", -contrast, contrast),
        saturation=1 + changes * choices.between("saturation", -saturation, saturation),
        hue=changes * choices.between("hue", -hue, hue),
        noise=changes * choices.between("noise", 0, noise),
    )
