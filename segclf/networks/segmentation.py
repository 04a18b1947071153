"""The network that gives every pixel a score per class."""

from collections.abc import Callable
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from segclf.axes import are_volumetric, axes_from
from segclf.data.orientation import Orientation, reorient, undone
from segclf.distributed import in_shares, whole_batch
from segclf.networks.architectures import find_architecture
from segclf.networks.encoders import pooled
from segclf.networks.image_network import ImageNetwork
from segclf.networks.parts import Parts

# A class that no mask shows is rare, not impossible.
_LEAST_SHARE = 1e-4


class SegmentationNetwork(ImageNetwork):
    """Encoder, decoder and head, for images of any size.

    Made by :func:`segclf.networks.segmentation_network`.

    Parameters
    ----------
    parts : Parts
        Encoder (image to maps), decoder (maps to one map) and head (that to logits).
    recipe : dict
        See :class:`ImageNetwork`.
    """

    def __init__(self, parts: Parts, recipe: dict[str, Any]) -> None:
        super().__init__(recipe, stride=parts.stride, smallest=parts.smallest)
        self.encoder = parts.encoder
        self.decoder = parts.decoder
        self.head = parts.head
        self.n_features = int(parts.encoder.out_channels[-1])
        self.scales: list[int] = recipe.get("encoder_scales") or [1]

    def forward(self, image: Tensor) -> Tensor:
        """Give logits ``(n, k, h, w)`` of images ``(n, c, h, w)``, at the images' own size.

        Here and below, of volumes ``(n, k, d, h, w)`` of ``(n, c, d, h, w)``.

        Under autocast the logits have autocast's type; losses convert.
        """
        prepared = self.prepare(image)
        return self.decode(self.maps(prepared), prepared, image)

    def forward_and_embed(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Give the logits and the vectors of :meth:`embed`, by one pass of the encoder."""
        prepared = self.prepare(image)
        maps = self.maps(prepared)
        vectors = pooled(self.encoder, _as_list(maps))
        return self.decode(maps, prepared, image), vectors

    def features(self, image: Tensor) -> list[Tensor]:
        """Give the encoder's maps of images ``(n, c, h, w)``, finest first, padding included.

        The first is the prepared image itself for most encoders; encoders that start at a quarter
        of the size have an empty map of no channels where a half would be. Those of the image
        enlarged come before its own, without that enlarged image.
        """
        return _as_list(self.maps(self.prepare(image)))

    def embed(self, image: Tensor) -> Tensor:
        """Give the deepest map's mean, ``(n, d)``, of images ``(n, c, h, w)``."""
        return pooled(self.encoder, self.features(image))

    def set_prior(self, shares: Tensor, *, multilabel: bool) -> Self:
        """Let scores start at the log-odds of the classes' shares, where the architecture does so.

        Training then spends no steps on how rare findings are.

        Parameters
        ----------
        shares : Tensor of shape (k,)
            Of the pixels; of classes that exclude each other they sum to 1.
        multilabel : bool
            Whether classes do not exclude each other.
        """
        if self.takes_prior:
            shares = shares.clamp(_LEAST_SHARE, 1 - _LEAST_SHARE)
            bias: Any = self.head.bias
            with torch.no_grad():
                bias.copy_(shares.logit() if multilabel else shares.log())
        return self

    @property
    def takes_prior(self) -> bool:
        """Whether :meth:`set_prior` does anything."""
        return find_architecture(self.recipe["architecture"]).prior

    @property
    def turns_maps(self) -> bool:
        """Whether the decoder can be given turned maps: yes, and its logits are turned back."""
        return True

    def maps(self, prepared: Tensor) -> Any:
        """Give what :meth:`decode` reads: the encoder's maps of prepared images, at all scales.

        Returns
        -------
        list of Tensor of shape (n, c_i, h_i, w_i), or a tuple of that list and class tokens
        """
        return in_shares(self._maps, prepared)

    def _maps(self, prepared: Tensor) -> Any:
        if self.scales == [1]:
            return self.encode(prepared)
        maps = [prepared]
        for scale in self.scales:
            maps += self.encode(_enlarged(prepared, scale))[1:]
        return maps

    def decode(self, maps: Any, prepared: Tensor, image: Tensor) -> Tensor:
        """Give logits ``(n, k, h, w)`` of maps; of both images only the size is looked at.

        Parameters
        ----------
        maps : list or tuple
            As :meth:`maps` gives them.
        prepared : Tensor of shape (n, c, h', w')
            The images that the maps are of, normalized and padded.
        image : Tensor of shape (n, c, h, w)
            The images as they were.
        """
        size = prepared.shape[2:]
        turn = self._turn(len(prepared), square=size[-2] == size[-1]) if self.training else None
        maps = maps if turn is None else each_map(lambda each: reorient(each, turn), maps)
        decoded = self.decoder(*maps) if isinstance(maps, tuple) else self.decoder(maps)
        logits: Tensor = self.head(decoded)
        if logits.shape[2:] != size:
            linear = "trilinear" if are_volumetric(logits) else "bilinear"
            logits = F.interpolate(logits, size, mode=linear)
        logits = logits if turn is None else reorient(logits, undone(turn))
        # Cropping nothing would still copy the whole gradient on the way back.
        if torch.compiler.is_exporting() or size != image.shape[2:]:
            for axis in axes_from(2, image):
                logits = logits.narrow(axis, 0, image.shape[axis])
        return logits

    def _turn(self, n_images: int, *, square: bool) -> Orientation | None:
        if self.turns is None:
            return None
        batch = whole_batch(n_images)
        turns = self.turns.orientation(batch.n_images, torch.default_generator, square=square)
        return Orientation(*(each[batch.rows] for each in turns))


def _enlarged(image: Tensor, scale: int) -> Tensor:
    """Interpolate images (n, c, h, w); whole patches stay whole, as a scale is a whole number."""
    return image if scale == 1 else F.interpolate(image, scale_factor=scale, mode="bilinear")


def each_map(change: Callable[[Tensor], Tensor], maps: Any) -> Any:
    """Change each map, and leave the class tokens beside them as they are.

    Parameters
    ----------
    change : callable
        From a map (n, c, h, w) to another.
    maps : list or tuple
        As :meth:`SegmentationNetwork.maps` gives them.
    """
    if isinstance(maps, tuple):
        return (each_map(change, maps[0]), *maps[1:])
    return [change(each) for each in maps]


def _as_list(maps: Any) -> list[Tensor]:
    """Take the maps alone, without the class tokens that a vision transformer gives beside them."""
    return list(maps[0] if isinstance(maps, tuple) else maps)
