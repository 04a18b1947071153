"""Random changes of a batch, applied to images and masks together.

All movements of an image are composed into one affine map, so it is interpolated once; brightness,
contrast, saturation and hue are one linear map of its channels. Flips and quarter turns alone are
exact. Filters (grayscale, blur, solarization) are applied only to the images chosen for them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from sklearn.base import BaseEstimator
from torch import Tensor

from segclf.axes import are_volumetric
from segclf.data.affine import oriented_matrix, resample, sampling_grid, sampling_matrix
from segclf.data.augmentation_limits import check_batch, check_settings
from segclf.data.blur import blur
from segclf.data.color import Recoloring, add_noise, extremes, grayscale, moments, recolor, solarize
from segclf.data.memory_order import channels_last, is_channels_last
from segclf.data.orientation import Orientation, flip_slices, orientation, reorient
from segclf.data.random_choices import RandomChoices, random_placement, random_recoloring

_TURNS = ("horizontal_flip", "vertical_flip", "quarter_turns")

Augment = Callable[[Tensor, Tensor | None, torch.Generator], tuple[Tensor, Tensor | None]]


@dataclass(kw_only=True, eq=False, repr=False)
class Augmentation(BaseEstimator):
    """Random flips, movements and changes of color, sampled anew for every image.

    Called as ``augmentation(image, mask, generator)``. By default, nothing changes. Content that
    leaves the image is lost, and a label that depends on it is then wrong: keep `translation`,
    `scale` and `crop` moderate if targets are small.

    All slices of a volume change alike, each in its plane, since voxels are often longer between
    slices.

    Parameters
    ----------
    horizontal_flip, vertical_flip : float
        Probability of mirroring left and right, and top and bottom.
    quarter_turns : float
        Probability of a turn by a random multiple of 90 degrees, 0 included; so 1.0 makes all four
        equally likely. Images that are not square turn by 0 or 180 degrees only.
    slice_flip : float
        For volumes: probability of reversing the order of slices. Images ignore it.
    rotation : float
        Largest angle in degrees, up to 180, in both directions.
    scale : (float, float)
        Smallest and largest magnification, between 0.1 and 10; log-uniform.
    translation : float
        Largest shift as a fraction of width and height.
    shear : float
        Largest angle of the horizontal shear in degrees, up to 60, in both directions.
    crop : (float, float)
        Smallest and largest area, as a fraction of the image (at least 0.01), of a window that
        fills the result; its aspect ratio changes by 3/4 to 4/3.
    brightness : float
        Largest value to add or subtract, in standard deviations of the image.
    contrast : float
        Contrast is multiplied by a factor between ``1 - contrast`` and ``1 + contrast``, around the
        mean of the image.
    saturation : float
        The same for the distance from gray; only with three channels.
    hue : float
        Largest rotation of the colors around gray, in degrees; only with three channels.
    noise : float
        Largest standard deviation of Gaussian noise, in standard deviations of the image.
    grayscale : float
        Probability of replacing all channels by their mean; only with three channels.
    blur : (float, float)
        Smallest and largest standard deviation of a Gaussian blur, in pixels of the result, up to
        100.
    blur_reference_size : int or None
        Shorter side, in pixels, of the images that `blur` is meant for; images half as large are
        blurred half as wide. None blurs images of any size alike.
    blur_probability : float
        Fraction of the images to which `blur` applies.
    solarize : float
        Probability of inverting the values above the middle of the range of the image.
    output_scale : float
        Height and width of the result as fractions of the image's, 0.01 to 1, rounded to whole
        pixels, at least one; the mask's likewise. Interpolated from the nearest four pixels, not
        averaged over the area.
    affine_probability : float
        Fraction of the images to which `rotation`, `scale`, `translation`, `shear` and `crop`
        apply.
    color_probability : float
        Fraction of the images to which the parameters from `brightness` to `noise` apply.

    Notes
    -----
    Changes of color follow movements, in the order of the parameters. Mean, standard deviation and
    extremes are those of all pixels and channels of one image before it moves, so that settings fit
    any units: ``a * image + b`` (``a > 0``) changes as ``image`` does. Values are not clipped.

    Beyond its edges an image is mirrored, and its mask with it; no content is invented. Images are
    interpolated bilinearly and masks take the nearest pixel, so that ids stay ids and ignored
    pixels (-1) stay ignored. Rotation and shear do not distort images that are not square.

    Examples
    --------
    >>> import torch
    >>> augmentation = Augmentation(horizontal_flip=1.0)
    >>> image, mask = torch.rand(2, 3, 8, 8), torch.randint(0, 2, (2, 8, 8))
    >>> moved, moved_mask = augmentation(image, mask, torch.Generator().manual_seed(0))
    >>> bool((moved == image.flip(-1)).all()), bool((moved_mask == mask.flip(-1)).all())
    (True, True)
    """

    horizontal_flip: float = 0.0
    vertical_flip: float = 0.0
    quarter_turns: float = 0.0
    slice_flip: float = 0.0
    rotation: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    translation: float = 0.0
    shear: float = 0.0
    crop: tuple[float, float] = (1.0, 1.0)
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    noise: float = 0.0
    grayscale: float = 0.0
    blur: tuple[float, float] = (0.0, 0.0)
    blur_reference_size: int | None = None
    blur_probability: float = 1.0
    solarize: float = 0.0
    output_scale: float = 1.0
    affine_probability: float = 1.0
    color_probability: float = 1.0

    def __call__(
        self, image: Tensor, mask: Tensor | None, generator: torch.Generator
    ) -> tuple[Tensor, Tensor | None]:
        """Change a batch; the tensors given are not modified.

        Parameters
        ----------
        image : Tensor of shape (n, c, h, w), or (n, c, d, h, w) of volumes, float32
            In any units and on any device.
        mask : Tensor of shape (n, h, w) or (n, k, h, w), int64, or None
            Ids or a stack of 0/1 masks; -1 if unlabeled. For volumes (n, d, h, w) or (n, k, d, h,
            w).
        generator : torch.Generator
            Source of all random numbers; a CPU generator gives the same ones for all devices. The
            changes do not depend on `mask`.

        Returns
        -------
        image, mask
            With the same dtypes and memory formats and, except for `output_scale`, shapes.

        Raises
        ------
        ValueError
            If a parameter is outside its limits, or a tensor has another shape or dtype.
        """
        check_settings(self)
        check_batch(image, mask)
        choices = RandomChoices(len(image), generator)
        # Autocast would round the positions of pixels to half precision.
        with torch.autocast(image.device.type, enabled=False):
            moved, mask = self._move(image, mask, choices)
            moved = self._recolor(moved, image, choices, generator)
            moved = self._filter(moved, image, choices)
        return in_format_of(image, moved), mask

    def _move(
        self, image: Tensor, mask: Tensor | None, choices: RandomChoices
    ) -> tuple[Tensor, Tensor | None]:
        image, mask = self._flip_slices(image, mask, choices)
        height, width = image.shape[-2:]
        size = self._output_size(height), self._output_size(width)
        layout = self._orientation(choices, square=height == width)
        if not self._is_affine() and size == (height, width):
            return reorient(image, layout), None if mask is None else reorient(mask, layout)
        matrix = oriented_matrix(self._matrix(choices, (height, width)), layout)
        grid = sampling_grid(matrix.to(image.device), size)
        return resample(image, grid), None if mask is None else resample(mask, grid)

    def _flip_slices(
        self, image: Tensor, mask: Tensor | None, choices: RandomChoices
    ) -> tuple[Tensor, Tensor | None]:
        if self.slice_flip == 0 or not are_volumetric(image):
            return image, mask
        chosen = choices.happens("slice_flip", self.slice_flip)
        return flip_slices(image, chosen), None if mask is None else flip_slices(mask, chosen)

    @property
    def only_turns(self) -> bool:
        """Whether only flips and quarter turns can happen, which change no pixel value."""
        still = Augmentation().get_params()
        given = self.get_params().items()
        return all(value == still[name] for name, value in given if name not in _TURNS)

    def orientation(
        self, n_images: int, generator: torch.Generator, *, square: bool
    ) -> Orientation:
        """Return the flips and quarter turns of n images, sampled as in a call."""
        return self._orientation(RandomChoices(n_images, generator), square=square)

    def _output_size(self, size: int) -> int:
        return max(1, round(self.output_scale * size))

    def _orientation(self, choices: RandomChoices, *, square: bool) -> Orientation:
        step = 1 if square else 2
        turns = step * choices.between("turn", 0, 4 // step).long()
        return orientation(
            choices.happens("horizontal_flip", self.horizontal_flip),
            choices.happens("vertical_flip", self.vertical_flip),
            turns * choices.happens("quarter_turns", self.quarter_turns),
        )

    def _is_affine(self) -> bool:
        moves = any((self.rotation, self.translation, self.shear))
        zooms = any(limit != 1 for limit in (*self.scale, *self.crop))
        return self.affine_probability > 0 and (moves or zooms)

    def _matrix(self, choices: RandomChoices, size: tuple[int, int]) -> Tensor:
        placement = random_placement(
            choices,
            rotation=self.rotation,
            scale=self.scale,
            translation=self.translation,
            shear=self.shear,
            crop=self.crop,
        )
        matrix = sampling_matrix(placement, size)
        moves = choices.happens("affine", self.affine_probability)
        return torch.where(moves[:, None, None], matrix, torch.eye(2, 3, device=matrix.device))

    def _recolor(
        self, moved: Tensor, image: Tensor, choices: RandomChoices, generator: torch.Generator
    ) -> Tensor:
        chroma = image.shape[1] == 3 and (self.saturation > 0 or self.hue > 0)
        changes = chroma or self.brightness > 0 or self.contrast > 0
        if self.color_probability == 0 or not (changes or self.noise > 0):
            return moved
        mean, deviation = moments(image)
        recoloring = self._recoloring(choices, image.device)
        if changes:
            moved = recolor(moved, recoloring, mean, deviation, chroma=chroma)
        if self.noise > 0:
            moved = add_noise(moved, deviation * recoloring.noise.reshape(mean.shape), generator)
        return moved

    def _recoloring(self, choices: RandomChoices, device: torch.device) -> Recoloring:
        recoloring = random_recoloring(
            choices,
            brightness=self.brightness,
            contrast=self.contrast,
            saturation=self.saturation,
            hue=self.hue,
            noise=self.noise,
            probability=self.color_probability,
        )
        return Recoloring(*torch.stack(recoloring).to(device))

    def _filter(self, moved: Tensor, image: Tensor, choices: RandomChoices) -> Tensor:
        if self.grayscale > 0 and image.shape[1] == 3:
            chosen = choices.happens("grayscale", self.grayscale)
            moved = _replaced(moved, chosen, lambda some, _: grayscale(some))
        if self.blur[1] > 0 and self.blur_probability > 0:
            chosen = choices.happens("blur", self.blur_probability)
            low, largest = (limit * self._blur_scale(image) for limit in self.blur)
            deviation = choices.between("blur_deviation", low, largest).to(image.device)
            moved = _replaced(
                moved, chosen, lambda some, rows: blur(some, deviation[rows], largest=largest)
            )
        if self.solarize > 0:
            chosen = choices.happens("solarize", self.solarize)
            moved = _replaced(
                moved, chosen, lambda some, rows: solarize(some, *extremes(image[rows]))
            )
        return moved

    def _blur_scale(self, image: Tensor) -> float:
        if self.blur_reference_size is None:
            return 1.0
        return min(image.shape[-2:]) / self.blur_reference_size


def _replaced(image: Tensor, chosen: Tensor, change: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Change the chosen images only; `change` receives them and their row indices."""
    rows = chosen.nonzero()[:, 0].to(image.device)
    if len(rows) == 0:
        return image
    return image.index_copy(0, rows, change(image.index_select(0, rows), rows))


def in_format_of(image: Tensor, result: Tensor) -> Tensor:
    """Return the result in the memory format of the image."""
    if is_channels_last(image) and not image.is_contiguous():
        return channels_last(result)
    return result.contiguous()
