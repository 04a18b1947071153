"""The views of teacher and student: the whole image, and strong views."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from segclf.data import Augmentation, boxes_at, cutmix, cutmix_boxes
from segclf.networks import SegmentationNetwork, each_map

# A brightness factor of 1 +- .5 shifts an image by about one standard deviation, our unit. Crops in
# UniMatch V2 have 518 pixels.
PHOTOMETRIC = Augmentation(
    brightness=1.0,
    contrast=0.5,
    saturation=0.5,
    hue=90.0,
    color_probability=0.8,
    grayscale=0.2,
    blur=(0.1, 2.0),
    blur_reference_size=518,
    blur_probability=0.5,
)


class Seen(NamedTuple):
    """Images, and the encoder's maps of them, if available.

    Parameters
    ----------
    image, prepared : Tensor
        The images unchanged, and normalized and padded.
    maps : list, tuple or None
        None lets each network use its own encoder.
    """

    image: Tensor
    prepared: Tensor
    maps: Any

    def rows(self, chosen: Tensor) -> "Seen":
        """Select some of the images."""
        return Seen(*_each_tensor(lambda values: values[chosen], self))

    def twice(self) -> "Seen":
        """Return all images twice, one after the other."""
        return Seen(*_each_tensor(lambda values: torch.cat([values, values]), self))

    def scores_of(self, network: SegmentationNetwork) -> Tensor:
        """Return a network's logits (n, k, h, w)."""
        maps = network.maps(self.prepared) if self.maps is None else self.maps
        return network.decode(maps, self.prepared, self.image)


def seen_by(student: SegmentationNetwork, image: Tensor) -> Seen:
    """Return the images as weak views, with the maps of a frozen encoder."""
    prepared = student.prepare(image)
    return Seen(image, prepared, None if student.encoder_learns else student.maps(prepared))


@dataclass(frozen=True, kw_only=True)
class StrongViews:
    """Two strong views of each image, or of its maps if the encoder is frozen.

    Parameters
    ----------
    cutmix, feature_dropout, feature_noise, photometric
        As in `WeakToStrongSegmenter`.
    """

    cutmix: float
    feature_dropout: float
    feature_noise: float
    photometric: Any

    def __call__(self, student: SegmentationNetwork, weak: Seen) -> tuple[Seen, Tensor]:
        """Return both views of n images, 2 n in all, and the box mixed into each.

        Returns
        -------
        Seen
            The 2 n views, with maps.
        Tensor of shape (2 n, h, w), bool
            The boxes, at the images' size.
        """
        if weak.maps is None:
            strong, boxes = self._of_images(student, weak.twice())
        else:
            strong, boxes = self._of_maps(weak.twice())
        dropped = each_map(self._complementary(len(weak.image)), strong.maps)
        return strong._replace(maps=dropped), boxes

    def _of_images(self, student: SegmentationNetwork, weak: Seen) -> tuple[Seen, Tensor]:
        boxes = self._boxes(len(weak.image), weak.image.shape)
        with torch.autocast(weak.image.device.type, enabled=False):
            image = cutmix(self.photometric(weak.image, None, torch.default_generator)[0], boxes)
        prepared = student.prepare(image)
        return Seen(image, prepared, student.maps(prepared)), boxes

    def _of_maps(self, weak: Seen) -> tuple[Seen, Tensor]:
        levels = weak.maps[0] if isinstance(weak.maps, tuple) else weak.maps
        coarsest = min((each.shape for each in levels), key=lambda shape: shape[-2:])
        boxes = self._boxes(len(weak.image), coarsest)
        maps = each_map(lambda maps: self._noisy(cutmix(maps, boxes)), weak.maps)
        on_pixels = boxes_at(boxes, weak.prepared.shape)
        height, width = weak.image.shape[-2:]
        return weak._replace(maps=maps), on_pixels[:, :height, :width]

    def _boxes(self, n_images: int, shape: torch.Size) -> Tensor:
        # The estimator has seeded torch's own generator.
        return cutmix_boxes(n_images, shape, self.cutmix, torch.default_generator)

    def _noisy(self, maps: Tensor) -> Tensor:
        if self.feature_noise == 0:
            return maps
        noise = torch.randn(maps.shape, generator=torch.default_generator).to(maps)
        return maps + self.feature_noise * maps.std((0, 2, 3), keepdim=True) * noise

    def _complementary(self, n_images: int) -> Callable[[Tensor], Tensor]:
        affected = torch.rand(n_images, generator=torch.default_generator) < self.feature_dropout

        def drop(maps: Tensor) -> Tensor:
            shape = n_images, maps.shape[1]
            first = 2.0 * torch.randint(2, shape, generator=torch.default_generator)
            first = torch.where(affected[:, None], first, 1.0)
            return maps * torch.cat([first, 2 - first])[..., None, None].to(maps)

        return drop


def _each_tensor(change: Callable[[Tensor], Tensor], value: Any) -> Any:
    """Change every tensor of lists and tuples, class tokens too."""
    if isinstance(value, Tensor):
        return change(value)
    if value is None:
        return None
    changed = [_each_tensor(change, each) for each in value]
    return changed if isinstance(value, list) else tuple(changed)
