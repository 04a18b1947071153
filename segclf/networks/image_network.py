"""What every network for images has in common: normalization, padding, kept maps."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segclf.axes import across
from segclf.data import Augmentation
from segclf.distributed import in_shares, n_processes
from segclf.networks.encoder_levels import levels_above
from segclf.networks.only_size import explain_size
from segclf.networks.waiting_maps import encoded

# A standard deviation this small relative to the mean is rounding noise of float32, not contrast.
_CONSTANT = 1e-6

#: One number for all spatial axes, or one for each.
Sides = int | Sequence[int]


class ImageNetwork(nn.Module, ABC):
    """A network that takes images of any size, without normalization.

    Images are normalized per channel by the buffers `mean` and `std`, then padded at the bottom and
    on the right by repeating the last row and column, only as far as `stride` and `smallest`
    require. Unlike reflection, repeating also works for images smaller than the padding.

    Parameters
    ----------
    recipe : dict
        What :func:`segclf.networks.build` needs to make this network again; JSON-able.
    stride : int, or (int, int, int) of volumes
        Height and width are padded to a multiple of this number of pixels; for volumes also the
        number of slices, each axis to its own multiple.
    smallest : int, or (int, int, int) of volumes
        Height and width are padded to at least this number of pixels.

    Attributes
    ----------
    mean, std : Tensor of shape (c,)
        0 and 1 until :meth:`set_statistics`.
    encoder : nn.Module
        From image to maps, or to a vector.
    n_features : int
        Length of the vectors that :meth:`embed` returns.
    encoder_rate, encoder_start, layer_decay : float
        1, 0 and 1 until :meth:`set_encoder_rate`.
    encoder_learns : bool
        Whether the encoder is trained, and not frozen, at present.
    weights : dict or None
        Where the encoder's weights came from, as plain data; None for random ones, and in a network
        made again from its recipe.
    turns : Augmentation or None
        Flips and quarter turns that training applies to maps instead of images, if `turns_maps`.
        The maps of a flipped image are not quite the flipped maps of the image. They are used with
        a frozen encoder, since it then sees each image only once.
    statistics : (mean, std) or None
        Statistics of the channels for pixels from 0 to 1, as published with the weights.
    """

    mean: Tensor
    std: Tensor
    encoder: nn.Module
    n_features: int
    encoder_rate: float = 1.0
    encoder_start: float = 0.0
    layer_decay: float = 1.0
    encoder_learns: bool = True
    weights: dict[str, Any] | None = None
    turns: Augmentation | None = None
    statistics: tuple[tuple[float, ...], tuple[float, ...]] | None = None

    def __init__(self, recipe: dict[str, Any], *, stride: Sides = 1, smallest: Sides = 1) -> None:
        super().__init__()
        self.recipe = recipe
        self.stride = stride
        self.smallest = smallest
        self.register_buffer("mean", torch.zeros(recipe["in_channels"]))
        self.register_buffer("std", torch.ones(recipe["in_channels"]))

    def __call__(self, *images: Tensor) -> Any:
        """Compute `forward`; several processes that train compute some of the images each."""
        keeps_maps = "forward" in self.encoder.__dict__ and not torch.is_inference_mode_enabled()
        if keeps_maps and n_processes() > 1:
            self.embed(*images)  # so that every process keeps the maps of all images
        return in_shares(super().__call__, *images)

    @abstractmethod
    def features(self, image: Tensor) -> list[Tensor]:
        """Return the encoder's maps, finest first, of images ``(n, c, h, w)``."""

    @abstractmethod
    def embed(self, image: Tensor) -> Tensor:
        """Return one vector per image, ``(n, d)``, for images ``(n, c, h, w)``."""

    @property
    def turns_maps(self) -> bool:
        """Whether `turns` is applied to maps in place of the images."""
        return False

    def set_statistics(self, mean: Any, std: Any) -> Self:
        """Set the statistics of the channels that images are normalized by.

        A channel that is almost constant (a standard deviation below 1e-6 of its mean) is only
        centered: dividing by its noise would magnify the smallest change.

        Parameters
        ----------
        mean, std : array-like of shape (c,)
            In the units of later images.

        Returns
        -------
        ImageNetwork
            This network.

        Raises
        ------
        ValueError
            For another number of channels, for values that are not finite, for a negative `std`.
        """
        mean, std = self._statistic("mean", mean), self._statistic("std", std)
        if (std < 0).any():
            raise ValueError(f"std={std.tolist()}; a standard deviation cannot be negative.")
        floor = (_CONSTANT * mean.abs()).clamp(min=torch.finfo(torch.float32).tiny)
        self.mean.copy_(mean)
        self.std.copy_(torch.where(std <= floor, 1.0, std))
        return self

    def set_encoder_rate(
        self, rate: float, *, start: float = 0.0, layer_decay: float = 1.0
    ) -> Self:
        """Train the encoder at `rate` times the learning rate of the rest; 0 freezes it.

        A frozen encoder also keeps its statistics: its batch normalizations no longer use the
        batch.

        Parameters
        ----------
        rate : float
            Rate of the encoder's last block, or stage.
        start : float
            Share of training in which the encoder is frozen at first, until
            :meth:`let_encoder_learn`.
        layer_decay : float
            Ratio of the rate of a block, or stage, to that of the next one.

        Returns
        -------
        ImageNetwork
            This network.
        """
        self.encoder_rate, self.layer_decay = rate, layer_decay
        self.encoder_start = start if rate > 0 else 0.0
        self.encoder_learns = rate > 0 and start == 0
        self.encoder.requires_grad_(self.encoder_learns)
        return self

    def let_encoder_learn(self) -> None:
        """End the part of training with a frozen encoder; turns are applied to images again."""
        self.encoder_learns = True
        self.encoder.requires_grad_(True)
        self.encoder.train(self.training)
        self.turns = None

    def encoder_rates(self) -> dict[nn.Parameter, float]:
        """Return the rate of each encoder parameter whose rate differs from that of the rest."""
        rate, decay = self.encoder_rate, self.layer_decay
        if rate == decay == 1 and self.encoder_start == 0:
            return {}
        if decay == 1 or rate == 0:
            return dict.fromkeys(self.encoder.parameters(), rate)
        above = levels_above(self.encoder, self.recipe["in_channels"])
        return {parameter: rate * decay**n for parameter, n in above.items()}

    def train(self, mode: bool = True) -> Self:
        """Set the mode of all modules; a frozen encoder stays in evaluation mode."""
        super().train(mode)
        if not self.encoder_learns:
            self.encoder.eval()
        return self

    def prepare(self, image: Tensor) -> Tensor:
        """Normalize and pad images ``(n, c, h, w)`` for the layers.

        Raises
        ------
        ValueError
            For images with another number of channels.
        """
        n_channels = image.shape[1]
        if n_channels != self.recipe["in_channels"]:
            raise ValueError(
                f"Images have {n_channels} channels; expected {self.recipe['in_channels']}."
            )
        image = (image - across(self.mean, image, axis=1)) / across(self.std, image, axis=1)
        return padded(image, stride=self.stride, smallest=self.smallest)

    def encode(self, prepared: Tensor, by: Callable[[Tensor], Any] | None = None) -> Any:
        """Return the encoder's output for images that :meth:`prepare` returned.

        Parameters
        ----------
        prepared : Tensor of shape (n, c, h, w)
            The images.
        by : callable, optional
            Method of the encoder to call instead of its `forward`.

        Raises
        ------
        ValueError
            If the encoder takes only one size, and images have another one.
        """
        try:
            return encoded(by or self.encoder, prepared)
        except (AssertionError, RuntimeError) as error:
            scaled = "encoder_scales" in self.recipe
            explain_size(self.recipe["encoder"], prepared, error, scaled=scaled)
            raise

    def _statistic(self, name: str, values: Any) -> Tensor:
        tensor = torch.as_tensor(values, dtype=torch.float32, device=self.mean.device).reshape(-1)
        if tensor.shape != self.mean.shape:
            raise ValueError(
                f"{name} has {tensor.numel()} values; expected {self.mean.numel()}, one for each "
                "channel."
            )
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{name}={tensor.tolist()}; every value must be finite.")
        return tensor


def padded(image: Tensor, *, stride: Sides, smallest: Sides) -> Tensor:
    """Repeat the last row and column of (n, c, h, w) to multiples of `stride` and to `smallest`.

    For volumes (n, c, d, h, w) the last slice, too.

    Parameters
    ----------
    image : Tensor of shape (n, c, h, w)
        A batch of images, or of volumes (n, c, d, h, w).
    stride : int or tuple of int
        Every side becomes a multiple of it.
    smallest : int or tuple of int
        Minimum of every side.

    Returns
    -------
    Tensor
        The padded batch.

    Examples
    --------
    >>> tuple(padded(torch.zeros(1, 3, 4, 18), stride=4, smallest=8).shape)
    (1, 3, 8, 20)
    """
    size = image.shape[2:]
    rules = zip(size, _of_axes(stride, size), _of_axes(smallest, size), strict=True)
    wanted = [_whole_strides(*rule) for rule in rules]
    if torch.compiler.is_exporting():
        for axis, side in enumerate(wanted, 2):
            image = _repeated(image, axis, side)
        return image
    beyond = [after - before for after, before in zip(wanted, size, strict=True)]
    # the last axis first, each without padding before it
    padding = [each for missing in reversed(beyond) for each in (0, missing)]
    return F.pad(image, padding, mode="replicate") if any(beyond) else image


def _of_axes(sides: Sides, size: Sequence[int]) -> Sequence[int]:
    return [sides] * len(size) if isinstance(sides, int) else sides


def _whole_strides(side: int, stride: int, smallest: int) -> int:
    """Return a side's padded length, in a form that shows that `stride` divides it.

    From that, a graph with free sizes knows that maps of halved sides fit together.
    """
    n_strides: Any = torch.sym_max((side + stride - 1) // stride, -(-smallest // stride))
    return stride * n_strides


def _repeated(image: Tensor, axis: int, side: int) -> Tensor:
    last = image.shape[axis] - 1
    return image.index_select(axis, torch.arange(side, device=image.device).clamp(max=last))
