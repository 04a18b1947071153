"""A network made by a user's function, in place of one with a name."""

from collections.abc import Callable, Mapping
from typing import Any, Self

from torch import Tensor, nn
from torch.nn.functional import interpolate

from segclf.networks.image_network import ImageNetwork

Make = Callable[[int, int], nn.Module]


class OwnNetwork(ImageNetwork):
    """A module made by a function, for images that are not normalized.

    Made by :func:`own_network`.

    Parameters
    ----------
    module : nn.Module
        From normalized images to scores.
    recipe : dict
        See :class:`ImageNetwork`; ``dense`` tells whether scores are of pixels.
    """

    def __init__(self, module: nn.Module, recipe: dict[str, Any]) -> None:
        super().__init__(recipe)
        self.encoder = module

    def forward(self, image: Tensor) -> Tensor:
        """Return logits for images ``(n, c, h, w)``: ``(n, k, h, w)`` of pixels, or ``(n, k)``.

        Pixel scores are resized to the images' size. If the module returns a mapping, as
        torchvision's networks do, its entry "out" is used.
        """
        scores: Any = self.encoder(self.prepare(image))
        scores = scores["out"] if isinstance(scores, Mapping) else scores
        self._check(scores, image.shape[0])
        if self.recipe["dense"] and scores.shape[2:] != image.shape[2:]:
            return interpolate(scores, image.shape[2:], mode="bilinear")
        return scores

    def features(self, image: Tensor) -> list[Tensor]:
        """Return the scores as the only map, so that `layer_reader` finds layers by name."""
        return [self(image)]

    def embed(self, image: Tensor) -> Tensor:
        """Raise an error, since the layer to embed with is unknown."""
        raise TypeError(
            f"{_name(self.recipe['make'])} makes a network whose embedding segclf does not know; "
            "pass a layer by name, such as embed_batches(X, layer='encoder.layer4')."
        )

    def set_encoder_rate(
        self, rate: float, *, start: float = 0.0, layer_decay: float = 1.0
    ) -> Self:
        """Raise an error for other rates, since the encoder is unknown."""
        given = {"encoder_rate": rate, "encoder_start": start, "layer_decay": layer_decay}
        usual = {"encoder_rate": 1, "encoder_start": 0, "layer_decay": 1}
        for name, value in given.items():
            if value != usual[name]:
                raise ValueError(
                    f"{name}={value}: segclf does not know the encoder of the network that "
                    f"{_name(self.recipe['make'])} makes. Set requires_grad of its parameters "
                    "there."
                )
        return self

    def _check(self, scores: Any, n_images: int) -> None:
        kind = "(n, n_classes, h, w)" if self.recipe["dense"] else "(n, n_classes)"
        n_dimensions = 4 if self.recipe["dense"] else 2
        expected = (n_images, self.recipe["n_classes"])
        given = getattr(scores, "shape", None)
        if given is None or len(given) != n_dimensions or tuple(given[:2]) != expected:
            raise ValueError(
                f"The network that {_name(self.recipe['make'])} makes returns "
                f"{type(scores).__name__ if given is None else tuple(given)} for {n_images} "
                f"images; expected {kind} with n_classes={expected[1]}."
            )


def own_network(*, make: Make, in_channels: int, n_classes: int, dense: bool) -> OwnNetwork:
    """Make a network with a user's function.

    Parameters
    ----------
    make : callable
        ``make(in_channels, n_classes) -> nn.Module``: a function, or a class of modules.
    in_channels, n_classes : int
        Channels of the images and of the logits.
    dense : bool
        Whether the logits are of pixels.

    Raises
    ------
    TypeError
        For a module that is already made, and if `make` does not return a module.

    Examples
    --------
    >>> import torch
    >>> from segclf.networks import own_network
    >>> def make(in_channels, n_classes):
    ...     return torch.nn.Conv2d(in_channels, n_classes, 3, padding=1)
    >>> network = own_network(make=make, in_channels=3, n_classes=2, dense=True)
    >>> network(torch.zeros(1, 3, 16, 16)).shape
    torch.Size([1, 2, 16, 16])
    """
    if isinstance(make, nn.Module):
        raise TypeError(
            f"A {type(make).__name__} is a network that is already made; pass its class, or a "
            "function f(in_channels, n_classes) that makes it, so that each fit starts anew, "
            "from its random_state."
        )
    counts = {"in_channels": int(in_channels), "n_classes": int(n_classes)}
    module = make(*counts.values())
    if not isinstance(module, nn.Module):
        raise TypeError(f"{_name(make)} returned a {type(module).__name__}; expected an nn.Module.")
    return OwnNetwork(module, {"kind": "own", "make": make, **counts, "dense": dense})


def check_options(make: Make, **options: Any) -> None:
    """Raise for options that only networks with names have.

    Raises
    ------
    ValueError
        If one is set; the message names it.

    Examples
    --------
    >>> from segclf.networks import check_options
    >>> def make(in_channels, n_classes): ...
    >>> check_options(make, decoder_dropout=None)
    >>> check_options(make, decoder_dropout=0.1)
    Traceback (most recent call last):
    ValueError: decoder_dropout=0.1 is an option of networks with a name, ...
    """
    for name, value in options.items():
        if value is not None:
            raise ValueError(
                f"{name}={value!r:.80} is an option of networks with a name, but {_name(make)} "
                "makes its own network; set its parameters with functools.partial."
            )


def _name(make: Any) -> str:
    return str(getattr(make, "__qualname__", None) or repr(make))
