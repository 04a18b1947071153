"""What every network for images does before and after its layers: normalize, pad, remember."""

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

# A standard deviation this small beside the mean is float32's rounding noise, not contrast.
_CONSTANT = 1e-6

#: One number for all spatial axes, or one for each.
Sides = int | Sequence[int]


class ImageNetwork(nn.Module, ABC):
    """A network that takes images as they are: any size, not normalized.

    Images are normalized per channel by the buffers `mean` and `std`, then padded at the bottom and
    on the right by repeating the last row and column, only as far as `stride` and `smallest` ask.
    Repeating works for images smaller than the padding, where reflection does not.

    Parameters
    ----------
    recipe : dict
        What :func:`segclf.networks.build` needs to make this network again; JSON-able.
    stride : int, or (int, int, int) of volumes
        Height and width are padded to a multiple of this many pixels; of volumes the number of
        slices, too, each axis to its own.
    smallest : int, or (int, int, int) of volumes
        And to at least this many.

    Attributes
    ----------
    mean, std : Tensor of shape (c,)
        0 and 1 until :meth:`set_statistics`.
    encoder : nn.Module
        Image to maps, or to a vector.
    n_features : int
        Length of what :meth:`embed` gives.
    encoder_rate, encoder_start, layer_decay : float
        1, 0 and 1 until :meth:`set_encoder_rate`.
    encoder_learns : bool
        Whether the encoder is not frozen, for now or for good.
    weights : dict or None
        Where the encoder's weights came from, as plain data; None for random ones. With the network
        made again from its recipe it is None too.
    turns : Augmentation or None
        Flips and quarter turns that training makes of the maps instead of the images, where
        `turns_maps`. Maps of a flipped image are not quite the flipped maps of the image; for a
        frozen encoder they stand for them, since it then sees each image once.
    statistics : (mean, std) or None
        Of the channels for pixels from 0 to 1, as whoever publishes those weights says.
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
        """Compute `forward`; where several processes train, each of some of the images."""
        keeps_maps = "forward" in self.encoder.__dict__ and not torch.is_inference_mode_enabled()
        if keeps_maps and n_processes() > 1:
            self.embed(*images)  # so that all keep the maps of all images, which move between them
        return in_shares(super().__call__, *images)

    @abstractmethod
    def features(self, image: Tensor) -> list[Tensor]:
        """Give the encoder's maps, finest first, of images ``(n, c, h, w)``."""

    @abstractmethod
    def embed(self, image: Tensor) -> Tensor:
        """Give one vector per image, ``(n, d)``, of images ``(n, c, h, w)``."""

    @property
    def turns_maps(self) -> bool:
        """Whether `turns` does to maps what the augmentation would do to images."""
        return False

    def set_statistics(self, mean: Any, std: Any) -> Self:
        """Normalize from now on by these statistics of the channels.

        A channel that is constant, or as good as that (a standard deviation below 1e-6 of its
        mean), is only centered: dividing by its noise would turn the smallest change into millions.

        Parameters
        ----------
        mean, std : array-like of shape (c,)
            In the units of the images given later.

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
            raise ValueError(f"std={std.tolist()}; a standard deviation is not negative.")
        floor = (_CONSTANT * mean.abs()).clamp(min=torch.finfo(torch.float32).tiny)
        self.mean.copy_(mean)
        self.std.copy_(torch.where(std <= floor, 1.0, std))
        return self

    def set_encoder_rate(
        self, rate: float, *, start: float = 0.0, layer_decay: float = 1.0
    ) -> Self:
        """Let the encoder learn at `rate` times the learning rate of the rest; 0 freezes it.

        A frozen encoder keeps its statistics too: its batch normalizations no longer look at the
        batch.

        Parameters
        ----------
        rate : float
            That of the encoder's last block, or stage.
        start : float
            Share of training in which the encoder is frozen, until :meth:`let_encoder_learn`.
        layer_decay : float
            How the rate of a block, or stage, compares with that of the next one.

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
        """End the part of training in which the encoder is frozen; turns are of images again."""
        self.encoder_learns = True
        self.encoder.requires_grad_(True)
        self.encoder.train(self.training)
        self.turns = None

    def encoder_rates(self) -> dict[nn.Parameter, float]:
        """Give the rate of each of the encoder's parameters, where it is not that of the rest."""
        rate, decay = self.encoder_rate, self.layer_decay
        if rate == decay == 1 and self.encoder_start == 0:
            return {}
        if decay == 1 or rate == 0:
            return dict.fromkeys(self.encoder.parameters(), rate)
        above = levels_above(self.encoder, self.recipe["in_channels"])
        return {parameter: rate * decay**n for parameter, n in above.items()}

    def train(self, mode: bool = True) -> Self:
        """Set the mode of all modules; a frozen encoder stays in evaluation."""
        super().train(mode)
        if not self.encoder_learns:
            self.encoder.eval()
        return self

    def prepare(self, image: Tensor) -> Tensor:
        """Normalize and pad images ``(n, c, h, w)`` as the layers expect them.

        Raises
        ------
        ValueError
            For images of another number of channels.
        """
        n_channels = image.shape[1]
        if n_channels != self.recipe["in_channels"]:
            raise ValueError(
                f"Images of {n_channels} channels; this network takes {self.recipe['in_channels']}."
            )
        image = (image - across(self.mean, image, axis=1)) / across(self.std, image, axis=1)
        return padded(image, stride=self.stride, smallest=self.smallest)

    def encode(self, prepared: Tensor, by: Callable[[Tensor], Any] | None = None) -> Any:
        """Give what the encoder makes of images that :meth:`prepare` gave.

        Parameters
        ----------
        prepared : Tensor of shape (n, c, h, w)
            The images.
        by : callable, optional
            One of the encoder's methods, instead of its `forward`.

        Raises
        ------
        ValueError
            For images of another size than the only one that the encoder takes.
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
                f"{name} has {tensor.numel()} values; this network takes "
                f"{self.mean.numel()} channels."
            )
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{name}={tensor.tolist()}; every value must be finite.")
        return tensor


def padded(image: Tensor, *, stride: Sides, smallest: Sides) -> Tensor:
    """Repeat the last row and column of (n, c, h, w) to multiples of `stride` and to `smallest`.

    Of volumes (n, c, d, h, w) the last slice, too.

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
    # the last axis first, each with nothing before it
    padding = [each for missing in reversed(beyond) for each in (0, missing)]
    return F.pad(image, padding, mode="replicate") if any(beyond) else image


def _of_axes(sides: Sides, size: Sequence[int]) -> Sequence[int]:
    return [sides] * len(size) if isinstance(sides, int) else sides


def _whole_strides(side: int, stride: int, smallest: int) -> int:
    """Return a side's padded length, in a form that says that `stride` divides it.

    By that a graph whose sizes are free knows that maps of halved sides fit together.
    """
    n_strides: Any = torch.sym_max((side + stride - 1) // stride, -(-smallest // stride))
    return stride * n_strides


def _repeated(image: Tensor, axis: int, side: int) -> Tensor:
    last = image.shape[axis] - 1
    return image.index_select(axis, torch.arange(side, device=image.device).clamp(max=last))
