"""The network that returns a score per class for each pixel."""

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

# A class that occurs in no mask counts as rare, not impossible.
_LEAST_SHARE = 1e-4


class SegmentationNetwork(ImageNetwork):
    """Encoder, decoder and head, for images of any size.

    Made by :func:`segclf.networks.segmentation_network`.

    Parameters
    ----------
    parts : Parts
        Encoder (image to maps), decoder (maps to one map) and head (map to logits).
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
        """Return logits ``(n, k, h, w)`` for images ``(n, c, h, w)``, at the images' own size.

        For volumes, here and below: ``(n, k, d, h, w)`` for ``(n, c, d, h, w)``.

        Under autocast the logits have autocast's type; losses convert.
        """
        prepared = self.prepare(image)
        return self.decode(self.maps(prepared), prepared, image)

    def forward_and_embed(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits and the vectors of :meth:`embed`, with one pass of the encoder."""
        prepared = self.prepare(image)
        maps = self.maps(prepared)
        vectors = pooled(self.encoder, _as_list(maps))
        return self.decode(maps, prepared, image), vectors

    def features(self, image: Tensor) -> list[Tensor]:
        """Return the encoder's maps for images ``(n, c, h, w)``, finest first, padding included.

        The first is the prepared image itself for most encoders. Encoders that start at a quarter
        of the size have an empty map without channels in place of half the size. Maps of enlarged
        images come before those of the image itself, without the enlarged image.
        """
        return _as_list(self.maps(self.prepare(image)))

    def embed(self, image: Tensor) -> Tensor:
        """Return the deepest map's mean, ``(n, d)``, for images ``(n, c, h, w)``."""
        return pooled(self.encoder, self.features(image))

    def set_prior(self, shares: Tensor, *, multilabel: bool) -> Self:
        """Start scores at the log-odds of the classes' shares, if the architecture supports it.

        Then training need not spend steps on learning how rare findings are.

        Parameters
        ----------
        shares : Tensor of shape (k,)
            Shares of the pixels; those of exclusive classes sum to 1.
        multilabel : bool
            Whether a pixel may have several classes.
        """
        if self.takes_prior:
            shares = shares.clamp(_LEAST_SHARE, 1 - _LEAST_SHARE)
            bias: Any = self.head.bias
            with torch.no_grad():
                bias.copy_(shares.logit() if multilabel else shares.log())
        return self

    @property
    def takes_prior(self) -> bool:
        """Whether :meth:`set_prior` has an effect."""
        return find_architecture(self.recipe["architecture"]).prior

    @property
    def turns_maps(self) -> bool:
        """True: the decoder reads turned maps, and its logits are turned back."""
        return True

    def maps(self, prepared: Tensor) -> Any:
        """Return the input of :meth:`decode`: the encoder's maps of prepared images, at all scales.

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
        """Return logits ``(n, k, h, w)`` for maps; only the sizes of both images are used.

        Parameters
        ----------
        maps : list or tuple
            As returned by :meth:`maps`.
        prepared : Tensor of shape (n, c, h', w')
            The images of the maps, normalized and padded.
        image : Tensor of shape (n, c, h, w)
            The original images.
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
        # Even an empty crop would copy the whole gradient in backward.
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
    """Interpolate images (n, c, h, w); patches stay whole, since scales are whole numbers."""
    return image if scale == 1 else F.interpolate(image, scale_factor=scale, mode="bilinear")


def each_map(change: Callable[[Tensor], Tensor], maps: Any) -> Any:
    """Change each map, and leave class tokens unchanged.

    Parameters
    ----------
    change : callable
        Function from a map (n, c, h, w) to another.
    maps : list or tuple
        As returned by :meth:`SegmentationNetwork.maps`.

    Returns
    -------
    list or tuple
        Of the kind that was given.

    Examples
    --------
    >>> import torch
    >>> from segclf.networks import each_map
    >>> each_map(torch.nn.ReLU(), [torch.tensor([[[[-1.0]]]]), torch.tensor([[[[2.0]]]])])
    [tensor([[[[0.]]]]), tensor([[[[2.]]]])]
    """
    if isinstance(maps, tuple):
        return (each_map(change, maps[0]), *maps[1:])
    return [change(each) for each in maps]


def _as_list(maps: Any) -> list[Tensor]:
    """Return only the maps, without the class tokens of a vision transformer."""
    return list(maps[0] if isinstance(maps, tuple) else maps)
